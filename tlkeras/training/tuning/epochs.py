"""One phase of fine-tuning: epochs over some rows, each judged, the best one kept.

epoch ─ gradient steps ─ judged on validation ─ best so far? ─ told to `keep` ─▶ next epoch
              └─ the loss is no number: the phase ends with its best weights
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import DivergedError, TrainingError
from tlkeras.heads.head import cross_entropy, share_right
from tlkeras.progress import Progress
from tlkeras.training.feed import Feed
from tlkeras.training.freeze import FreezeCheck, leaf_layers
from tlkeras.training.tuning.determinism import seed_dropout
from tlkeras.training.tuning.state import Judged, PhaseName, State

if TYPE_CHECKING:
    import keras

    from tlkeras.training.step import TrainingStep

logger = logging.getLogger(__name__)

PHASES: tuple[PhaseName, PhaseName] = ("fine-tuning", "refit")
TASKS = {"fine-tuning": "fine-tuning", "refit": "fine-tuning on all pictures"}


class Phase:
    """Epochs over `rows` of a feed, from the weights that the model has now.

    Args:
        name: "fine-tuning" or "refit".
        model: whose layers train; the feed's is this one or its tail.
        feed: the pictures, and the recipe.
        rows: (n,) what to learn from.
        validation: (m,) what judges each epoch; None: nothing does, and the last one stays.
        epochs: how many at most; None: as the recipe says.

    Attributes:
        epoch: the last one that is complete.
        history: one row an epoch.
        best: how the best one did; `best_epoch` its number, `best_weights` what it left.
        stopped: why the loss ended the phase; empty if it did not.

    Example::

        phase = Phase("fine-tuning", model, feed, seen, unseen)
        phase.run(progress, keep=lambda phase: None)
        phase.best.accuracy
    """

    def __init__(
        self,
        name: PhaseName,
        model: "keras.Model",
        feed: Feed,
        rows: np.ndarray,
        validation: np.ndarray | None = None,
        epochs: int | None = None,
    ) -> None:
        from tlkeras.training.step import TrainingStep

        recipe = feed.recipe
        self.name: PhaseName = name
        self.epochs = epochs or recipe.epochs
        self.epoch = 0
        self.history: list[dict[str, float]] = []
        self.best, self.best_epoch = Judged(-1.0, np.inf), 0
        self.stopped = ""
        self._model, self._feed, self._rows, self._validation = model, feed, rows, validation
        self._frozen_ones = FreezeCheck.of(model)
        # In the order of the whole model: the tail may list parallel branches in another one.
        self._moving = [layer for layer in leaf_layers(model) if layer.trainable and layer.weights]
        layers = [layer for layer in self._moving if layer.trainable_weights]
        steps = -(-len(rows) // recipe.batch_size) * recipe.epochs
        self._step = TrainingStep(feed.model, layers, recipe, steps, feed.labels[rows])
        self.best_weights = self.weights

    @property
    def weights(self) -> list[np.ndarray]:
        """Of the layers that move, as they are now."""
        return [value for layer in self._moving for value in layer.get_weights()]

    @property
    def optimizer(self) -> list[np.ndarray]:
        """Everything that the optimizers remember of the steps so far."""
        return [np.asarray(variable) for variable in self._step.variables]

    def state(self, frozen: Judged, after: State | None = None) -> State:
        """Where the phase stands now; one that comes after another keeps what that came to."""
        now = State(
            phase=self.name,
            epoch=self.epoch,
            frozen=frozen,
            best=self.best,
            best_epoch=self.best_epoch,
            history=self.history,
            stopped=self.stopped,
            weights=self.weights,
            optimizer=self.optimizer,
            best_weights=self.best_weights,
        )
        if after is None:
            return now
        return replace(
            after,
            phase=now.phase,
            epoch=now.epoch,
            weights=now.weights,
            optimizer=now.optimizer,
        )

    def go_on(self, state: State) -> None:
        """Stand where the state was written: after its epoch, or after a phase that is over.

        Raises:
            TrainingError: the state's arrays are not this network's.
        """
        self._check_fits(state)
        if self._validation is not None:
            self.history, self.stopped = list(state.history), state.stopped
            self.best, self.best_epoch = state.best, state.best_epoch
            self.best_weights = state.best_weights
        if state.phase != self.name:
            self.epoch = self.epochs
            self.take(state.best_weights)
            return
        self.epoch = state.epoch
        self.take(state.weights)
        for variable, value in zip(self._step.variables, state.optimizer, strict=True):
            variable.assign(value)

    def run(self, progress: Progress, keep: Callable[["Phase"], None]) -> None:
        """Train until the epochs are over; judged ones leave the model with the best weights.

        Args:
            progress: told after each epoch.
            keep: called after each epoch, before `progress` is told of it.

        Raises:
            DivergedError: the loss became NaN or infinite before any epoch was judged.
            FreezeError: a frozen weight moved, or nothing did.
        """
        task = TASKS[self.name]
        while not self._is_over():
            try:
                note = self._train()
            except DivergedError as error:
                if not self.best_epoch:
                    raise
                self.stopped = f"{error} The best epoch until then, {self.best_epoch}, is kept."
                logger.warning("%s", self.stopped)
                break
            keep(self)
            progress(task, self.epoch, self.epochs, note)
        if self.epoch < self.epochs:
            note = f"stopped early, best epoch {self.best_epoch}"
            progress(task, self.epochs, self.epochs, note)
        still = self._frozen_ones.verify(self._model)
        if still:
            logger.warning("asked to train, and did not move: %s", ", ".join(still))
        if self._validation is not None:
            self.take(self.best_weights)

    def take(self, weights: list[np.ndarray]) -> None:
        """Give the layers that move these weights, in the order of `weights`."""
        left = list(weights)
        for layer in self._moving:
            count = len(layer.get_weights())
            layer.set_weights(left[:count])
            left = left[count:]

    def _is_over(self) -> bool:
        if self.stopped or self.epoch >= self.epochs:
            return True
        patient = self.epoch - self.best_epoch < self._feed.recipe.patience
        return self._validation is not None and not patient

    def _train(self) -> str:
        """One epoch more, and what to say of it."""
        epoch = self.epoch + 1
        seed_dropout(self._model, self._feed.recipe.seed, PHASES.index(self.name), epoch)
        loss = one_epoch(self._feed, self._step, self._rows, epoch)
        row = {"epoch": float(epoch), "loss": loss, "learning_rate": self._step.rate()}
        note = f"loss {loss:.3f}"
        weights = self.weights
        # The last step of an epoch may break them without a loss that would tell.
        if not all(np.isfinite(value).all() for value in weights if value.dtype.kind == "f"):
            raise _no_number(np.nan, epoch, self._feed.recipe.learning_rate)
        if self._validation is not None:
            now = judge(self._feed, self._validation)
            if not np.isfinite(now.loss):
                raise _no_number(now.loss, epoch, self._feed.recipe.learning_rate)
            row |= {"val_loss": now.loss, "val_accuracy": now.accuracy}
            note += f" val {now.accuracy:.3f}"
            if now.beats(self.best):
                self.best, self.best_epoch, self.best_weights = now, epoch, weights
        self.history.append(row)
        self.epoch = epoch
        return note

    def _check_fits(self, state: State) -> None:
        wanted = [value.shape for value in self.weights]
        pairs = [(state.weights, wanted), (state.best_weights, wanted)]
        if state.phase == self.name:
            pairs.append((state.optimizer, [value.shape for value in self.optimizer]))
        for found, shapes in pairs:
            if [value.shape for value in found] != shapes:
                raise TrainingError(
                    f"A checkpoint has the arrays that this network trains, {len(shapes)} of "
                    f"them. Received: {len(found)}, or others; it was written with other "
                    "versions. Use those, or delete the checkpoint to begin anew."
                )


def one_epoch(feed: Feed, step: "TrainingStep", rows: np.ndarray, epoch: int) -> float:
    """Mean loss of one pass over the feed's `rows`, in an order that seed and epoch decide.

    Raises:
        DivergedError: the loss became NaN or infinite.

    Example::

        loss = one_epoch(feed, step, np.arange(100), epoch=1)
    """
    recipe = feed.recipe
    order = rows[np.random.default_rng((recipe.seed, epoch)).permutation(len(rows))]
    total = 0.0
    for batch in feed.views(order, epoch):
        loss = step(batch.inputs, batch.labels)
        if not np.isfinite(loss):
            raise _no_number(loss, epoch, recipe.learning_rate)
        total += loss * len(batch.rows)
    return total / len(rows)


def judge(feed: Feed, rows: np.ndarray) -> Judged:
    """Accuracy and cross-entropy on the rows, without augmentation."""
    answers, labels = feed.answers(rows), feed.labels[rows]
    return Judged(share_right(answers, labels), cross_entropy(answers, labels))


def _no_number(loss: float, epoch: int, rate: float) -> DivergedError:
    return DivergedError(
        f"The loss must stay finite. Received: {loss} in epoch {epoch} at learning rate {rate}. "
        "Lower `learning_rate`, raise `warmup`, or train fewer layers with `unfreeze`."
    )
