"""The share of pictures whose nearest neighbours have their label: no training at all."""

from collections.abc import Hashable, Sequence

import numpy as np

from tlkeras.data.duplicates import codes
from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.features.table import lengths_of

NEIGHBOURS = 5
MOST_JUDGED = 4096  # rows of a larger table, evenly spread; all rows may be their neighbours
_BLOCK_BYTES = 2**25


def neighbour_accuracy(
    features: Features,
    classes: int,
    *,
    k: int = NEIGHBOURS,
    groups: Sequence[Hashable] | None = None,
) -> float:
    """Share of rows, in [0, 1], that their k nearest others by cosine give the right label.

    Each of the k has a vote; of classes with equally many votes the one with the nearest row
    wins. Rows of the same group, such as copies of one picture, are not asked. Of a large table
    4,096 rows are judged, evenly spread over it.

    Args:
        features: embeddings (n, d) with labels and ids.
        classes: number of classes.
        k: how many neighbours vote; fewer where there are fewer rows.
        groups: (n,) rows with the same value do not vote for each other; `ids` when None.

    Raises:
        DataError: all rows are of one group.

    >>> rows = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]], "float32")
    >>> neighbour_accuracy(Features(rows, np.array([0, 0, 1, 1]), list("abcd")), 2, k=1)
    1.0
    """
    group_of = codes(list(features.ids if groups is None else groups))
    different = int(group_of.max(initial=-1)) + 1
    if different < 2:
        raise DataError(
            f"Neighbours need two different pictures or more. Received: {different}. Add pictures."
        )
    vectors, labels = features.vectors, features.labels
    lengths = lengths_of(vectors)
    judged = np.unique(np.linspace(0, len(features) - 1, MOST_JUDGED).astype(int))
    right = 0
    for some in np.array_split(judged, -(-len(judged) * len(features) * 4 // _BLOCK_BYTES)):
        likeness = vectors[some] @ vectors.T
        likeness /= lengths[some, None]
        likeness /= lengths
        likeness[group_of[some, None] == group_of[None]] = -np.inf
        answers = _votes(likeness, labels, classes, min(k, len(features) - 1))
        right += int((answers == labels[some]).sum())
    return right / len(judged)


def _votes(likeness: np.ndarray, labels: np.ndarray, classes: int, k: int) -> np.ndarray:
    """The label (m,) that each row's k nearest columns give it; likeness (m, n)."""
    nearest = np.argpartition(-likeness, k - 1, axis=1)[:, :k]
    how_near = np.take_along_axis(likeness, nearest, axis=1)
    votes = np.zeros((len(likeness), classes))
    rows = np.repeat(np.arange(len(likeness)), k)
    allowed = np.isfinite(how_near).ravel()
    chosen = labels[nearest].ravel()
    np.add.at(votes, (rows[allowed], chosen[allowed]), 1.0)
    # Less than a vote, and more for the class whose best row is nearer.
    best = np.full(votes.shape, -2.0)
    np.maximum.at(best, (rows[allowed], chosen[allowed]), how_near.ravel()[allowed])
    return (votes + best / 8).argmax(axis=1)
