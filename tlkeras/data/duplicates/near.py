"""Near copies among many pictures, without comparing each with each.

A near copy (another size, another JPEG quality, a little brighter) is told by small versions of
the two pictures. All of these must hold:

- thumbnail 16 x 16 RGB: at most 4 grey levels apart on average, and 32 anywhere;
- the same once each has lost its mean: at most a fifth of the picture's own contrast (or one
  level) apart, root mean square, so that pale or dark pictures are not all alike;
- difference hash (N. Krawetz, "Kind of Like That", 2013): of 256 bits "the right neighbour is
  brighter", at most 24 differ. Real copies differ in up to 20, strangers in about 80.

The first two bound how far apart any weighted mean over the thumbnails can be. So the pictures
are cut in two at the middle of such a mean, again and again, each picture within reach of the cut
going to both sides, until few are left: only those are compared, and no pair is lost.
"""

from collections.abc import Iterator
from functools import lru_cache
from typing import Protocol

import numpy as np

from tlkeras.data.duplicates.partition import components
from tlkeras.data.duplicates.small import SIDE

MAX_BITS = 24
MAX_MEAN_LEVELS = 4.0
MAX_LEVELS = 32
MAX_OF_CONTRAST = 0.2

_FEW = 256  # pictures that are compared each with each
_SEEN = 2048  # pictures of a crowd that decide where it is cut
_LARGEST_SIDE = 0.8  # a cut that leaves more than this on one side is not worth it
_CHUNK_BYTES = 1 << 24
_ROWS_AT_ONCE = 512  # thumbnails as float32: 1.5 MB
_PAIRS_AT_ONCE = 2048
_MANY = 4  # candidates a picture from which a coarser comparison first is worth it
_ROUNDING = np.float32(0.13)  # of two means below 256 as float16
_STEEP = 5.0  # contrast from which its logarithm is compared
_GREY_PATTERNS = ((0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (0, 3), (3, 0))


class Thumbnails(Protocol):
    """uint8 (n, 16, 16, 3), in memory or on disk."""

    def __getitem__(self, rows: np.ndarray, /) -> np.ndarray:
        """The thumbnails uint8 (k, 16, 16, 3) of `rows` int (k,)."""


def near_pairs(
    dhashes: np.ndarray, thumbnails: Thumbnails, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Two int64 (pairs,): positions in `rows` that hold near copies, enough to connect them all.

    Args:
        dhashes: uint8 (n, 32).
        thumbnails: uint8 (n, 16, 16, 3).
        rows: int64 (m,), the pictures to compare.
    """
    pairs: list[np.ndarray] = [np.zeros((0, 2), np.int64)]
    if len(rows) <= _FEW:
        pairs.append(_compared(dhashes, thumbnails, rows, np.arange(len(rows))))
    else:
        means, contrast = _means(thumbnails, rows)
        for some in _neighbourhoods(means, contrast):
            pairs.append(_compared(dhashes, thumbnails, rows, some))
    left, right = np.concatenate(pairs).T
    return left, right


def _compared(
    dhashes: np.ndarray, thumbnails: Thumbnails, rows: np.ndarray, some: np.ndarray
) -> np.ndarray:
    """Pairs int64 (k, 2) that connect the near copies among `some`, positions in `rows`."""
    count = len(some)
    # Bits as +1 and -1: their product is 256 minus twice the number of bits that differ.
    signs = np.unpackbits(dhashes[rows[some]], axis=1).astype(np.float32) * 2 - 1
    alike = signs.shape[1] - 2 * MAX_BITS
    found = [np.zeros((0, 2), np.int64)]
    together = np.arange(count)
    outlines: _Outlines | None = None
    chunk = max(1, min(_FEW, _CHUNK_BYTES // (4 * max(count, 1))))
    for start in range(0, count, chunk):
        stop = start + chunk
        agree = signs[start:stop] @ signs[start:].T
        np.fill_diagonal(agree, 0)
        if agree.max() < alike:
            continue
        candidates = agree >= alike
        # Of many frames that are all alike, most pairs are connected already.
        candidates &= together[start:stop, None] != together[start:]
        if np.count_nonzero(candidates) > _MANY * len(candidates):
            outlines = outlines or _Outlines(thumbnails, rows[some])
            candidates &= outlines.near(start, stop)
        left, right = np.nonzero(candidates)
        later = right > left
        left, right = left[later] + start, right[later] + start
        for begin in range(0, len(left), _PAIRS_AT_ONCE):
            one, other = left[begin : begin + _PAIRS_AT_ONCE], right[begin : begin + _PAIRS_AT_ONCE]
            apart = together[one] != together[other]
            one, other = one[apart], other[apart]
            near = _near(thumbnails, rows[some[one]], rows[some[other]])
            if near.any():
                found.append(np.stack([one[near], other[near]], axis=1))
                together = components(count, *np.concatenate(found).T)
    # A picture and the first of its cluster are as good as all the pairs.
    followers = np.flatnonzero(together != np.arange(count))
    return np.stack([some[together[followers]], some[followers]], axis=1)


class _Outlines:
    """Grey means of 8 x 8 fields, less the picture's own mean: they tell most pale pictures apart.

    The root mean square between two of them is never more than that between the thumbnails
    without their means.
    """

    def __init__(self, thumbnails: Thumbnails, rows: np.ndarray) -> None:
        half = SIDE // 2
        self._fields = np.empty((len(rows), half * half), np.float32)
        self._limits = np.empty(len(rows), np.float32)
        for start, flat in _read(thumbnails, rows):
            fields = flat.reshape(-1, half, 2, half, 2, 3).mean(axis=(2, 4, 5))
            fields = fields.reshape(len(flat), -1)
            self._fields[start : start + len(flat)] = fields - fields.mean(axis=1, keepdims=True)
            self._limits[start : start + len(flat)] = np.maximum(
                1.0, MAX_OF_CONTRAST * flat.std(axis=1)
            )
        self._squares = np.square(self._fields).sum(axis=1)

    def near(self, start: int, stop: int) -> np.ndarray:
        """Whether rows start to stop may be near copies of each from `start`: bool (k, m)."""
        products = self._fields[start:stop] @ self._fields[start:].T
        apart = self._squares[start:stop, None] + self._squares[start:] - 2 * products
        limits = np.square(self._limits[start:stop, None]) * self._fields.shape[1]
        return apart <= limits * 1.001 + 0.1  # for rounding


def _near(thumbnails: Thumbnails, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each pair of rows is a near copy by its thumbnails, bool (k,)."""
    if not len(ones):
        return np.zeros(0, bool)
    needed, where = np.unique(np.concatenate([ones, others]), return_inverse=True)
    flat = thumbnails[needed].reshape(len(needed), -1).astype(np.int16)
    one, other = flat[where[: len(ones)]], flat[where[len(ones) :]]
    apart = np.abs(other - one)
    near = (apart.mean(axis=1) <= MAX_MEAN_LEVELS) & (apart.max(axis=1) <= MAX_LEVELS)
    rows = np.flatnonzero(near)
    residual = (other[rows] - one[rows]).std(axis=1)
    near[rows] = residual <= np.maximum(1.0, MAX_OF_CONTRAST * one[rows].std(axis=1))
    return near


def _read(thumbnails: Thumbnails, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(start, thumbnails float32 (k, 768) of rows[start : start + k]), some at a time."""
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        some = rows[start : start + _ROWS_AT_ONCE]
        order = np.argsort(some)  # a file is read from front to back
        flat = np.empty((len(some), 3 * SIDE * SIDE), np.float32)
        flat[order] = thumbnails[some[order]].reshape(len(some), -1)
        yield start, flat


def _neighbourhoods(means: np.ndarray, contrast: np.ndarray) -> Iterator[np.ndarray]:
    """Positions int64 (k,), ascending: every near pair is together in at least one of them."""
    waiting = [np.arange(len(means), dtype=np.int32)]
    while waiting:
        some = waiting.pop()
        sides = _cut(means, contrast, some) if len(some) > _FEW else []
        if sides:
            waiting += sides
        elif len(some) > 1:
            yield some


def _cut(means: np.ndarray, contrast: np.ndarray, some: np.ndarray) -> list[np.ndarray]:
    """The two sides of the best cut, or nothing where none separates the pictures."""
    within = _within(float(contrast[some].max()))
    seen = means[some[:: -(-len(some) // _SEEN)]].astype(np.float32)
    best = int(np.argmax(seen.std(axis=0) / within))
    values = means[some, best].astype(np.float32)
    middle = np.partition(values, len(values) // 2)[len(values) // 2]
    # A pair on both sides of the middle has both members in `below`: one overlap is enough.
    below, above = values <= middle + within[best], values > middle
    return [] if below.mean() > _LARGEST_SIDE else [some[below], some[above]]


def _within(contrast: float) -> np.ndarray:
    """How far apart, float32 (k,), the means of a pair of at most this contrast can be.

    No mean with weights in [-1, 1] moves more than the levels do on average. One whose weights
    sum to zero does not see the levels' mean, so it moves no more than the root mean square of
    its weights times that of the residual (Cauchy and Schwarz).
    """
    residual = max(1.0, MAX_OF_CONTRAST * contrast)
    weights = _weights()
    spread = np.sqrt(np.square(weights[:, 1:]).mean(axis=0))
    steep = -_STEEP * np.log(1 - MAX_OF_CONTRAST)
    bounds = [max(1.0, steep), MAX_MEAN_LEVELS, *np.minimum(MAX_MEAN_LEVELS, residual * spread)]
    return np.array(bounds, np.float32) + _ROUNDING


def _means(thumbnails: Thumbnails, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(float16 (m, k) to cut by: contrast and weighted means; float32 (m,): the contrast)."""
    weights = _weights()
    means = np.empty((len(rows), 1 + weights.shape[1]), np.float16)
    contrast = np.empty(len(rows), np.float32)
    for start, flat in _read(thumbnails, rows):
        means[start : start + len(flat), 1:] = flat @ weights / weights.shape[0]
        contrast[start : start + len(flat)] = flat.std(axis=1)
    # A near copy's contrast is within a fifth: the same distance everywhere on this scale.
    steep = np.maximum(contrast, _STEEP)
    means[:, 0] = np.minimum(contrast, _STEEP) + _STEEP * np.log(steep / _STEEP)
    return means, contrast


@lru_cache(maxsize=1)
def _weights() -> np.ndarray:
    """Weights float32 (768, k) in [-1, 1]: brightness first, then some that sum to zero.

    Walsh patterns: halves and quarters of the picture against one another, and two colours.
    """
    walsh = np.repeat([[1, 1, 1, 1], [1, 1, -1, -1], [1, -1, -1, 1], [1, -1, 1, -1]], SIDE // 4, 1)
    grey, warm, green = (1.0, 1.0, 1.0), (1.0, 0.0, -1.0), (-0.5, 1.0, -0.5)
    chosen = [(down, across, grey) for down, across in _GREY_PATTERNS]
    chosen += [(0, 0, warm), (0, 0, green), (0, 1, warm), (1, 0, warm)]
    tables = [
        np.einsum("h,w,c->hwc", walsh[down], walsh[across], colour).ravel()
        for down, across, colour in chosen
    ]
    return np.stack(tables, axis=1).astype(np.float32)
