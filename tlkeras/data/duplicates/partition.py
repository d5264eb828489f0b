"""Groups as numbers: what belongs together in any of several ways, in linear time."""

from collections.abc import Hashable, Sequence

import numpy as np


def joined(*partitions: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """Finest grouping, int64 (n,), in which pictures together in any partition stay together.

    >>> joined([0, 1, 1, 2], ["x", "x", "y", "z"]).tolist()
    [0, 0, 0, 1]
    """
    links = [_neighbours(codes(partition)) for partition in partitions]
    left, right = (np.concatenate(ends) for ends in zip(*links, strict=True))
    return numbered(components(len(partitions[0]), left, right))


def codes(keys: Sequence[Hashable] | np.ndarray) -> np.ndarray:
    """A number for each different key, int64 (n,); an array of numbers stays as it is.

    >>> codes(["x", "y", "x"]).tolist()
    [0, 1, 0]
    """
    if isinstance(keys, np.ndarray):
        return keys
    known: dict[Hashable, int] = {}
    return np.fromiter((known.setdefault(key, len(known)) for key in keys), np.int64, len(keys))


def components(count: int, left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Smallest member of the connected component of each of `count`, int64 (count,).

    `left` and `right`, int64 (edges,), are the two ends of each edge.

    >>> components(5, np.array([4, 1]), np.array([3, 3])).tolist()
    [0, 1, 2, 1, 1]
    """
    roots = np.arange(count)
    while len(left):
        ends = roots[left], roots[right]
        low, high = np.minimum(*ends), np.maximum(*ends)
        apart = low != high
        left, right, low, high = left[apart], right[apart], low[apart], high[apart]
        # Every upper root hooks onto a lower one, so no circle can come about.
        np.minimum.at(roots, high, low)
        while not np.array_equal(roots, further := roots[roots]):
            roots = further
    return roots


def numbered(groups: np.ndarray) -> np.ndarray:
    """The same grouping, int64 (n,), numbered 0, 1, … by first appearance.

    >>> numbered(np.array([7, 3, 7])).tolist()
    [0, 1, 0]
    """
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def several(groups: np.ndarray) -> list[np.ndarray]:
    """Rows of each group of two or more, ascending; groups by their first row.

    >>> [rows.tolist() for rows in several(np.array([5, 2, 2, 5, 9]))]
    [[0, 3], [1, 2]]
    """
    order = np.argsort(groups, kind="stable")
    edges = np.flatnonzero(np.diff(groups[order])) + 1
    bounds = np.concatenate([[0], edges, [len(groups)]])
    sizes = np.diff(bounds)
    sets = [order[bounds[at] : bounds[at + 1]] for at in np.flatnonzero(sizes > 1)]
    return sorted(sets, key=lambda rows: int(rows[0]))


def _neighbours(groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Edges that chain the members of each group."""
    order = np.argsort(groups, kind="stable")
    same = np.flatnonzero(groups[order[1:]] == groups[order[:-1]])
    return order[same], order[same + 1]
