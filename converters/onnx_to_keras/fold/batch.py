"""Arrays that are known at both probes: what they have to do with the batch."""

from __future__ import annotations

import math

import numpy as np

from converters.onnx_to_keras.graph import PROBES, Shape, Symbolic

Pair = tuple[np.ndarray, np.ndarray]


def freed_target(target: np.ndarray, shapes: tuple[Shape, Shape]) -> Pair | None:
    """A fixed Reshape target that holds the batch of the export, for both probes.

    The count of elements tells: (1, 196, 192) for a value that has 13 * 196 * 192 of them.
    """
    if target.ndim != 1 or not target.size or target[0] <= 0 or 0 in shapes[0]:
        return None
    if shapes[0][:1] == shapes[1][:1]:
        return None
    rest = int(
        np.prod(
            [
                shapes[0][i] if n == 0 else n
                for i, n in enumerate(target[1:], 1)
                if i < len(shapes[0]) or n != 0
            ]
        )
    )
    found = []
    for shape, batch in zip(shapes, PROBES, strict=True):
        if -1 in target:
            if target[0] != 1 or shape[0] != batch:
                return None
            first = batch
        else:
            first, left = divmod(math.prod(shape), rest) if rest else (0, 1)
            if left or first == target[0]:
                return None
        found.append(np.concatenate([[first], target[1:]]).astype(np.int64))
    return found[0], found[1]


def repeated_row(pair: Pair) -> np.ndarray | None:
    """What is repeated along the axes that follow the batch; None if anything else changes."""
    first, second = pair
    if first.ndim != second.ndim or not first.size:
        return None
    index = tuple(
        slice(None) if a == b else slice(1) for a, b in zip(first.shape, second.shape, strict=True)
    )
    row = first[index]
    for array in pair:
        if not np.array_equal(np.broadcast_to(row, array.shape), array):
            return None
    return row


def linear(pair: Pair) -> Symbolic | None:
    """The array as slope * batch + offset; None if it is no such thing."""
    first, second = pair
    if first.shape != second.shape or first.dtype.kind not in "iu":
        return None
    slope, left = np.divmod(second.astype(np.int64) - first, PROBES[1] - PROBES[0])
    if left.any():
        return None
    return Symbolic(slope, first - slope * PROBES[0])
