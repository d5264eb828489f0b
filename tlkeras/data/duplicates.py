"""Which pictures show the same thing: equal files, and near copies of one another.

A near copy (another size, another JPEG quality, a little brighter) is told by small versions of
the two pictures. All of these must hold:

- thumbnail 16 x 16 RGB: at most 4 grey levels apart on average, and 32 anywhere;
- the same once each has lost its mean: at most a fifth of the picture's own contrast (or one
  level) apart, root mean square, so that pale or dark pictures are not all alike;
- difference hash (N. Krawetz, "Kind of Like That", 2013): of 256 bits "the right neighbour is
  brighter", at most 24 differ. Real copies differ in up to 20, strangers in about 80.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from PIL import Image

MAX_BITS = 24
MAX_MEAN_LEVELS = 4.0
MAX_LEVELS = 32
MAX_OF_CONTRAST = 0.2

_SIDE = 16
_STEP = 2  # levels by which a neighbour must be brighter, so that flat ground gives no noise
_CHUNK_BYTES = 1 << 26


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """Box-averaged picture uint8 (16, 16, 3) of `pixels` uint8 (h, w, 3)."""
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small)


def difference_hash(pixels: np.ndarray) -> np.ndarray:
    """256 bits, packed into uint8 (32,), of `pixels` uint8 (h, w, 3).

    >>> import numpy as np
    >>> ramp = np.repeat(np.arange(0, 170, 10, np.uint8)[None, :, None], 3, axis=2)
    >>> int(np.unpackbits(difference_hash(ramp)).sum())
    256
    """
    small = Image.fromarray(pixels).resize((_SIDE + 1, _SIDE), Image.Resampling.BOX)
    grey = np.asarray(small.convert("L")).astype(np.int16)
    return np.packbits(np.diff(grey, axis=1) > _STEP)


def clusters(sha256: Sequence[str], dhashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    """Cluster of each picture, int64 (n,): equal files and near copies share a number.

    Args:
        sha256: hash of each file, n of them.
        dhashes: uint8 (n, 32), from `difference_hash`.
        thumbnails: uint8 (n, 16, 16, 3), from `thumbnail`.

    >>> import numpy as np
    >>> flat = [np.full((9, 9, 3), level, np.uint8) for level in (10, 12, 90)]
    >>> bits = np.stack([difference_hash(picture) for picture in flat])
    >>> clusters(["a", "b", "c"], bits, np.stack([thumbnail(picture) for picture in flat])).tolist()
    [0, 0, 1]
    """
    if not sha256:
        return np.zeros(0, dtype=np.int64)
    _, first, same = np.unique(np.array(sha256), return_index=True, return_inverse=True)
    near = _near_clusters(dhashes[first], thumbnails[first])
    return _numbered(near[same])


def joined(*partitions: Sequence[Hashable]) -> np.ndarray:
    """Finest grouping, int64 (n,), in which pictures together in any partition stay together.

    >>> joined([0, 1, 1, 2], ["x", "x", "y", "z"]).tolist()
    [0, 0, 0, 1]
    """
    parents = list(range(len(partitions[0])))
    for partition in partitions:
        leader: dict[Hashable, int] = {}
        for index, group in enumerate(partition):
            _join(parents, leader.setdefault(group, index), index)
    return _numbered(np.array([_root(parents, index) for index in range(len(parents))], np.int64))


def _near_clusters(dhashes: np.ndarray, thumbnails: np.ndarray) -> np.ndarray:
    count = len(dhashes)
    # Bits as +1 and -1: their product is 256 minus twice the number of bits that differ.
    signs = np.unpackbits(dhashes, axis=1).astype(np.float32) * 2 - 1
    bits = signs.shape[1]
    flat = thumbnails.reshape(count, -1).astype(np.int16)
    parents = list(range(count))
    rows = max(1, _CHUNK_BYTES // (4 * count))
    for start in range(0, count, rows):
        agree = signs[start : start + rows] @ signs[start:].T
        left, right = np.nonzero(agree >= bits - 2 * MAX_BITS)
        later = right > left
        left, right = left[later] + start, right[later] + start
        for begin, end in _runs(left):
            _join_near(parents, int(left[begin]), right[begin:end], flat)
    return np.array([_root(parents, index) for index in range(count)], dtype=np.int64)


def _join_near(parents: list[int], one: int, others: np.ndarray, flat: np.ndarray) -> None:
    apart = np.abs(flat[others] - flat[one])
    near = (apart.mean(axis=1) <= MAX_MEAN_LEVELS) & (apart.max(axis=1) <= MAX_LEVELS)
    others = others[near]
    residual = (flat[others] - flat[one]).std(axis=1)
    for other in others[residual <= max(1.0, MAX_OF_CONTRAST * float(flat[one].std()))]:
        _join(parents, one, int(other))


def _runs(values: np.ndarray) -> list[tuple[int, int]]:
    """(begin, end) of each run of equal values in a sorted array."""
    if len(values) == 0:
        return []
    edges = np.flatnonzero(np.diff(values)) + 1
    begins = [0, *edges.tolist()]
    return list(zip(begins, [*edges.tolist(), len(values)], strict=True))


def _root(parents: list[int], index: int) -> int:
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def _join(parents: list[int], one: int, other: int) -> None:
    one, other = _root(parents, one), _root(parents, other)
    parents[max(one, other)] = min(one, other)


def _numbered(groups: np.ndarray) -> np.ndarray:
    """The same grouping, numbered 0, 1, … by first appearance."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]
