"""How one picture looks: few numbers that tell blank, dark, overexposed and blurred ones.

All are of the grey picture with its shorter side reduced to 160 px, near to what a network sees,
so that they mean the same for a small picture and for a photograph of 50 megapixels.
"""

import numpy as np
from PIL import Image

from tlkeras.data.decode import Source, decode_source
from tlkeras.data.duplicates.small import mirrored_versions

SIDE_PX = 160

LOOK = np.dtype(
    [
        ("darkest", "u1"),
        ("dark", "u1"),
        ("light", "u1"),
        ("lightest", "u1"),
        ("steepest", "u1"),
        ("side_px", "u1"),
        ("white", "<f4"),
        ("one_tone", "<f4"),
    ]
)
LOOK_RECORD = np.dtype(
    [("look", LOOK), ("dhash", "u1", 32), ("mirrored", "u1", 32), ("thumbnail", "u1", (16, 16, 3))]
)

_WHITE = 250
_TONE = 9  # neighbouring grey levels that count as one tone
_STEEPEST = 0.999  # of the steps between neighbouring pixels: an edge or two is enough


def look_at(source: Source, record: np.void) -> None:
    """Fill `record`, one of `LOOK_RECORD`, with what is measured on the source.

    look: the grey levels that 1, 5, 95 and 99 % of the pixels do not exceed; the step between
    neighbouring pixels that one in a thousand exceeds; the shorter side, at most SIDE_PX; the
    shares of white pixels and of the commonest tone. dhash, mirrored and thumbnail: what tells
    copies, as in the scan, and the hash of the mirrored picture.

    >>> record = np.zeros(1, LOOK_RECORD)
    >>> look_at(np.full((9, 7, 3), 31, np.uint8), record[0])
    >>> record["look"]["light"].tolist(), record["look"]["one_tone"].tolist()
    ([31], [1.0])
    """
    decoded = decode_source(source, (SIDE_PX, SIDE_PX))
    record["look"] = look(decoded.pixels)
    small = mirrored_versions(decoded.pixels, decoded.box)
    record["thumbnail"], record["dhash"], record["mirrored"] = small


def look(pixels: np.ndarray) -> np.ndarray:
    """What is measured on `pixels` uint8 (h, w, 3): () of `LOOK`.

    >>> stripes = np.repeat(np.array([[0, 0, 200, 200]], np.uint8)[..., None], 3, axis=2)
    >>> measured = look(np.repeat(stripes, 5, axis=0))
    >>> int(measured["lightest"]), int(measured["steepest"]), float(measured["one_tone"])
    (200, 200, 0.5)
    """
    image = Image.fromarray(pixels).convert("L")
    factor = SIDE_PX / min(image.size)
    if factor < 1:
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BILINEAR)
    grey = np.asarray(image)
    number = np.bincount(grey.ravel(), minlength=256)
    levels = np.searchsorted(np.cumsum(number), np.array([0.01, 0.05, 0.95, 0.99]) * grey.size)
    darkest, dark, light, lightest = levels.tolist()
    white = number[_WHITE:].sum() / grey.size
    one_tone = np.convolve(number, np.ones(_TONE, np.int64)).max() / grey.size
    side = min(grey.shape)
    return np.array((darkest, dark, light, lightest, _steepest(grey), side, white, one_tone), LOOK)


def _steepest(grey: np.ndarray) -> int:
    """Levels between neighbours, down or across, that one step in a thousand exceeds."""
    wide = grey.astype(np.int16)
    number = np.zeros(256, np.int64)
    for axis in (0, 1):
        number += np.bincount(np.abs(np.diff(wide, axis=axis)).ravel(), minlength=256)
    return int(np.searchsorted(np.cumsum(number), _STEEPEST * number.sum()))
