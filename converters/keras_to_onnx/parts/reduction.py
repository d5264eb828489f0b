"""Reductions over axes, in whatever order the value is stored."""

from collections.abc import Sequence

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import Number, aligned, pointwise
from converters.keras_to_onnx.value import Order, Shape, Value, broadcast, straight


def axes_of(axis: int | Sequence[int] | None, rank: int) -> list[int]:
    """Keras' axis argument as a list, none below zero.

    >>> axes_of(None, 2), axes_of(-1, 4)
    ([0, 1], [3])
    """
    if axis is None:
        return list(range(rank))
    given = [axis] if isinstance(axis, int | np.integer) else list(axis)
    return sorted(int(entry) % rank for entry in given)


def reduced(
    g: Graph, op: str, x: Value, axes: Sequence[int], *, keepdims: bool, dtype: str | None = None
) -> Value:
    """A Reduce node; the axes that stay keep their stored order."""
    x = g.unflattened(x)
    stored = sorted(x.stored_axis(axis) for axis in axes)
    shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
    order = x.order
    if not keepdims:
        shape, order = without(shape, order, axes)
    if g.opset >= 18 or op == "ReduceSum":
        inputs = [x, np.array(stored, np.int64)]
        return g.emit(op, inputs, shape, dtype or x.dtype, order, keepdims=int(keepdims))
    return g.emit(op, [x], shape, dtype or x.dtype, order, axes=stored, keepdims=int(keepdims))


def without(shape: Shape, order: Order, axes: Sequence[int]) -> tuple[Shape, Order]:
    """Shape and order once some of Keras' axes are gone.

    >>> without((2, 1, 4), (0, 2, 1), [1])
    ((2, 4), (0, 1))
    """
    kept = [axis for axis in range(len(shape)) if axis not in axes]
    return (
        tuple(shape[axis] for axis in kept),
        tuple(kept.index(axis) for axis in order if axis in kept),
    )


def squeezed(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    """The value without these axes of size 1."""
    if not axes:
        return x
    x = g.unflattened(x)
    shape, order = without(x.shape, x.order, axes)
    stored = np.array(sorted(x.stored_axis(axis) for axis in axes), np.int64)
    return g.emit("Squeeze", [x, stored], shape, x.dtype, order)


def unsqueezed(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    """The value with axes of size 1 at these places of the new shape."""
    if not axes:
        return x
    x = g.unflattened(x)
    rank = x.rank + len(axes)
    old = [axis for axis in range(rank) if axis not in axes]
    shape: list[int | None] = [1] * rank
    for place, size in zip(old, x.shape, strict=True):
        shape[place] = size
    order = [old[axis] for axis in x.order]
    for axis in sorted(axes):
        order.insert(axis, axis)
    return g.emit("Unsqueeze", [x, np.array(sorted(axes), np.int64)], shape, x.dtype, tuple(order))


def moments(g: Graph, x: Value, axes: Sequence[int]) -> tuple[Value, Value, Value]:
    """Mean, x - mean and variance over the axes, which stay with size 1."""
    mean = reduced(g, "ReduceMean", x, axes, keepdims=True)
    centred = pointwise(g, "Sub", x, mean)
    squares = pointwise(g, "Mul", centred, centred)
    return mean, centred, reduced(g, "ReduceMean", squares, axes, keepdims=True)


def softmax_over(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    """Shares that sum to one over the axes."""
    if len(axes) == 1:
        x = g.unflattened(x)
        return g.emit("Softmax", [x], x.shape, "float32", x.order, axis=x.stored_axis(axes[0]))
    axes = axes_of(axes, x.rank)
    top = reduced(g, "ReduceMax", x, axes, keepdims=True)
    (name,) = g.node("Exp", [pointwise(g, "Sub", x, top)])
    shares = Value(name, x.shape, x.dtype, x.order)
    return pointwise(g, "Div", shares, reduced(g, "ReduceSum", shares, axes, keepdims=True))


def chosen(
    g: Graph, condition: Number, first: Number, second: Number, dtype: str = "float32"
) -> Value:
    """Element-wise: the first where the condition holds, else the second."""
    values = [v for v in (condition, first, second) if isinstance(v, Value)]
    shape = broadcast(
        [
            tuple(np.shape(v)) if not isinstance(v, Value) else v.shape
            for v in (condition, first, second)
        ]
    )
    order = next((g.unflattened(v).order for v in values if v.rank == len(shape)), None)
    order = straight(len(shape)) if order is None else order
    fed = [
        aligned(g, condition, order, "bool"),
        aligned(g, first, order, dtype),
        aligned(g, second, order, dtype),
    ]
    return g.emit("Where", fed, shape, dtype, order)


def last(g: Graph, x: Value, axes: Sequence[int]) -> Value:
    """The value stored with these axes at the end, the others as they were."""
    x = g.unflattened(x)
    others = [axis for axis in x.order if axis not in axes]
    if others != sorted(others):
        others = sorted(others)
    return g.turned(x, (*others, *axes))
