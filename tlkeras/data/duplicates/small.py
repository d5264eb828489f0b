"""Small versions of a picture by which copies are told: 16 x 16 pixels, and 256 bits.

Each small pixel is the mean over its exact share of the picture, whatever the number of pixels
it was read at, so that a file decoded at an eighth of its size gives the same small version.
"""

from functools import lru_cache

import numpy as np
from PIL import Image

from tlkeras.data.decode import Box

SIDE = 16
LEAST_SIDE_PX = 64  # a reduction to this and more leaves the means as they are

_STEP = 2  # levels by which a neighbour must be brighter, so that flat ground gives no noise
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Box-averaged picture uint8 (16, 16, 3) of `pixels` uint8 (h, w, 3)."""
    return small_versions(pixels)[0]


def difference_hash(pixels: np.ndarray) -> np.ndarray:
    """256 bits, packed into uint8 (32,), of `pixels` uint8 (h, w, 3).

    >>> import numpy as np
    >>> ramp = np.repeat(np.arange(0, 170, 10, np.uint8)[None, :, None], 3, axis=2)
    >>> int(np.unpackbits(difference_hash(ramp)).sum())
    256
    """
    return small_versions(pixels)[1]


def small_versions(pixels: np.ndarray, box: Box | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(thumbnail uint8 (16, 16, 3), difference hash uint8 (32,)) of one picture.

    Args:
        pixels: uint8 (h, w, 3), the picture or a reduction of it.
        box: top, left, bottom, right of the picture within `pixels`; all of them where absent.

    >>> import numpy as np
    >>> whole = np.random.default_rng(0).integers(0, 256, (128, 192, 3), dtype=np.uint8)
    >>> halved = np.rint(whole.reshape(64, 2, 96, 2, 3).mean((1, 3))).astype(np.uint8)
    >>> bool(np.allclose(thumbnail(whole), thumbnail(halved), atol=1))
    True
    """
    small, bits, _ = mirrored_versions(pixels, box)
    return small, bits


def mirrored_versions(
    pixels: np.ndarray, box: Box | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `small_versions`, and the difference hash of the picture's mirror image.

    >>> import numpy as np
    >>> picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    >>> bool((mirrored_versions(picture)[2] == difference_hash(picture[:, ::-1])).all())
    True
    """
    top, left, bottom, right = box or (0, 0, *pixels.shape[:2])
    down, across = (max(1, side // LEAST_SIDE_PX) for side in pixels.shape[:2])
    to_rows = _shares((SIDE,), pixels.shape[0], down, (top, bottom))
    to_columns = _shares((SIDE, SIDE + 1), pixels.shape[1], across, (left, right))
    if down * across > 1:
        pixels = np.asarray(Image.fromarray(pixels).reduce((across, down)))
    rows, columns = pixels.shape[:2]
    strips = to_rows @ pixels.reshape(rows, columns * 3).astype(np.float32)
    strips = strips.reshape(SIDE, columns, 3).transpose(0, 2, 1).reshape(SIDE * 3, columns)
    means = np.rint(strips @ to_columns.T).reshape(SIDE, 3, 2 * SIDE + 1).transpose(0, 2, 1)
    grey = np.rint(means[:, SIDE:] @ _GREY)
    bits = np.packbits(np.diff(grey, axis=1) > _STEP)
    mirrored = np.packbits(np.diff(grey[:, ::-1], axis=1) > _STEP)
    return means[:, :SIDE].astype(np.uint8), bits, mirrored


@lru_cache(maxsize=256)
def _shares(counts: tuple[int, ...], side: int, step: int, span: tuple[float, float]) -> np.ndarray:
    """Weights float32 (sum of counts, pixels): what each pixel gives to each of the means.

    A pixel is the mean of `step` of the `side`; the means divide what lies within `span`.
    """
    edges = np.minimum(np.arange(-(-side // step) + 1) * step, side)
    tables = []
    for count in counts:
        bounds = np.linspace(*span, count + 1)
        ends = np.minimum(bounds[1:, None], edges[1:])
        overlap = np.maximum(ends - np.maximum(bounds[:-1, None], edges[:-1]), 0)
        tables.append(overlap * (count / (span[1] - span[0])))
    return np.concatenate(tables).astype(np.float32)
