"""A hidden ReLU layer with dropout and a softmax after it, trained with Adam in NumPy.

    x (m, d) ─ standardise ─▶ relu(x A + a) ─ dropout ─▶ softmax(h B + b)

Nothing is traced or compiled: fifty epochs on 1,000 embeddings of 1,280 values cost about a second
of one core.
"""

from dataclasses import replace

import numpy as np

from tlkeras.errors import TrainingError
from tlkeras.heads.affine import Affine, AffineHead, apply
from tlkeras.heads.head import HeadTraining, Labelled, cross_entropy, share_right
from tlkeras.heads.solvers.adam import Adam
from tlkeras.heads.table import Standardised
from tlkeras.progress import Progress, silent

LARGEST_BATCH = 128  # products of more rows are hardly faster
FEWEST_STEPS = 10  # an epoch; with fewer, the epochs of a recipe end before the head is trained


def batch_of(rows: int, least: int) -> int:
    """Rows in one step: more than `least` where an epoch keeps enough steps.

    Adam's own arithmetic is paid by the step, whatever its size. On embeddings of real pictures
    the validation loss was the same for batches of 32, 64 and 128 at one learning rate, and
    higher when the rate grew with the batch.

    >>> batch_of(300, least=32), batch_of(1_000, least=32), batch_of(100_000, least=32)
    (32, 100, 128)
    """
    return max(least, min(LARGEST_BATCH, rows // FEWEST_STEPS))


def fit_mlp(
    train: Labelled,
    validation: Labelled,
    classes: int,
    hidden: int,
    dropout: float,
    how: HeadTraining,
    progress: Progress = silent,
) -> AffineHead:
    """A hidden layer of `hidden` units, trained until the validation loss stops falling.

    It is then trained again on both parts for as many epochs as did best. Standardisation of
    the embeddings is folded into the first kernel.

    Args:
        train: rows to learn from.
        validation: rows that stop the training.
        classes: number of classes.
        hidden: units in the hidden layer.
        dropout: share of them dropped in training.
        how: epochs, rate, smallest batch, patience and seed.
        progress: told about every epoch.

    Raises:
        TrainingError: the loss became NaN or infinite.
    """
    how = replace(how, batch_size=batch_of(len(train), how.batch_size))
    shape = (train.vectors.shape[1], hidden, classes)
    first, history = _train(Network(shape, dropout, how), train, validation, how, progress)
    best = int(np.argmin([row["val_loss"] for row in history])) + 1
    refit = replace(how, epochs=best)
    both, _ = _train(Network(shape, dropout, how), train.join(validation), None, refit, progress)
    return AffineHead(
        affines=both,
        validation=apply(first, validation.vectors),
        chosen={"epochs": best},
        first=first,
        history=history,
        seed=how.seed,
    )


class Network:
    """The weights of such a head while they train.

    Args:
        shape: (d, hidden, classes).
        dropout: share of hidden units dropped in a step.
        how: rate and seed.
    """

    def __init__(self, shape: tuple[int, int, int], dropout: float, how: HeadTraining) -> None:
        d, hidden, classes = shape
        self.dropout = dropout
        self.adam = Adam([(d, hidden), (hidden,), (hidden, classes), (classes,)], how.learning_rate)
        self.rng = np.random.default_rng(how.seed)
        kernel, _, out, _ = self.adam.values
        # He's and Glorot's ranges: each layer keeps the variance of what it is given.
        kernel[:] = self.rng.uniform(-1, 1, kernel.shape) * np.sqrt(6 / d)
        out[:] = self.rng.uniform(-1, 1, out.shape) * np.sqrt(6 / (hidden + classes))

    def step(self, x: np.ndarray, labels: np.ndarray, weights: np.ndarray) -> float:
        """One step down the gradient; the weighted sum of the losses before it.

        x (m, d) float32 standardised, labels (m,) int, weights (m,) float32.
        """
        kernel, bias, out, out_bias = self.adam.values
        of_kernel, of_bias, of_out, of_out_bias = self.adam.gradients
        h = x @ kernel
        h += bias
        alive = (h > 0).astype("float32")
        if self.dropout:
            alive *= self.rng.random(h.shape, "float32") >= self.dropout
            alive *= np.float32(1 / (1 - self.dropout))
        h *= alive
        logits = h @ out
        logits += out_bias
        logits -= logits.max(axis=1, keepdims=True)
        each = np.arange(len(x))
        right = logits[each, labels]
        error = np.exp(logits, out=logits)
        total = error.sum(axis=1)
        loss = float(weights @ (np.log(total) - right))
        error /= total[:, None]
        error[each, labels] -= 1.0
        error *= (weights / weights.sum())[:, None]
        np.matmul(h.T, error, out=of_out)
        np.sum(error, axis=0, out=of_out_bias)
        back = error @ out.T
        back *= alive
        np.matmul(x.T, back, out=of_kernel)
        np.sum(back, axis=0, out=of_bias)
        self.adam.step()
        return loss

    def folded(self, rows: Standardised) -> tuple[Affine, Affine]:
        """Copies of the weights, the standardisation of `rows` folded into the first kernel."""
        kernel, bias, out, out_bias = self.adam.values
        folded = kernel * rows.factor[:, None]
        return (
            Affine(folded, bias - rows.mean @ folded, "relu"),
            Affine(out.copy(), out_bias.copy(), "softmax", self.dropout),
        )


def _train(
    network: Network,
    train: Labelled,
    validation: Labelled | None,
    how: HeadTraining,
    progress: Progress,
) -> tuple[tuple[Affine, Affine], list[dict[str, float]]]:
    """The steps of the best validation epoch (without validation: the last), and epoch rows."""
    rows = Standardised(train.vectors, np.ones(len(train)))
    weights = train.weights.astype("float32")
    rng = np.random.default_rng((how.seed, 1))
    history: list[dict[str, float]] = []
    best_epoch, best = 0, network.folded(rows)
    for epoch in range(1, how.epochs + 1):
        order = rng.permutation(len(train))
        loss = 0.0
        with np.errstate(all="ignore"):  # what is not finite is found and told below
            for start in range(0, len(train), how.batch_size):
                some = order[start : start + how.batch_size]
                loss += network.step(rows.take(some), train.labels[some], weights[some])
            loss /= float(weights.sum())
        if not np.isfinite(loss):
            raise TrainingError(
                f"The head's loss must stay finite. Received: {loss} in epoch {epoch} "
                f"at learning rate {how.learning_rate}. Lower `head_learning_rate` in the recipe."
            )
        history.append({"epoch": float(epoch), "loss": loss})
        progress("training the head", epoch, how.epochs, f"loss {loss:.3f}")
        if validation is None:
            continue
        now = network.folded(rows)
        answers = apply(now, validation.vectors)
        history[-1]["val_loss"] = cross_entropy(answers, validation.labels)
        history[-1]["val_accuracy"] = share_right(answers, validation.labels)
        if not best_epoch or history[-1]["val_loss"] < history[best_epoch - 1]["val_loss"]:
            best_epoch, best = epoch, now
        elif epoch - best_epoch >= how.patience:
            progress("training the head", how.epochs, how.epochs, "stopped early")
            break
    return best if validation is not None else network.folded(rows), history
