"""Random variations of a training picture: crop, flip, brightness, contrast.

NumPy only, so that it needs no graph and the same generator gives the same pixels everywhere.
"""

import math
from dataclasses import dataclass

import numpy as np

from tlkeras.errors import DataError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


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
    ratio = (3 / 4) ** (1 - 2 * stretch) if share < 1 else 1.0
    crop_height = min(height, max(1, round(height * math.sqrt(share * ratio))))
    crop_width = min(width, max(1, round(width * math.sqrt(share / ratio))))
    y = int(top * (height - crop_height + 1))
    x = int(left * (width - crop_width + 1))
    cropped = pixels[y : y + crop_height, x : x + crop_width]
    if how.flip and mirror < 0.5:
        cropped = cropped[:, ::-1]
    light = 1 + (2 * brighter - 1) * how.brightness
    spread = 1 + (2 * sharper - 1) * how.contrast
    if light == 1 and spread == 1:
        return np.ascontiguousarray(cropped)
    return _recolour(cropped, light, spread)


def _recolour(pixels: np.ndarray, light: float, spread: float) -> np.ndarray:
    # A table of 256 answers instead of float arithmetic on every pixel.
    levels = np.arange(256, dtype=np.float32) * np.float32(light)
    grey = float(pixels.reshape(-1, 3).mean(axis=0, dtype=np.float64) @ _LUMA) * light
    table = np.clip(np.rint((levels - grey) * spread + grey), 0, 255).astype(np.uint8)
    return table[pixels]
