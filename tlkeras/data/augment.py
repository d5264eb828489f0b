"""Random variations of a training picture: crop, flip, brightness, contrast.

NumPy only, so that it needs no graph and the same generator gives the same pixels everywhere.
"""

import math
from dataclasses import dataclass

import numpy as np

from tlkeras.errors import DataError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_LEAST_RATIO = 3 / 4  # of the sides of a crop, relative to the picture's own


@dataclass(frozen=True)
class Augmentation:
    """How far a picture may be varied.

    `crop` is the share of the area that is kept, (1, 1) for all of it; `flip` mirrors half of
    the pictures; `brightness` and `contrast` b change the factor within [1 - b, 1 + b].

    >>> Augmentation(flip=False)
    Augmentation(crop=(0.6, 1.0), flip=False, brightness=0.2, contrast=0.2)
    """

    crop: tuple[float, float] = (0.6, 1.0)
    flip: bool = True
    brightness: float = 0.2
    contrast: float = 0.2

    def __post_init__(self) -> None:
        object.__setattr__(self, "crop", tuple(self.crop))
        if len(self.crop) != 2 or not 0 < self.crop[0] <= self.crop[1] <= 1:
            raise DataError(
                "Expected crop=(least, most) as shares of the area with 0 < least <= most <= 1, "
                f"got {self.crop}: use (1.0, 1.0) for no cropping."
            )
        for name in ("brightness", "contrast"):
            amount = getattr(self, name)
            if not 0 <= amount < 1:
                raise DataError(
                    f"Expected {name} in [0, 1), got {amount}: 0 leaves the picture as it is."
                )

    @property
    def least_side(self) -> float:
        """Smallest share of the height, or of the width, that a crop may keep."""
        return math.sqrt(self.crop[0] * _LEAST_RATIO) if self.crop[0] < 1 else 1.0


def augment(pixels: np.ndarray, how: Augmentation, rng: np.random.Generator) -> np.ndarray:
    """A varied copy, uint8 (h', w', 3), of `pixels` uint8 (h, w, 3).

    The crop keeps the aspect ratio of the picture within 3:4 and 4:3 of what it was.

    >>> import numpy as np
    >>> picture = np.zeros((40, 60, 3), np.uint8)
    >>> varied = augment(picture, Augmentation(crop=(0.5, 0.5)), np.random.default_rng(0))
    >>> varied.dtype, 0.4 < varied.shape[0] * varied.shape[1] / (40 * 60) < 0.6
    (dtype('uint8'), True)
    """
    # Every number is drawn whatever the knobs are, so that one knob does not shift the others.
    area, stretch, top, left, mirror, brighter, sharper = rng.random(7)
    height, width = pixels.shape[:2]
    share = how.crop[0] + area * (how.crop[1] - how.crop[0])
    ratio = _LEAST_RATIO ** (1 - 2 * stretch) if share < 1 else 1.0
    crop_height = min(height, max(1, round(height * math.sqrt(share * ratio))))
    crop_width = min(width, max(1, round(width * math.sqrt(share / ratio))))
    y = int(top * (height - crop_height + 1))
    x = int(left * (width - crop_width + 1))
    varied = np.ascontiguousarray(pixels[y : y + crop_height, x : x + crop_width])
    light = 1 + (2 * brighter - 1) * how.brightness
    spread = 1 + (2 * sharper - 1) * how.contrast
    if light != 1 or spread != 1:
        varied = _recoloured(varied, light, spread)
    return _mirrored(varied) if how.flip and mirror < 0.5 else varied


def _recoloured(pixels: np.ndarray, light: float, spread: float) -> np.ndarray:
    # A table of 256 answers instead of float arithmetic on every pixel, and bytes.translate,
    # which looks them up several times quicker than NumPy's indexing.
    levels = np.arange(256, dtype=np.float32) * np.float32(light)
    grey = float(_mean(pixels) @ _LUMA) * light
    table = np.clip(np.rint((levels - grey) * spread + grey), 0, 255).astype(np.uint8)
    looked_up = bytearray(pixels).translate(table.tobytes())
    return np.frombuffer(looked_up, np.uint8).reshape(pixels.shape)


def _mean(pixels: np.ndarray) -> np.ndarray:
    # Down the rows first: NumPy is thirty times slower at a mean over all but a last axis of 3.
    columns = pixels.reshape(len(pixels), -1).sum(axis=0, dtype=np.uint64).reshape(-1, 3)
    return columns.sum(axis=0) / (pixels.size // 3)


def _mirrored(pixels: np.ndarray) -> np.ndarray:
    mirrored = np.empty_like(pixels)
    for channel in range(3):  # a third of the time of reversing triples of bytes
        mirrored[..., channel] = pixels[:, ::-1, channel]
    return mirrored
