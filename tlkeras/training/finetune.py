"""Fine-tuning: the top of the backbone follows the new task, a little.

frozen model ─ unfreeze the top ─ train, judge each epoch on validation ─ best weights
                                                                │
                      better than frozen? ── no ──▶ frozen weights back, and say so
                               └─ yes ─▶ (refit) the same epochs on training + validation

What is frozen is not computed twice for the same pixels: see `boundary` and `feed`. With a
checkpoint each epoch is kept, and training goes on after the last one: see `tuning`.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.errors import BackboneError, DivergedError
from tlkeras.progress import Progress, silent
from tlkeras.training.boundary import Trunk, checked, split
from tlkeras.training.feed import Feed
from tlkeras.training.freeze import is_batchnorm, leaf_layers, position
from tlkeras.training.look import Look, look
from tlkeras.training.recipe import Recipe
from tlkeras.training.tuning.checkpoint import Checkpoint
from tlkeras.training.tuning.determinism import deterministic_ops
from tlkeras.training.tuning.epochs import Phase, judge
from tlkeras.training.tuning.state import Judged, State

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

Write = Callable[[State], None]


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
    the validation part too; None where the frozen one is kept. `stopped` says why training ended
    early where its loss was no number any more, and is empty elsewhere.
    """

    better: bool
    frozen: Judged
    best: Judged
    best_epoch: int
    unfrozen: tuple[str, ...]
    history: list[dict[str, float]] = field(default_factory=list)
    before: Look | None = field(default=None, repr=False, compare=False)
    after: Look | None = field(default=None, repr=False, compare=False)
    stopped: str = ""

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
    checkpoint: Checkpoint | None = None,
) -> Tuned:
    """Train the unfrozen top and the head; the model ends with the better weights.

    The frozen part runs as in inference, so a Dropout below the first unfrozen layer drops
    nothing. Without augmentation it sees every picture once, and all epochs train on what it
    gave; with augmentation it sees each view once, each picture of `validation` once, and some
    of `train` once or twice more to look at the result. The
    weights are those of the plain way: within 1e-3 of their size, and above 4 GiB of activations
    within 1e-2 (see `maps`). A loss that becomes NaN or infinite ends the phase with its best
    epoch.

    Args:
        tuning: the model, with a head trained on the training part alone, and how to go on.
        train: pictures to learn from.
        validation: pictures that judge each epoch.
        refit_head: weights of the head when trained on both parts; with them, and when the
            recipe says `refit`, a model that won is trained again on both parts.
        progress: told about every step.
        checkpoint: kept after every epoch; one that has a state is gone on with, and then
            gives what training without a break would have given.

    Raises:
        BackboneError: `unfreeze` names no layer or leaves nothing to train.
        DivergedError: the loss was no number before an epoch was complete; the frozen weights
            are back.
        TrainingError: the checkpoint is of other work, or can't be written.
        FreezeError: a frozen weight moved, or nothing did.

    Example::

        tuned = fine_tune(Tuning(model, "embedding", 224, recipe), train, validation)
    """
    model = tuning.model
    start = _Start(model, model.get_weights(), refit_head)
    chosen = unfrozen_layers(tuning)
    was = [(layer, layer.trainable) for layer in leaf_layers(model)]
    try:
        for layer, _ in was:
            layer.trainable = layer in chosen
        exact = deterministic_ops(tuning.recipe.deterministic)
        with exact, closing(_feed(tuning, chosen, [*train, *validation])) as feed:
            rows = np.arange(len(train) + len(validation))
            feed.keep(range(len(train) if feed.varied else 0, len(rows)), progress)
            parts = rows[: len(train)], rows[len(train) :]
            tuned = _tuned(tuning, feed, parts, start, progress, checkpoint)
    except BaseException:
        # Ctrl-C and errors alike leave the model that there was before.
        start.put_back()
        raise
    finally:
        for layer, trainable in was:
            layer.trainable = trainable
    if not tuned.better:
        start.put_back()
    return replace(tuned, unfrozen=tuple(layer.name for layer in chosen if layer.weights))


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


@dataclass(frozen=True)
class _Start:
    """The weights before fine-tuning, and the head's when trained on both parts, if it was."""

    model: "keras.Model"
    weights: list[np.ndarray]
    refitted: Sequence[np.ndarray] | None

    def put_back(self) -> None:
        """The weights as they were, the head's replaced by its refitted ones if there are any."""
        head = [] if self.refitted is None else list(self.refitted)
        self.model.set_weights([*self.weights[: len(self.weights) - len(head)], *head])


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


def _tuned(
    tuning: Tuning,
    feed: Feed,
    parts: tuple[np.ndarray, np.ndarray],
    start: _Start,
    progress: Progress,
    checkpoint: Checkpoint | None,
) -> Tuned:
    """Both phases, each from where the checkpoint stands."""
    state = checkpoint.read() if checkpoint is not None else None
    if state is not None:
        logger.info("fine-tuning goes on: %s, after epoch %d", state.phase, state.epoch)
    write: Write = (lambda state: None) if checkpoint is None else checkpoint.write
    done = _judged(tuning, feed, parts, state, progress, write)
    better = done.best.beats(done.frozen)
    before = after = look(feed, tuning.embedding, *parts) if better else None
    stopped = done.stopped
    if better and tuning.recipe.refit and start.refitted is not None:
        start.put_back()
        ended = _refit(tuning, feed, np.concatenate(parts), done, state, progress, write)
        stopped = " ".join(filter(None, (stopped, ended)))
        after = before if ended else look(feed, tuning.embedding, *parts)
    unfrozen = ()  # told by whoever chose them
    return Tuned(
        better,
        done.frozen,
        done.best,
        done.best_epoch,
        unfrozen,
        done.history,
        before,
        after,
        stopped,
    )


def _judged(
    tuning: Tuning,
    feed: Feed,
    parts: tuple[np.ndarray, np.ndarray],
    state: State | None,
    progress: Progress,
    write: Write,
) -> State:
    """The first phase, over; the model has its best weights."""
    seen, unseen = parts
    frozen = judge(feed, unseen) if state is None else state.frozen
    phase = Phase("fine-tuning", tuning.model, feed, seen, unseen)
    if state is not None:
        phase.go_on(state)
    phase.run(progress, lambda phase: write(phase.state(frozen)))
    return phase.state(frozen)


def _refit(
    tuning: Tuning,
    feed: Feed,
    rows: np.ndarray,
    done: State,
    state: State | None,
    progress: Progress,
    write: Write,
) -> str:
    """Train on both parts; why the weights are those of `done` again, empty if they are not."""
    phase = Phase("refit", tuning.model, feed, rows, epochs=done.best_epoch)
    if state is not None and state.phase == phase.name:
        phase.go_on(state)
    try:
        phase.run(progress, lambda phase: write(phase.state(done.frozen, after=done)))
    except DivergedError as error:
        phase.take(done.best_weights)
        text = f"{error} What was trained on the training part alone is kept."
        logger.warning("%s", text)
        return text
    return ""
