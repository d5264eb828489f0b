"""Axis orders: which ONNX axis each axis of a Keras tensor holds.

ONNX (n, c, h, w), Keras (n, h, w, c)      order (0, 2, 3, 1):  keras == transpose(onnx, order)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Order = tuple[int, ...]
Group = tuple[tuple[int, ...], tuple[int, ...]]


def identity(rank: int) -> Order:
    """The order of ONNX itself."""
    return tuple(range(rank))


def channels_last(rank: int) -> Order:
    """The order of Keras' spatial layers: batch, space, channels."""
    return (0, *range(2, rank), 1)


def moved(order: Order, perm: Sequence[int]) -> Order:
    """Order of transpose(x, perm) when its tensor is that of x, untouched.

    >>> moved((0, 2, 3, 1), (0, 2, 3, 1))    # NCHW → NHWC of a tensor that already is NHWC
    (0, 1, 2, 3)
    """
    place = {axis: new for new, axis in enumerate(perm)}
    return tuple(place[axis] for axis in order)


def between(have: Order, want: Order) -> Order:
    """The transpose that takes a tensor from one order to another."""
    return tuple(have.index(axis) for axis in want)


def without(order: Order, axes: Sequence[int]) -> Order:
    """The order after these ONNX axes are gone.

    >>> without((0, 2, 3, 1), [2, 3])
    (0, 1)
    """
    kept = [axis for axis in order if axis not in axes]
    ranks = {axis: new for new, axis in enumerate(sorted(kept))}
    return tuple(ranks[axis] for axis in kept)


def groups(before: Sequence[int], after: Sequence[int]) -> list[Group] | None:
    """The smallest runs of axes that a reshape splits or merges; None if sizes do not fit.

    >>> groups((13, 8, 14, 14), (13, 8, 196))
    [((0,), (0,)), ((1,), (1,)), ((2, 3), (2,))]
    """
    found: list[Group] = []
    i = j = 0
    while i < len(before) or j < len(after):
        left, right = [i], [j]
        if i >= len(before) or j >= len(after):
            rest_before, rest_after = tuple(range(i, len(before))), tuple(range(j, len(after)))
            if math.prod(before[i:]) != 1 or math.prod(after[j:]) != 1:
                return None
            found.append((rest_before, rest_after))
            break
        a, b = before[i], after[j]
        i, j = i + 1, j + 1
        while a != b:
            if a < b and i < len(before):
                a *= before[i]
                left.append(i)
                i += 1
            elif b < a and j < len(after):
                b *= after[j]
                right.append(j)
                j += 1
            else:
                return None
        found.append((tuple(left), tuple(right)))
    return found


def carried(order: Order, before: Sequence[int], parts: Sequence[Group]) -> Order | None:
    """Order of a reshape's result, if the tensor can be reshaped as it lies; None otherwise.

    Each group's axes have to lie side by side and in ONNX's sequence; axes of size 1 lie
    anywhere.

    >>> carried((0, 2, 3, 1), (13, 8, 14, 14), groups((13, 8, 14, 14), (13, 8, 196)))
    (0, 2, 1)
    """
    real = [axis for axis in order if before[axis] != 1]
    anchored: list[tuple[int, int]] = []  # place in the tensor, group
    last = -1
    for number, (axes, _) in enumerate(parts):
        places = [real.index(axis) for axis in axes if before[axis] != 1]
        if places and places != list(range(places[0], places[0] + len(places))):
            return None
        last = places[0] if places else last
        anchored.append((last, number))
    anchored.sort(key=lambda pair: pair[0])  # stable: groups of ones follow their neighbour
    return tuple(axis for _, number in anchored for axis in parts[number][1])
