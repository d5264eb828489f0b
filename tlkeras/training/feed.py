"""What each epoch of fine-tuning is fed with, and how it comes about.

pictures ─ pixels ─────────────────────────────▶ whole model      (it cannot be cut)
pictures ─ augmented pixels ─▶ trunk ──────────▶ tail             (each view anew)
pictures ─ pixels ─▶ trunk ─▶ kept once (Maps) ─▶ tail            (everything else)
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.augment import Augmentation
from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import pixel_batches
from tlkeras.errors import TrainingError
from tlkeras.progress import Progress, silent
from tlkeras.training.boundary import Trunk
from tlkeras.training.maps import Maps
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

UNVARIED = Augmentation(crop=(1.0, 1.0), flip=False, brightness=0.0, contrast=0.0)


@dataclass(frozen=True)
class Fed:
    """One batch: `rows` (m,) of the pictures, `inputs` (m, …) one a tensor, `labels` (m,)."""

    rows: np.ndarray
    inputs: list[np.ndarray]
    labels: np.ndarray


class Feed:
    """Batches of pictures as inputs of the part of a network that trains.

    Args:
        model: the part that trains: the tail, or the whole model.
        trunk: what pixels go through before it; None where `model` takes pixels.
        pictures: all that will be asked for; a row is a position among them.
        size_px: height and width that pictures are resized to.
        recipe: batch size, augmentation and seed.

    Example::

        feed = Feed(parts.tail, trunk, pictures, 224, recipe)
        feed.keep(np.arange(len(pictures)))
        for batch in feed.views(order, epoch=1):
            step(batch.inputs, batch.labels)
    """

    def __init__(
        self,
        model: "keras.Model",
        trunk: Trunk | None,
        pictures: Sequence[Picture],
        size_px: int,
        recipe: Recipe,
    ) -> None:
        self.model = model
        self.labels = np.array([picture.label for picture in pictures], "int64")
        self.varied = recipe.augmentation != UNVARIED
        self._trunk = trunk
        self._sources = [picture.source for picture in pictures]
        self._size_px = size_px
        self.recipe = recipe
        self._maps: Maps | None = None
        self._kept = range(0)

    def keep(self, rows: range, progress: Progress = silent) -> None:
        """Compute the activations of these rows now, unvaried, and keep them for later calls.

        Nothing without a trunk. Where they cannot be kept (no room on the disk, values beyond
        float16) a warning says so, and each call computes them again.

        Raises:
            TrainingError: no room on the disk, for a recipe that is to give the same bits.
        """
        if self._trunk is None or not len(rows):
            return
        done = 0
        try:
            for batch in self._computed(np.asarray(rows), None, (0,)):
                if self._maps is None:
                    exact = self.recipe.deterministic
                    self._maps = Maps(len(rows), batch.inputs, whatever_is_free=exact)
                self._maps.put(done, batch.inputs)
                done += len(batch.rows)
                progress("activations", done, len(rows))
        except (OSError, OverflowError) as err:
            self.close()
            if self.recipe.deterministic and isinstance(err, OSError):
                # Computed in other company, in the order of an epoch, they need not be the same.
                raise TrainingError(
                    "A deterministic fine-tuning keeps the activations of its frozen part on the "
                    f"disk. Received: {err}. Make room there, or set TLKERAS_CACHE to a folder "
                    "on another disk."
                ) from err
            logger.warning("activations are computed again in each epoch: %s", err)
            return
        self._kept = rows

    def views(self, rows: np.ndarray, epoch: int) -> Iterator[Fed]:
        """Batches to train on, in the order of `rows`, augmented anew in each epoch."""
        if not self.varied:
            return self.plain(rows)
        how = self.recipe.augmentation
        return self._computed(rows, how, (self.recipe.seed, epoch))

    def plain(self, rows: np.ndarray) -> Iterator[Fed]:
        """Batches in the order of `rows`, without augmentation."""
        kept = self._kept
        if self._maps is None or not len(kept) or rows.min() < kept[0] or rows.max() > kept[-1]:
            yield from self._computed(rows, None, (0,))
            return
        for start in range(0, len(rows), self.recipe.batch_size):
            part = rows[start : start + self.recipe.batch_size]
            yield Fed(part, self._maps.take(part - kept[0]), self.labels[part])

    def answers(self, rows: np.ndarray) -> np.ndarray:
        """What the model gives for the rows, without augmentation: (len(rows), classes)."""
        return np.concatenate([self._forward(batch.inputs)[0] for batch in self.plain(rows)])

    def outputs(self, model: "keras.Model", rows: np.ndarray) -> list[np.ndarray]:
        """What another model of the same inputs gives for the rows, one array an output."""
        from tlkeras.training.step import inference

        forward = inference(model)
        parts = [forward(batch.inputs) for batch in self.plain(rows)]
        return [np.concatenate(column) for column in zip(*parts, strict=True)]

    def close(self) -> None:
        """Gives back what was kept."""
        if self._maps is not None:
            self._maps.close()
        self._maps, self._kept = None, range(0)

    @cached_property
    def _forward(self) -> Callable[[Sequence[np.ndarray]], list[np.ndarray]]:
        from tlkeras.training.step import inference

        return inference(self.model)

    def _computed(
        self, rows: np.ndarray, how: Augmentation | None, seed: tuple[int, ...]
    ) -> Iterator[Fed]:
        for batch in pixel_batches(
            [self._sources[row] for row in rows],
            (self._size_px, self._size_px),
            batch_size=self.recipe.batch_size,
            augment=how,
            seed=seed,
        ):
            part = rows[batch.index]
            inputs = [batch.pixels] if self._trunk is None else self._trunk(batch.pixels)
            yield Fed(part, inputs, self.labels[part])
