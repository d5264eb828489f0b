"""The rows most like each row, by cosine."""

from collections.abc import Hashable, Sequence

import numpy as np

from tlkeras.data.duplicates import codes
from tlkeras.features.table import lengths_of

MOST_ASKED = 20_000  # rows of a larger table, evenly spread, among which the nearest are looked for
_BLOCK_BYTES = 2**25


def nearest(
    vectors: np.ndarray, k: int, groups: Sequence[Hashable] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Rows (n, k) int64 most like each row, and how like (n, k) float32, the likest first.

    Likeness is the cosine of two embeddings, from -1 to 1. Where there are fewer than k others,
    the row is -1 and the likeness -inf.

    Args:
        vectors: (n, d) float32 embeddings.
        k: how many rows for each.
        groups: (n,) rows with the same value are no neighbours; every row its own when None.

    >>> rows, likeness = nearest(np.array([[1, 0], [2, 0], [0, 3]], "float32"), k=1)
    >>> rows.ravel().tolist(), likeness.ravel().tolist()
    ([1, 0, 0], [1.0, 1.0, 0.0])
    """
    n = len(vectors)
    group_of = np.arange(n) if groups is None else codes(list(groups))
    lengths = lengths_of(vectors)
    asked = np.unique(np.linspace(0, n - 1, min(n, MOST_ASKED)).astype(np.int64))
    others = vectors[asked] / lengths[asked, None]
    found = np.full((n, k), -1, np.int64)
    how_like = np.full((n, k), -np.inf, np.float32)
    taken = min(k, len(asked))
    step = max(1, _BLOCK_BYTES // (4 * len(asked)))
    for start in range(0, n, step):
        some = slice(start, min(start + step, n))
        likeness = (vectors[some] / lengths[some, None]) @ others.T
        likeness[group_of[some, None] == group_of[asked]] = -np.inf
        best = np.argpartition(-likeness, taken - 1, axis=1)[:, :taken]
        values = np.take_along_axis(likeness, best, axis=1)
        order = np.argsort(-values, axis=1, kind="stable")
        how_like[some, :taken] = np.take_along_axis(values, order, axis=1)
        found[some, :taken] = asked[np.take_along_axis(best, order, axis=1)]
    found[np.isneginf(how_like)] = -1
    return found, how_like
