"""Resizing as the served graph does it, without TensorFlow.

    uint8 (h, w, 3) ─ rows: bands of weights @ pixels ─▶ (H, w, 3) ─ columns ─▶ float32 (H, W, 3)

The method is `tf.image.resize(method="bilinear", antialias=True)`: a triangle one output pixel
wide to each side, or one input pixel when enlarging; normalised where it sticks out of the
picture. Each output row needs a short stretch of input rows, so a few output rows at a time are
one small matrix product; the columns likewise.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from tlkeras.data.decode import Box

# OpenBLAS hands products above 4 * 65,536 multiplications to its thread pool. Several pictures
# are resized at once, each in its own thread, and would then wait and spin for that one pool.
_ONE_THREAD = 4 * 65_536
_ROWS = 8  # output rows and columns a product: more waste work on zeros, fewer waste calls
_COLUMNS = 4
_AT_ONCE = 1 << 19  # values that are gathered at a time: 2 MB, about a second-level cache
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
    rows = _row_bands(height, size_px[0], top, bottom)
    columns = _column_bands(width, size_px[1], left, right)
    lines = _along_rows(pixels.reshape(height, width * 3), rows)
    resized = _along_columns(lines, columns)
    return resized[: size_px[0], : size_px[1] * 3].reshape(*size_px, 3)


@dataclass(frozen=True, eq=False)
class _Bands:
    """Band b of the outputs is `weights[b]` times the inputs from `starts[b]` on."""

    starts: np.ndarray
    weights: np.ndarray


# Both passes make few, large calls: NumPy gives the interpreter lock away and takes it again in
# each, and threads that do so a hundred times a picture wait for one another more than they work.


def _along_rows(pixels: np.ndarray, bands: _Bands) -> np.ndarray:
    """(outputs, width) of pixels (inputs, width)."""
    number, at_once, length = bands.weights.shape
    width = pixels.shape[1]
    out = np.empty((number, at_once, width), np.float32)
    step = max(1, _ONE_THREAD // (at_once * length))
    for some in _blocks(number, length * width):
        stretches = bands.starts[some, np.newaxis] + np.arange(length)
        inputs = pixels[stretches].astype(np.float32)
        for x in range(0, width, step):
            part = slice(x, x + step)
            np.matmul(bands.weights[some], inputs[:, :, part], out=out[some, :, part])
    return out.reshape(number * at_once, width)


def _along_columns(lines: np.ndarray, bands: _Bands) -> np.ndarray:
    """(height, outputs) of lines (height, inputs)."""
    number, length, at_once = bands.weights.shape
    height = len(lines)
    out = np.empty((height, number, at_once), np.float32)
    step = max(1, _ONE_THREAD // (at_once * length))
    # (first input, height, length): every stretch of the lines, none of them copied yet
    stretches = sliding_window_view(lines, length, axis=1).transpose(1, 0, 2)
    for some in _blocks(number, length * height):
        inputs = stretches[bands.starts[some]]
        for y in range(0, height, step):
            part = slice(y, y + step)
            into = out[part, some].transpose(1, 0, 2)
            np.matmul(inputs[:, part], bands.weights[some], out=into)
    return out.reshape(height, number * at_once)


def _blocks(bands: int, values: int) -> Iterator[slice]:
    """The bands some at a time, so that `values` a band do not become too many."""
    step = max(1, _AT_ONCE // values)
    return (slice(start, start + step) for start in range(0, bands, step))


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
    return _Bands(3 * bands.starts, weights.reshape(number, 3 * length, 3 * at_once))


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
    return _Bands(starts, weights)
