"""Resizing as the served graph does it, without TensorFlow.

    uint8 (h, w, 3) ─ rows: bands of weights @ pixels ─▶ (H, w, 3) ─ columns ─▶ float32 (H, W, 3)

The method is `tf.image.resize(method="bilinear", antialias=True)`: a triangle one output pixel
wide to each side, or one input pixel when enlarging; normalised where it sticks out of the
picture. Each output row needs a short stretch of input rows, so a few output rows at a time are
one small matrix product; the columns likewise.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tlkeras.data.decode import Box

# OpenBLAS hands products above 4 * 65,536 multiplications to its thread pool. Several pictures
# are resized at once, each in its own thread, and would then wait and spin for that one pool.
_ONE_THREAD = 4 * 65_536
_ROWS = 8  # output rows and columns a product: more waste work on zeros, fewer waste calls
_COLUMNS = 4
_KEPT_PX = 8192  # longer sides have megabytes of weights each, too many to keep of odd pictures
_HALF = np.float32(0.5)


def resize(pixels: np.ndarray, size_px: tuple[int, int], box: Box | None = None) -> np.ndarray:
    """Picture float32 (height, width, 3) of `pixels` (h, w, 3), not rounded.

    Args:
        pixels: uint8 or float (h, w, 3).
        size_px: height and width that come out.
        box: the part of the picture that is stretched to that size, (top, left, bottom, right);
            borders may fall within a pixel. None: all of it.

    Equal to `tf.image.resize(pixels, size_px, method="bilinear", antialias=True)` but for float
    rounding. Uses one processor core, and is safe in threads.

    >>> import numpy as np
    >>> resize(np.array([[[0, 0, 0], [200, 100, 0]]], "uint8"), (1, 4))[0, :, 0].tolist()
    [0.0, 50.0, 150.0, 200.0]
    """
    height, width, _ = pixels.shape
    if (height, width) == tuple(size_px) and box in (None, (0, 0, height, width)):
        return pixels.astype(np.float32)
    top, left, bottom, right = box or (0.0, 0.0, float(height), float(width))
    make_rows = _row_bands if height <= _KEPT_PX else _row_bands.__wrapped__
    make_columns = _column_bands if width <= _KEPT_PX else _column_bands.__wrapped__
    rows = make_rows(height, size_px[0], top, bottom)
    columns = make_columns(width, size_px[1], left, right)
    lines = np.empty((size_px[0], width * 3), np.float32)
    _along_rows(pixels.reshape(height, width * 3), rows, lines)
    resized = np.empty((size_px[0], size_px[1] * 3), np.float32)
    _along_columns(lines, columns, resized)
    return resized.reshape(*size_px, 3)


@dataclass(frozen=True, eq=False)
class _Bands:
    """Band b of the outputs is `weights[b]` times the inputs from `starts[b]` on."""

    starts: list[int]
    weights: np.ndarray


def _along_rows(pixels: np.ndarray, bands: _Bands, out: np.ndarray) -> None:
    _, at_once, length = bands.weights.shape
    step = max(1, _ONE_THREAD // (at_once * length))
    for band, start in enumerate(bands.starts):
        lines = out[band * at_once : (band + 1) * at_once]
        weights = bands.weights[band, : len(lines)]
        stretch = pixels[start : start + length].astype(np.float32)
        for x in range(0, out.shape[1], step):
            np.matmul(weights, stretch[:, x : x + step], out=lines[:, x : x + step])


def _along_columns(lines: np.ndarray, bands: _Bands, out: np.ndarray) -> None:
    _, length, at_once = bands.weights.shape
    step = max(1, _ONE_THREAD // (at_once * length))
    for band, start in enumerate(bands.starts):
        columns = out[:, band * at_once : (band + 1) * at_once]
        weights = bands.weights[band, :, : columns.shape[1]]
        stretch = lines[:, start : start + length]
        for y in range(0, len(out), step):
            np.matmul(stretch[y : y + step], weights, out=columns[y : y + step])


@lru_cache(maxsize=64)
def _row_bands(size: int, wanted: int, begin: float, end: float) -> _Bands:
    """Weights (bands, outputs, inputs)."""
    return _triangles(size, wanted, (begin, end), _ROWS)


@lru_cache(maxsize=64)
def _column_bands(size: int, wanted: int, begin: float, end: float) -> _Bands:
    """Weights (bands, 3 inputs, 3 outputs), for three channels that lie beside one another."""
    bands = _triangles(size, wanted, (begin, end), _COLUMNS)
    number, at_once, length = bands.weights.shape
    weights = np.zeros((number, length, 3, at_once, 3), np.float32)
    for channel in range(3):
        weights[:, :, channel, :, channel] = bands.weights.transpose(0, 2, 1)
    return _Bands(
        [3 * start for start in bands.starts], weights.reshape(number, 3 * length, 3 * at_once)
    )


def _triangles(size: int, wanted: int, part: tuple[float, float], at_once: int) -> _Bands:
    # In float32 and in this order, as TensorFlow's kernel does: far from the first pixel the
    # rounding of a position is worth more than that of all products.
    begin, end = np.float32(part[0]), np.float32(part[1])
    scale = np.float32(1) / (np.float32(wanted) / (end - begin))
    spread = max(scale, np.float32(1))
    bands = -(-wanted // at_once)
    # The last band may be wider than what is left: it repeats the last output, and is cut.
    outputs = np.minimum(np.arange(bands * at_once), wanted - 1).astype(np.float32)
    centres = (begin + (outputs + _HALF) * scale).reshape(bands, at_once)
    first = np.floor(centres[:, 0] - spread - _HALF).astype(int)
    stop = np.ceil(centres[:, -1] + spread + _HALF).astype(int)
    length = min(size, int((stop - first).max()))
    starts = np.clip(first, 0, size - length)
    places = starts[:, np.newaxis] + np.arange(length) + _HALF
    distance = np.abs(places[:, np.newaxis].astype(np.float32) - centres[:, :, np.newaxis])
    weights = np.maximum(np.float32(0), 1 - distance * (np.float32(1) / spread))
    weights /= weights.sum(axis=2, keepdims=True)
    return _Bands(starts.tolist(), weights)
