"""What an export is proven on: pictures, and what the classifier says of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tlkeras.data.pipeline import load_pixels

Answers = Callable[[list[bytes]], np.ndarray]
"""Encoded pictures (n,) → probabilities (n, c), with an unknown score one column more."""
PixelAnswers = Callable[[np.ndarray], np.ndarray]
"""Pixels (n, size_px, size_px, 3) float32 in [0, 255] → the same table, by the Keras model."""
Labelled = tuple[np.ndarray, np.ndarray]
"""Pixels (n, size_px, size_px, 3) float32, and the classes (n,) int."""


@dataclass(frozen=True)
class Shown:
    """Pictures to prove an export on, and the answers that it has to give.

    Attributes:
        size_px: side of the pictures that the network takes.
        files: encoded pictures, n >= 1.
        answers: what the classifier says of encoded pictures.
        pixel_answers: what its Keras model says of pixels.
        training: so many pictures of the training part as pixels, fewer or none if not there.
        validation: those of the validation part that are at hand; None: there are none.

    Example::

        shown.pixels.shape                    # (24, 224, 224, 3)
    """

    size_px: int
    files: Sequence[bytes]
    answers: Answers
    pixel_answers: PixelAnswers
    training: Callable[[], np.ndarray | None]
    validation: Callable[[], Labelled | None]

    @cached_property
    def pixels(self) -> np.ndarray:
        """(n, size_px, size_px, 3) float32 in [0, 255], decoded and resized as when served."""
        side = (self.size_px, self.size_px)
        return np.stack([load_pixels(content, side, exact=True) for content in self.files])

    @cached_property
    def table(self) -> np.ndarray:
        """What the Keras model says of `pixels`."""
        return np.asarray(self.pixel_answers(self.pixels), np.float32)
