"""The cluster of each picture: equal files and near copies share a number."""

from collections.abc import Sequence

import numpy as np

from tlkeras.data.duplicates.near import Thumbnails, near_pairs
from tlkeras.data.duplicates.partition import components, numbered

_ROWS_AT_ONCE = 1 << 14


def clusters(
    sha256: Sequence[str] | np.ndarray, dhashes: np.ndarray, thumbnails: Thumbnails
) -> np.ndarray:
    """Cluster of each picture, int64 (n,): equal files and near copies share a number.

    Args:
        sha256: hash of each file, n texts or uint8 (n, 32).
        dhashes: uint8 (n, 32), from `difference_hash`.
        thumbnails: uint8 (n, 16, 16, 3), from `thumbnail`; read some rows at a time.

    >>> import numpy as np
    >>> from tlkeras.data.duplicates import difference_hash, thumbnail
    >>> flat = [np.full((9, 9, 3), level, np.uint8) for level in (10, 12, 90)]
    >>> bits = np.stack([difference_hash(picture) for picture in flat])
    >>> clusters(["a", "b", "c"], bits, np.stack([thumbnail(picture) for picture in flat])).tolist()
    [0, 0, 1]
    """
    first, same = unique_contents(sha256)
    left, right = near_pairs(dhashes, thumbnails, first)
    return numbered(components(len(first), left, right)[same])


def unique_contents(sha256: Sequence[str] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(first picture of each content, int64 (m,); the content of each picture, int64 (n,)).

    Contents are in the order of their hashes. (Of a hash's 32 bytes 8 decide over the order; two
    files with those alike and others between them would need billions of pictures.)

    >>> first, same = unique_contents(["b", "a", "b"])
    >>> first.tolist(), same.tolist()
    ([1, 0], [1, 0, 1])
    """
    if not len(sha256):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    if not isinstance(sha256, np.ndarray):
        _, first, same = np.unique(np.array(sha256), return_index=True, return_inverse=True)
        return first, same
    order = np.argsort(np.ascontiguousarray(sha256[:, :8]).view(">u8").ravel(), kind="stable")
    new = np.ones(len(order), bool)
    for start in range(1, len(order), _ROWS_AT_ONCE):
        here = slice(start, start + _ROWS_AT_ONCE)
        before = order[start - 1 : start - 1 + len(order[here])]
        new[here] = (sha256[order[here]] != sha256[before]).any(axis=1)
    same = np.empty(len(order), np.int64)
    same[order] = np.cumsum(new) - 1
    return order[new], same
