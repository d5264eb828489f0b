"""Operations that move, repeat, join or part numbers."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.layers.shape import relabelled
from converters.keras_to_onnx.parts.align import array_of, number
from converters.keras_to_onnx.parts.joining import joined, parted, unstacked
from converters.keras_to_onnx.parts.movement import cut, padded, repeated
from converters.keras_to_onnx.parts.reduction import squeezed, unsqueezed
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value, straight


@operation("Reshape", "Ravel")
def reshape(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Reshape."""
    return g.reshaped(x, out.shape)


@operation("Transpose", "Swapaxes", "Moveaxis")
def transpose(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Another label; nothing is written."""
    kind = type(op).__name__
    if kind == "Transpose":
        axes = tuple(reversed(range(x.rank))) if op.axes is None else tuple(op.axes)
    else:
        axes = _moved(op, x.rank, kind)
    return relabelled(g, x, tuple(int(axis) % x.rank for axis in axes))


def _moved(op: Any, rank: int, kind: str) -> tuple[int, ...]:
    if kind == "Swapaxes":
        axes = list(range(rank))
        first, second = op.axis1 % rank, op.axis2 % rank
        axes[first], axes[second] = second, first
        return tuple(axes)
    hollow = np.broadcast_to(False, range(1, rank + 1))  # each size tells its axis
    return tuple(size - 1 for size in np.moveaxis(hollow, op.source, op.destination).shape)


@operation("ExpandDims")
def expand_dims(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Unsqueeze."""
    axes = [op.axis] if isinstance(op.axis, int) else list(op.axis)
    return unsqueezed(g, x, [axis % len(out.shape) for axis in axes])


@operation("Squeeze")
def squeeze(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Squeeze."""
    axes = op.axis
    if axes is None:
        axes = [axis for axis, size in enumerate(x.shape) if size == 1]
    axes = [axes] if isinstance(axes, int) else list(axes)
    return squeezed(g, x, [axis % x.rank for axis in axes])


@operation("Concatenate")
def concatenate(g: Graph, op: Any, out: Spec, xs: list[Any]) -> Value:
    """Concat."""
    return joined(g, xs, out, 0 if op.axis is None else op.axis)


@operation("Append")
def append(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """Concat of two."""
    if op.axis is None:
        raise UnwrittenError("expected an axis to append along")
    return joined(g, [x1, x2], out, op.axis)


@operation("Hstack", "Vstack")
def stacked_along(g: Graph, op: Any, out: Spec, xs: list[Any]) -> Value:
    """Concat along the second or the first axis."""
    if len(out.shape) < 2:
        raise UnwrittenError("expected two axes or more to stack along")
    return joined(g, xs, out, 1 if type(op).__name__ == "Hstack" else 0)


@operation("Stack")
def stack(g: Graph, op: Any, out: Spec, xs: list[Any]) -> Value:
    """Unsqueeze, then Concat."""
    axis = op.axis % len(out.shape)
    return joined(g, [unsqueezed(g, number(g, x, out.dtype), [axis]) for x in xs], out, axis)


@operation("Split", "ArraySplit")
def split(g: Graph, op: Any, outs: Spec | list[Spec], x: Value) -> list[Value]:
    """Split into the sizes that the outputs have."""
    specs = outs if isinstance(outs, list) else [outs]
    sizes = [spec.shape[op.axis] for spec in specs]
    if any(size is None for size in sizes):
        raise UnwrittenError(f"expected a known size to split, came {x.shape}")
    return parted(g, x, [int(size or 0) for size in sizes], op.axis, specs)


@operation("Unstack")
def unstack(g: Graph, op: Any, outs: Spec | list[Spec], x: Value) -> list[Value]:
    """Split, then Squeeze."""
    return unstacked(g, x, op.axis, outs if isinstance(outs, list) else [outs])


@operation("Pad")
def pad(g: Graph, op: Any, out: Spec, x: Value, constant_values: Any = None) -> Value:
    """Pad with a number, which may be -inf, with the edge, or mirrored."""
    if op.mode not in ("constant", "reflect", "edge"):
        raise UnwrittenError(f"expected constant, reflect or edge padding, came {op.mode}")
    if isinstance(constant_values, Value):
        raise UnwrittenError("expected a fixed number to pad with")
    width = np.broadcast_to(np.asarray(op.pad_width, int), (x.rank, 2))
    around = [(int(left), int(right)) for left, right in width]
    return padded(g, x, out.shape, around, op.mode, constant_values or 0)


@operation("Repeat")
def repeat(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Gather with every entry several times."""
    if op.axis is None or np.size(op.repeats) != 1:
        raise UnwrittenError("expected one number of repeats, along an axis")
    return repeated(g, x, out.shape, int(np.ravel(op.repeats)[0]), op.axis)


@operation("Tile")
def tile(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Tile."""
    repeats = [op.repeats] if isinstance(op.repeats, int) else [int(n) for n in op.repeats]
    repeats = [1] * (len(out.shape) - len(repeats)) + repeats
    x = unsqueezed(g, x, list(range(len(repeats) - x.rank)))
    x = g.unflattened(x)
    times = np.array([repeats[axis] for axis in x.order], np.int64)
    return g.emit("Tile", [x, times], out.shape, x.dtype, x.order)


@operation("BroadcastTo")
def broadcast_to(g: Graph, op: Any, out: Spec, x: Any) -> Value:
    """Expand; an open size stays what it is."""
    x = g.plain(number(g, x))
    sizes = np.array([1 if size is None else size for size in out.shape], np.int64)
    return g.emit("Expand", [x, sizes], out.shape, x.dtype)


@operation("Flip")
def flip(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Slice backwards."""
    axes = range(x.rank) if op.axis is None else [op.axis] if isinstance(op.axis, int) else op.axis
    return cut(g, x, out.shape, {axis % x.rank: (None, None, -1) for axis in axes})


@operation("Roll")
def roll(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Two slices, the other way round, along each axis."""
    if op.axis is None:
        raise UnwrittenError("expected an axis to roll along")
    axes = [op.axis] if isinstance(op.axis, int) else list(op.axis)
    shifts = np.broadcast_to(op.shift, len(axes))
    for axis, shift in zip(axes, shifts, strict=True):
        axis %= x.rank
        size = x.shape[axis]
        if size is None:
            raise UnwrittenError(f"expected a known size to roll along, came {x.shape}")
        shift = int(shift) % size
        if shift:
            last = cut(g, x, _resized(x, axis, shift), {axis: (size - shift, size, 1)})
            first = cut(g, x, _resized(x, axis, size - shift), {axis: (0, size - shift, 1)})
            x = joined(g, [last, first], Spec(x.shape, x.dtype), axis)
    return x


def _resized(x: Value, axis: int, size: int) -> tuple[int | None, ...]:
    return (*x.shape[:axis], size, *x.shape[axis + 1 :])


@operation("Tril", "Triu")
def triangle(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Times ones in a triangle, of known sizes."""
    rows, columns = x.shape[-2:]
    if rows is None or columns is None or x.dtype == "bool":
        raise UnwrittenError(f"expected numbers of known sizes for a triangle, came {x.shape}")
    ones = np.ones((rows, columns), x.dtype)
    mask = np.tril(ones, op.k) if type(op).__name__ == "Tril" else np.triu(ones, op.k)
    return g.emit("Mul", [g.plain(x), mask], out.shape, x.dtype)


@operation("Meshgrid", "Arange", "Array")
def known(g: Graph, op: Any, out: Spec, *args: Any, **kwargs: Any) -> Value:
    """What does not depend on the inputs; here it would, and that has no writer."""
    if any(isinstance(arg, Value) for arg in args):
        if type(op).__name__ == "Array" and isinstance(args[0], Value):
            return g.cast(args[0], out.dtype)
        raise UnwrittenError("expected fixed numbers here, came what the network computes")
    array = array_of(op.call(*args, **kwargs), out.dtype)
    return Value(g.constant(array), array.shape, out.dtype, straight(array.ndim))
