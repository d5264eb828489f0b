"""Fine-tuning: the top of the backbone follows the new task, a little.

frozen model ─ unfreeze the top ─ train, judge each epoch on validation ─ best weights
                                                                │
                      better than frozen? ── no ──▶ frozen weights back, and say so
                               └─ yes ─▶ (refit) the same epochs on training + validation
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import pixel_batches
from tlkeras.errors import BackboneError, TrainingError
from tlkeras.features.extract import compiled
from tlkeras.heads.head import cross_entropy, share_right
from tlkeras.progress import Progress, silent
from tlkeras.training.freeze import FreezeCheck, is_batchnorm, leaf_layers, position
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
    """

    model: "keras.Model"
    embedding: str
    size_px: int
    recipe: Recipe

    @cached_property
    def forward(self) -> Callable[[np.ndarray], np.ndarray]:
        """Probabilities (n, classes) for pixels (n, size_px, size_px, 3); compiled once."""
        return compiled(self.model, self.size_px)


@dataclass(frozen=True)
class Tuned:
    """What fine-tuning came to; the model holds the weights that this speaks of."""

    better: bool
    frozen: Judged
    best: Judged
    best_epoch: int
    unfrozen: tuple[str, ...]
    history: list[dict[str, float]] = field(default_factory=list)

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
    """
    model = tuning.model
    start = model.get_weights()
    chosen = unfrozen_layers(tuning)
    was = [(layer, layer.trainable) for layer in leaf_layers(model)]
    try:
        for layer, _ in was:
            layer.trainable = layer in chosen
        frozen = _judge(tuning, validation)
        history, best, best_epoch = _train(tuning, train, validation, frozen, progress)
        better = best.beats(frozen)
        if better and tuning.recipe.refit and refit_head is not None:
            _put_back(model, start, refit_head)
            both = [*train, *validation]
            _train(tuning, both, None, frozen, progress, stop_after=best_epoch)
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
    return Tuned(better, frozen, best, best_epoch, names, history)


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


def _put_back(
    model: "keras.Model", weights: list[np.ndarray], head: Sequence[np.ndarray] | None
) -> None:
    """The weights as they were, the head's replaced by its refitted ones if there are any."""
    kept = weights if head is None else [*weights[: len(weights) - len(head)], *head]
    model.set_weights(kept)


def _train(
    tuning: Tuning,
    train: Sequence[Picture],
    validation: Sequence[Picture] | None,
    frozen: Judged,
    progress: Progress,
    stop_after: int | None = None,
) -> tuple[list[dict[str, float]], Judged, int]:
    """Epoch rows, the best result and its epoch; the model ends with the best weights."""
    from tlkeras.training.step import TrainingStep

    model, recipe = tuning.model, tuning.recipe
    check = FreezeCheck.of(model)
    steps = -(-len(train) // recipe.batch_size)
    step = TrainingStep(model, recipe, steps * recipe.epochs, [p.label for p in train])
    task = "fine-tuning" if validation is not None else "fine-tuning on all pictures"
    history: list[dict[str, float]] = []
    best, best_epoch, best_weights = Judged(-1.0, np.inf), 0, model.get_weights()
    for epoch in range(1, (stop_after or recipe.epochs) + 1):
        loss = _epoch(tuning, train, step, epoch)
        row = {"epoch": float(epoch), "loss": loss, "learning_rate": step.rate()}
        if validation is not None:
            now = _judge(tuning, validation)
            row |= {"val_loss": now.loss, "val_accuracy": now.accuracy}
            if now.beats(best):
                best, best_epoch, best_weights = now, epoch, model.get_weights()
        history.append(row)
        note = f"loss {loss:.3f}" + (f" val {row['val_accuracy']:.3f}" if validation else "")
        progress(task, epoch, stop_after or recipe.epochs, note)
        if validation is not None and epoch - best_epoch >= recipe.patience:
            progress(task, recipe.epochs, recipe.epochs, f"stopped early, best epoch {best_epoch}")
            break
    still = check.verify(model)
    if still:
        logger.warning("asked to train, and did not move: %s", ", ".join(still))
    if validation is not None:
        model.set_weights(best_weights)
    return history, best, best_epoch


def _epoch(tuning: Tuning, train: Sequence[Picture], step: "TrainingStep", epoch: int) -> float:
    """Mean loss of one pass over the training pictures, freshly augmented."""
    recipe = tuning.recipe
    order = np.random.default_rng((recipe.seed, epoch)).permutation(len(train))
    labels = np.array([train[index].label for index in order])
    total = 0.0
    for batch in pixel_batches(
        [train[index].source for index in order],
        (tuning.size_px, tuning.size_px),
        batch_size=recipe.batch_size,
        augment=recipe.augmentation,
        seed=(recipe.seed, epoch),
    ):
        loss = step(batch.pixels, labels[batch.index])
        if not np.isfinite(loss):
            raise TrainingError(
                f"The loss must stay finite. Received: {loss} in epoch {epoch} at learning rate "
                f"{recipe.learning_rate}. The frozen model is kept; lower `learning_rate`."
            )
        total += loss * len(batch.index)
    return total / len(train)


def _judge(tuning: Tuning, pictures: Sequence[Picture]) -> Judged:
    """Accuracy and cross-entropy of the model on pictures, without augmentation."""
    size = (tuning.size_px, tuning.size_px)
    sources = [picture.source for picture in pictures]
    labels = np.array([picture.label for picture in pictures])
    answers = np.concatenate(
        [
            tuning.forward(batch.pixels)
            for batch in pixel_batches(sources, size, batch_size=tuning.recipe.batch_size)
        ]
    )
    return Judged(share_right(answers, labels), cross_entropy(answers, labels))
