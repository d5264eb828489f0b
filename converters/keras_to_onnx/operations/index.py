"""Indexing: slices, gathers, one-hot codes."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import array_of, number, pointwise
from converters.keras_to_onnx.parts.movement import cut, taken
from converters.keras_to_onnx.parts.reduction import squeezed, unsqueezed
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@operation("GetItem")
def get_item(g: Graph, op: Any, out: Spec, x: Value, key: Any) -> Value:
    """Slice, then Squeeze where an index was given, then Unsqueeze for new axes."""
    entries = _filled(key if isinstance(key, tuple) else (key,), x.rank)
    ranges, gone, new = {}, [], []
    axis = place = 0
    for entry in entries:
        if entry is None:
            new.append(place)
            place += 1
            continue
        if isinstance(entry, slice):
            if entry != slice(None):
                ranges[axis] = (entry.start, entry.stop, entry.step or 1)
            place += 1
        elif isinstance(entry, int | np.integer):
            stop = int(entry) + 1
            ranges[axis] = (int(entry), stop if stop else None, 1)
            gone.append(axis)
        else:
            raise UnwrittenError(f"expected whole numbers and slices as indices, came {entry!r}")
        axis += 1
    shape = _cut_shape(x, ranges)
    return unsqueezed(g, squeezed(g, cut(g, x, shape, ranges), gone), new)


def _filled(entries: tuple[Any, ...], rank: int) -> list[Any]:
    """The key with a slice for every axis that it leaves out."""
    used = sum(1 for entry in entries if entry is not None and entry is not Ellipsis)
    found = list(entries) if Ellipsis in entries else [*entries, Ellipsis]
    middle = found.index(Ellipsis)
    return [*found[:middle], *[slice(None)] * (rank - used), *found[middle + 1 :]]


def _cut_shape(x: Value, ranges: dict[int, tuple[int | None, int | None, int]]) -> Any:
    shape = list(x.shape)
    for axis, bounds in ranges.items():
        size = shape[axis]
        shape[axis] = None if size is None else len(range(*slice(*bounds).indices(size)))
        one = (bounds[0] is not None and bounds[1] == bounds[0] + 1) or bounds[:2] == (-1, None)
        if size is None and one and bounds[2] == 1:
            shape[axis] = 1
    return tuple(shape)


@operation("Slice")
def slice_(g: Graph, op: Any, out: Spec, x: Value, start: Any) -> Value:
    """Slice from fixed places on."""
    if isinstance(start, Value) or any(isinstance(entry, Value) for entry in np.ravel(start)):
        raise UnwrittenError("expected fixed places to slice from")
    starts = [int(entry) for entry in np.ravel(array_of(start))]
    ranges = {
        axis: (begin, begin + int(size), 1)
        for axis, (begin, size) in enumerate(zip(starts, op.shape, strict=True))
        if (begin, size) != (0, x.shape[axis])
    }
    return cut(g, x, out.shape, ranges)


@operation("Take")
def take(g: Graph, op: Any, out: Spec, x: Any, indices: Any) -> Value:
    """Gather; with fixed places along an axis the stored order stays."""
    x = number(g, x)
    if op.axis is None:
        rows = g.node("Reshape", [g.plain(x), np.array([-1], np.int64)])[0]
        return g.emit("Gather", [rows, _places(g, indices)], out.shape, x.dtype, axis=0)
    axis = op.axis % x.rank
    if not isinstance(indices, Value):
        fixed = array_of(indices)
        if fixed.ndim == 1:
            return taken(g, x, out.shape, fixed, axis)
        if fixed.ndim == 0:
            wide = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
            return squeezed(g, taken(g, x, wide, fixed.reshape(1), axis), [axis])
    inputs = [g.plain(x), _places(g, indices)]
    return g.emit("Gather", inputs, out.shape, x.dtype, axis=axis)


@operation("TakeAlongAxis")
def take_along_axis(g: Graph, op: Any, out: Spec, x: Any, indices: Any) -> Value:
    """GatherElements, where both have the same sizes beside the axis."""
    x, places = number(g, x), number(g, indices)
    if op.axis is None or x.rank != places.rank:
        raise UnwrittenError("expected an axis, and as many axes in the indices")
    axis = op.axis % x.rank
    for place, (first, second) in enumerate(zip(x.shape, places.shape, strict=True)):
        if place != axis and first != second:
            raise UnwrittenError(f"expected equal sizes beside the axis, came {x.shape}")
    inputs = [g.plain(x), g.plain(_whole(g, places))]
    return g.emit("GatherElements", inputs, out.shape, x.dtype, axis=axis)


@operation("OneHot")
def one_hot(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Equality with every class: as in Keras, a number beyond them gives zeros."""
    axis = op.axis % len(out.shape)
    classes = np.arange(op.num_classes).reshape(
        [-1 if place == axis else 1 for place in range(len(out.shape))]
    )
    wide = unsqueezed(g, g.cast(x, "int32"), [axis])
    return g.cast(pointwise(g, "Equal", wide, classes, work="int32", dtype="bool"), out.dtype)


def _places(g: Graph, indices: Any) -> Value:
    return g.plain(_whole(g, number(g, indices)))


def _whole(g: Graph, places: Value) -> Value:
    return places if places.dtype in ("int32", "int64") else g.cast(places, "int64")
