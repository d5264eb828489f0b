"""Which axis order one network has against another: recorded by the import, or told by shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Order = tuple[int, ...]


def channels_last(rank: int) -> Order:
    """The order that takes (N, C, …) to (N, …, C).

    >>> channels_last(4), channels_last(2)
    ((0, 2, 3, 1), (0, 1))
    """
    return (0, *range(2, rank), 1) if rank > 2 else tuple(range(rank))


def inverse(order: Sequence[int]) -> Order:
    """The order that undoes another.

    >>> inverse((0, 2, 3, 1))
    (0, 3, 1, 2)
    """
    return tuple(int(axis) for axis in np.argsort(order))


def guess(source: Sequence[object], target: Sequence[object]) -> Order:
    """The order with `target == transpose(source)` by the shapes; none if both or none fit.

    >>> guess((2, 3, 64, 96), (None, 64, 96, 3)), guess((2, 5), (None, 5))
    ((0, 2, 3, 1), (0, 1))
    """
    same = tuple(range(len(source)))
    orders = dict.fromkeys([same, channels_last(len(source)), inverse(channels_last(len(source)))])
    return next((order for order in orders if _fits([source[a] for a in order], target)), same)


def _fits(source: Sequence[object], target: Sequence[object]) -> bool:
    return len(source) == len(target) and all(
        a == b or not isinstance(a, int) or not isinstance(b, int)
        for a, b in zip(source, target, strict=True)
    )


def recorded(orders: Mapping[str, Order], names: Sequence[str], count: int) -> list[Order] | None:
    """The orders in the sequence of `names`, or as recorded when the names are others."""
    if all(name in orders for name in names) and len(names) == count:
        return [tuple(orders[name]) for name in names]
    return [tuple(order) for order in orders.values()] if len(orders) == count else None


def permuted(arrays: Sequence[np.ndarray], orders: Sequence[Order]) -> list[np.ndarray]:
    """Each array with its axes in its order; one of another rank, or without order, as it is."""
    return [
        np.transpose(array, order) if order and len(order) == np.ndim(array) else array
        for array, order in zip(arrays, orders, strict=True)
    ]
