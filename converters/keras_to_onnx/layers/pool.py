"""Pooling, over windows and over everything."""

from typing import Any

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.reduction import reduced
from converters.keras_to_onnx.parts.windows import adaptive_pool, channel_axis, pool
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, Value, channels_first, straight


@layer("MaxPooling1D", "MaxPooling2D", "MaxPooling3D")
def max_pooling(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """MaxPool."""
    return pool(g, x, out, "MaxPool", op)


@layer("AveragePooling1D", "AveragePooling2D", "AveragePooling3D")
def average_pooling(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """AveragePool without the padding."""
    return pool(g, x, out, "AveragePool", op)


@layer("GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D")
def global_average(g: Graph, op: Any, out: Spec, x: Value, mask: Value | None = None) -> Value:
    """GlobalAveragePool on pictures; a mean over the steps that the mask keeps on sequences."""
    if mask is None:
        return _over_all(g, op, out, x, "GlobalAveragePool", "ReduceMean")
    kept = g.cast(g.reshaped(mask, (*mask.shape, 1)), "float32")
    total = reduced(g, "ReduceSum", pointwise(g, "Mul", x, kept), [1], keepdims=op.keepdims)
    count = reduced(g, "ReduceSum", kept, [1], keepdims=op.keepdims)
    return pointwise(g, "Div", total, count)


@layer("GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D")
def global_max(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """GlobalMaxPool on pictures, ReduceMax on sequences."""
    return _over_all(g, op, out, x, "GlobalMaxPool", "ReduceMax")


def _over_all(g: Graph, op: Any, out: Spec, x: Value, pooling: str, reduction: str) -> Value:
    channel = channel_axis(op.data_format) % x.rank
    first = channels_first(x.rank, channel)
    if x.order == straight(x.rank) != first:
        # Stored as Keras has it (a sequence): a reduction needs no transpose.
        axes = [axis for axis in range(1, x.rank) if axis != channel]
        return reduced(g, reduction, x, axes, keepdims=op.keepdims)
    x = g.turned(x, first)
    kept = tuple(x.shape[axis] if axis in (0, channel) else 1 for axis in range(x.rank))
    y = g.emit(pooling, [x], kept, x.dtype, first)
    if op.keepdims:
        return y
    # Flatten, not Reshape: it says at once that the batch stays.
    return g.emit("Flatten", [y], out.shape, x.dtype, axis=1)


@layer("AdaptiveAveragePooling1D", "AdaptiveAveragePooling2D", "AdaptiveAveragePooling3D")
def adaptive_average(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """AveragePool, or means of unequal windows as a matrix on each axis."""
    return adaptive_pool(g, x, out, "AveragePool", op)


@layer("AdaptiveMaxPooling1D", "AdaptiveMaxPooling2D", "AdaptiveMaxPooling3D")
def adaptive_max(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """MaxPool, where windows are equal."""
    return adaptive_pool(g, x, out, "MaxPool", op)
