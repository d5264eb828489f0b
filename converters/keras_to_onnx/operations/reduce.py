"""Reductions, positions of extremes, sorting and running sums."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise, unary
from converters.keras_to_onnx.parts.reduction import axes_of, moments, reduced, squeezed
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value

_NODES = {
    "Sum": "ReduceSum",
    "Mean": "ReduceMean",
    "Max": "ReduceMax",
    "Min": "ReduceMin",
    "Amax": "ReduceMax",
    "Amin": "ReduceMin",
    "Prod": "ReduceProd",
    "Logsumexp": "ReduceLogSumExp",
}


@operation(*_NODES)
def reduction(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The Reduce node, in the result's dtype."""
    if getattr(op, "initial", None) is not None:
        raise UnwrittenError("expected a maximum or minimum without `initial`")
    x = g.cast(x, out.dtype)
    axes = axes_of(op.axis, x.rank)
    return reduced(g, _NODES[type(op).__name__], x, axes, keepdims=op.keepdims)


@operation("Var", "Std")
def spread(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Mean of squared distances from the mean, or its root."""
    axes = axes_of(op.axis, x.rank)
    _, _, variance = moments(g, g.cast(x, "float32"), axes)
    result = variance if op.keepdims else squeezed(g, variance, axes)
    return unary(g, "Sqrt", result) if type(op).__name__ == "Std" else result


@operation("Moments")
def both_moments(g: Graph, op: Any, outs: list[Spec], x: Value) -> list[Value]:
    """Mean and variance."""
    axes = axes_of(op.axes, x.rank)
    mean, _, variance = moments(g, g.cast(x, "float32"), axes)
    found = [mean, variance]
    return found if op.keepdims else [squeezed(g, value, axes) for value in found]


@operation("All", "Any", "CountNonzero")
def truths(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Extremes or the sum of truths as numbers."""
    kind = type(op).__name__
    numbers = g.cast(g.cast(x, "bool"), "int32")
    node = {"All": "ReduceMin", "Any": "ReduceMax"}.get(kind, "ReduceSum")
    keepdims = getattr(op, "keepdims", False)
    result = reduced(g, node, numbers, axes_of(op.axis, x.rank), keepdims=keepdims)
    return g.cast(result, out.dtype)


@operation("Norm")
def norm(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Vector norms 1 and 2, and the Frobenius norm."""
    if op.ord not in (None, 1, 2, "fro"):
        raise UnwrittenError(f"expected the norm of order 1 or 2, came {op.ord}")
    axes = axes_of(op.axis, x.rank)
    if len(axes) > 1 and op.ord in (1, 2):
        raise UnwrittenError("expected a vector norm, came one of matrices")
    node = "ReduceL1" if op.ord == 1 else "ReduceL2"
    return reduced(g, node, g.cast(x, "float32"), axes, keepdims=op.keepdims)


@operation("Argmax", "Argmin")
def position(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """ArgMax or ArgMin; over everything, of the flattened value."""
    node = "ArgMax" if type(op).__name__ == "Argmax" else "ArgMin"
    if op.axis is None:
        rows = g.node("Reshape", [g.plain(x), np.array([-1], np.int64)])[0]
        found = g.emit(node, [rows], (), "int64", axis=0, keepdims=0)
        if op.keepdims:
            raise UnwrittenError("expected an axis for a position that keeps its axes")
        return g.cast(found, out.dtype)
    x = g.unflattened(x)
    axis = op.axis % x.rank
    shape = tuple(1 if place == axis else size for place, size in enumerate(x.shape))
    (name,) = g.node(node, [x], axis=x.stored_axis(axis), keepdims=1)
    found = g.cast(Value(name, shape, "int64", x.order), out.dtype)
    return found if op.keepdims else squeezed(g, found, [axis])


@operation("TopK")
def top_k(g: Graph, op: Any, outs: list[Spec], x: Value) -> list[Value]:
    """TopK along the last axis."""
    x = g.unflattened(x)
    axis = x.stored_axis(-1)
    inputs = [x, np.array([op.k], np.int64)]
    values, places = g.node("TopK", inputs, outputs=2, axis=axis, sorted=int(op.sorted))
    shape = outs[0].shape
    found = Value(places, shape, "int64", x.order)
    return [Value(values, shape, x.dtype, x.order), g.cast(found, outs[1].dtype)]


@operation("Sort", "Argsort")
def ordered(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """TopK of everything, the smallest first."""
    x = g.unflattened(x)
    size = x.shape[-1 if op.axis is None else op.axis]
    if size is None or op.axis is None:
        raise UnwrittenError(f"expected an axis of known size to sort along, came {x.shape}")
    axis = x.stored_axis(op.axis)
    inputs = [x, np.array([size], np.int64)]
    values, places = g.node("TopK", inputs, outputs=2, axis=axis, largest=0)
    if type(op).__name__ == "Sort":
        return Value(values, x.shape, x.dtype, x.order)
    return g.cast(Value(places, x.shape, "int64", x.order), out.dtype)


@operation("Cumsum")
def cumsum(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """CumSum along an axis."""
    if op.axis is None:
        raise UnwrittenError("expected an axis for a running sum")
    x = g.unflattened(g.cast(x, out.dtype))
    axis = np.array(x.stored_axis(op.axis), np.int64)
    return g.emit("CumSum", [x, axis], x.shape, x.dtype, x.order)


@operation("Average")
def average(g: Graph, op: Any, out: Spec, x: Value, weights: Any = None) -> Value:
    """The mean, or the weighted one."""
    x = g.cast(x, "float32")
    axes = axes_of(op.axis, x.rank)
    if weights is None:
        return reduced(g, "ReduceMean", x, axes, keepdims=False)
    if len(np.shape(weights) if not isinstance(weights, Value) else weights.shape) != x.rank:
        raise UnwrittenError("expected weights of the value's own rank")
    weighted = pointwise(g, "Mul", x, weights)
    total = reduced(g, "ReduceSum", weighted, axes, keepdims=False)
    everywhere = pointwise(g, "Add", pointwise(g, "Mul", x, 0.0), weights)
    return pointwise(g, "Div", total, reduced(g, "ReduceSum", everywhere, axes, keepdims=False))
