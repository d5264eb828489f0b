"""Fine-tuning: the top of the backbone follows the new task, a little.

frozen model ─ unfreeze the top ─ train, judge each epoch on validation ─ best weights
                                                                │
                      better than frozen? ── no ──▶ frozen weights back, and say so
                               └─ yes ─▶ (refit) the same epochs on training + validation

What is frozen is not computed twice for the same pixels: see `boundary` and `feed`.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.errors import BackboneError, TrainingError
from tlkeras.heads.head import cross_entropy, share_right
from tlkeras.progress import Progress, silent
from tlkeras.training.boundary import Trunk, checked, split
from tlkeras.training.feed import Feed
from tlkeras.training.freeze import FreezeCheck, is_batchnorm, leaf_layers, position
from tlkeras.training.look import Look, look
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

    from tlkeras.training.step import TrainingStep

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Judged:
    """How a model did on the validation part."""

    accuracy: float
    loss: float

    def beats(self, other: "Judged") -> bool:
        """Whether it has more right, or as many with a lower loss.

        >>> Judged(0.9, 0.5).beats(Judged(0.8, 0.1)), Judged(0.9, 0.5).beats(Judged(0.9, 0.4))
        (True, False)
        """
        return (self.accuracy, -self.loss) > (other.accuracy, -other.loss)


@dataclass(frozen=True)
class Tuning:
    """What fine-tuning starts from.

    Attributes:
        model: pixels (n, h, w, 3) float32 in [0, 255] → probabilities (n, classes).
        embedding: name of the backbone's last layer; all after it is the head.
        size_px: height and width that pictures are resized to.
        recipe: the knobs; `unfreeze` among them.
        trunk_engine: makes of the frozen part (a Keras model, pixels → one tensor or a list)
            a function of pixels (m, h, w, 3) → one float32 array a tensor; one that fails or
            gives other values than Keras is not used. None: TensorFlow runs it.
        cut: train on activations at the freeze boundary. False: each batch goes through the
            whole model, which gives the same weights more slowly.
    """

    model: "keras.Model"
    embedding: str
    size_px: int
    recipe: Recipe
    trunk_engine: Callable[["keras.Model"], Trunk] | None = None
    cut: bool = True


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning came to; the model holds the weights that this speaks of.

    `before` and `after` are looks at the better network, before and after it was trained on
    the validation part too; None where the frozen one is kept.
    """

    better: bool
    frozen: Judged
    best: Judged
    best_epoch: int
    unfrozen: tuple[str, ...]
    history: list[dict[str, float]] = field(default_factory=list)
    before: Look | None = field(default=None, repr=False, compare=False)
    after: Look | None = field(default=None, repr=False, compare=False)

    def __str__(self) -> str:
        """One sentence that tells which model was kept and why."""
        result = (
            f"validation accuracy {self.best.accuracy:.3f} (loss {self.best.loss:.3f}) against "
            f"{self.frozen.accuracy:.3f} (loss {self.frozen.loss:.3f}) frozen"
        )
        if self.better:
            return f"fine-tuned {len(self.unfrozen)} layers, best epoch {self.best_epoch}: {result}"
        return f"fine-tuning did not beat the frozen backbone, which is kept: {result}"


def fine_tune(
    tuning: Tuning,
    train: Sequence[Picture],
    validation: Sequence[Picture],
    refit_head: Sequence[np.ndarray] | None = None,
    progress: Progress = silent,
) -> Tuned:
    """Train the unfrozen top and the head; the model ends with the better weights.

    The frozen part runs as in inference, so a Dropout below the first unfrozen layer drops
    nothing. Without augmentation it sees every picture once, and all epochs train on what it
    gave; with augmentation it sees each view once, each picture of `validation` once, and some
    of `train` once or twice more to look at the result. The
    weights are those of the plain way: within 1e-3 of their size, and above 4 GiB of activations
    within 1e-2 (see `maps`).

    Args:
        tuning: the model, with a head trained on the training part alone, and how to go on.
        train: pictures to learn from.
        validation: pictures that judge each epoch.
        refit_head: weights of the head when trained on both parts; with them, and when the
            recipe says `refit`, a model that won is trained again on both parts.
        progress: told about every step.

    Raises:
        BackboneError: `unfreeze` names no layer or leaves nothing to train.
        TrainingError: the loss became NaN or infinite; the frozen weights are back.
        FreezeError: a frozen weight moved, or nothing did.

    Example::

        tuned = fine_tune(Tuning(model, "embedding", 224, recipe), train, validation)
    """
    model = tuning.model
    start = model.get_weights()
    chosen = unfrozen_layers(tuning)
    was = [(layer, layer.trainable) for layer in leaf_layers(model)]
    try:
        for layer, _ in was:
            layer.trainable = layer in chosen
        with closing(_feed(tuning, chosen, [*train, *validation])) as feed:
            rows = np.arange(len(train) + len(validation))
            seen, unseen = rows[: len(train)], rows[len(train) :]
            feed.keep(range(len(train) if feed.varied else 0, len(rows)), progress)
            frozen = _judge(feed, unseen)
            history, best, best_epoch = _train(tuning, feed, seen, unseen, progress)
            better = best.beats(frozen)
            before = after = look(feed, tuning.embedding, seen, unseen) if better else None
            if better and tuning.recipe.refit and refit_head is not None:
                _put_back(model, start, refit_head)
                _train(tuning, feed, rows, None, progress, stop_after=best_epoch)
                after = look(feed, tuning.embedding, seen, unseen)
    except BaseException:
        # Ctrl-C and errors alike leave the model that there was before.
        _put_back(model, start, refit_head)
        raise
    finally:
        for layer, trainable in was:
            layer.trainable = trainable
    if not better:
        _put_back(model, start, refit_head)
    names = tuple(layer.name for layer in chosen if layer.weights)
    return Tuned(better, frozen, best, best_epoch, names, history, before, after)


def unfrozen_layers(tuning: Tuning) -> list["keras.Layer"]:
    """Layers that will train: the head, and of the backbone what `unfreeze` asks for.

    BatchNormalization layers of the backbone stay frozen.

    Raises:
        BackboneError: the name is unknown, or the number selects nothing.
    """
    layers = leaf_layers(tuning.model)
    end = position(layers, tuning.embedding) + 1
    backbone, head = layers[:end], layers[end:]
    weighted = [layer for layer in backbone if layer.weights and not is_batchnorm(layer)]
    wanted = tuning.recipe.unfreeze
    if isinstance(wanted, str):
        first = position(backbone, wanted)
        chosen = [layer for layer in weighted if backbone.index(layer) >= first]
    else:
        count = round(wanted * len(weighted)) if isinstance(wanted, float) else int(wanted)
        if not 1 <= count <= len(weighted) or (isinstance(wanted, float) and wanted > 1):
            raise BackboneError(
                "`unfreeze` is a layer's name, a count of layers with weights from 1 to "
                f"{len(weighted)}, or a fraction of them above 0.0 and up to 1.0. "
                f"Received: {wanted!r}, which is {count} layers."
            )
        chosen = weighted[-count:]
    if not chosen:
        raise BackboneError(
            f"`unfreeze` must leave a layer with weights to train. Received: {wanted!r}, after "
            f"which there is none. The last one with weights is {weighted[-1].name!r}."
            if weighted
            else "The backbone has no layer with weights that can train; use `fit` alone."
        )
    return [*chosen, *head]


def one_epoch(feed: Feed, step: "TrainingStep", rows: np.ndarray, epoch: int) -> float:
    """Mean loss of one pass over the feed's `rows`, in an order that seed and epoch decide.

    Raises:
        TrainingError: the loss became NaN or infinite.

    Example::

        loss = one_epoch(feed, step, np.arange(100), epoch=1)
    """
    recipe = feed.recipe
    order = rows[np.random.default_rng((recipe.seed, epoch)).permutation(len(rows))]
    total = 0.0
    for batch in feed.views(order, epoch):
        loss = step(batch.inputs, batch.labels)
        if not np.isfinite(loss):
            raise TrainingError(
                f"The loss must stay finite. Received: {loss} in epoch {epoch} at learning rate "
                f"{recipe.learning_rate}. The frozen model is kept; lower `learning_rate`."
            )
        total += loss * len(batch.rows)
    return total / len(rows)


def _feed(tuning: Tuning, chosen: list["keras.Layer"], pictures: list[Picture]) -> Feed:
    """The pictures as what the trained part takes, that being the tail if there is a cut."""
    from tlkeras.training.step import inference

    parts = split(tuning.model, chosen) if tuning.cut else None
    if parts is None:
        return Feed(tuning.model, None, pictures, tuning.size_px, tuning.recipe)
    graph = inference(parts.trunk)
    trunk: Trunk = lambda pixels: graph([pixels])  # noqa: E731 - replaced below
    if tuning.trunk_engine is not None:
        trunk = checked(tuning.trunk_engine, parts.trunk, trunk)
    return Feed(parts.tail, trunk, pictures, tuning.size_px, tuning.recipe)


def _put_back(
    model: "keras.Model", weights: list[np.ndarray], head: Sequence[np.ndarray] | None
) -> None:
    """The weights as they were, the head's replaced by its refitted ones if there are any."""
    kept = weights if head is None else [*weights[: len(weights) - len(head)], *head]
    model.set_weights(kept)


def _train(
    tuning: Tuning,
    feed: Feed,
    rows: np.ndarray,
    validation: np.ndarray | None,
    progress: Progress,
    stop_after: int | None = None,
) -> tuple[list[dict[str, float]], Judged, int]:
    """Epoch rows, the best result and its epoch; the model ends with the best weights."""
    from tlkeras.training.step import TrainingStep

    model, recipe = tuning.model, tuning.recipe
    check = FreezeCheck.of(model)
    # In the order of the whole model: the tail may list parallel branches in another one.
    moving = [layer for layer in leaf_layers(model) if layer.trainable and layer.weights]
    layers = [layer for layer in moving if layer.trainable_weights]
    steps = -(-len(rows) // recipe.batch_size) * recipe.epochs
    step = TrainingStep(feed.model, layers, recipe, steps, feed.labels[rows])
    task = "fine-tuning" if validation is not None else "fine-tuning on all pictures"
    history: list[dict[str, float]] = []
    best, best_epoch, best_weights = (
        Judged(-1.0, np.inf),
        0,
        [layer.get_weights() for layer in moving],
    )
    for epoch in range(1, (stop_after or recipe.epochs) + 1):
        loss = one_epoch(feed, step, rows, epoch)
        row = {"epoch": float(epoch), "loss": loss, "learning_rate": step.rate()}
        if validation is not None:
            now = _judge(feed, validation)
            row |= {"val_loss": now.loss, "val_accuracy": now.accuracy}
            if now.beats(best):
                best, best_epoch, best_weights = (
                    now,
                    epoch,
                    [layer.get_weights() for layer in moving],
                )
        history.append(row)
        note = f"loss {loss:.3f}" + (
            f" val {row['val_accuracy']:.3f}" if validation is not None else ""
        )
        progress(task, epoch, stop_after or recipe.epochs, note)
        if validation is not None and epoch - best_epoch >= recipe.patience:
            progress(task, recipe.epochs, recipe.epochs, f"stopped early, best epoch {best_epoch}")
            break
    still = check.verify(model)
    if still:
        logger.warning("asked to train, and did not move: %s", ", ".join(still))
    if validation is not None:
        for layer, weights in zip(moving, best_weights, strict=True):
            layer.set_weights(weights)
    return history, best, best_epoch


def _judge(feed: Feed, rows: np.ndarray) -> Judged:
    """Accuracy and cross-entropy on the rows, without augmentation."""
    answers, labels = feed.answers(rows), feed.labels[rows]
    return Judged(share_right(answers, labels), cross_entropy(answers, labels))
