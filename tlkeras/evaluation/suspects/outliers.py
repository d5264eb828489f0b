"""Rows that are far from every other: pictures that may not belong to the set at all."""

from collections.abc import Hashable, Sequence

import numpy as np

from tlkeras.evaluation.suspects.nearest import nearest

NEIGHBOURS = 5
FAR = 3.0  # robust deviations beyond the usual distance
FEWEST_ROWS = 20


def how_far(vectors: np.ndarray, groups: Sequence[Hashable] | None = None) -> np.ndarray:
    """How unusual (n,) float32 each row's distance to its five nearest is, in deviations.

    The distance is one minus the cosine. The usual one is the median, and a deviation is 1.4826
    times the median of the distances from it, so that outliers do not hide one another.

    Args:
        vectors: (n, d) float32 embeddings.
        groups: (n,) rows with the same value, such as copies, are not asked; see `nearest`.

    >>> rng = np.random.default_rng(0)
    >>> vectors = np.array([4.0, 0.0, 0.0]) + rng.normal(size=(50, 3)) / 2
    >>> vectors[9] = [0, 1, -4]
    >>> int(how_far(vectors.astype("float32")).argmax())
    9
    """
    _, likeness = nearest(vectors, NEIGHBOURS, groups)
    known = np.isfinite(likeness)
    counts = np.maximum(known.sum(axis=1), 1)
    distance = 1 - np.where(known, likeness, 0).sum(axis=1) / counts
    distance[~known.any(axis=1)] = np.nan  # of one group only
    usual = np.nanmedian(distance) if known.any() else 0.0
    spread = 1.4826 * np.nanmedian(np.abs(distance - usual)) if known.any() else 0.0
    return np.nan_to_num((distance - usual) / max(spread, 1e-6)).astype(np.float32)


def outliers(far: np.ndarray) -> np.ndarray:
    """Rows int64 (k,) of the outliers among `far` (n,) of `how_far`, the farthest first.

    >>> outliers(np.array([0.5, 9.0, -1.0, 4.0, *[0.0] * 20])).tolist()
    [1, 3]
    """
    if len(far) < FEWEST_ROWS:
        return np.empty(0, np.int64)
    order = np.argsort(-far, kind="stable")
    return order[: int((far > FAR).sum())]
