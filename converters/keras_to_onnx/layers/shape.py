"""Layers that move or repeat numbers."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.movement import cut, padded, repeated, resized
from converters.keras_to_onnx.parts.reduction import unsqueezed
from converters.keras_to_onnx.parts.windows import channel_axis
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Flat, Spec, Value, same_bytes, straight
from converters.keras_to_onnx.walk import call


@layer("Flatten")
def flatten(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Flatten of what is stored; a Dense behind it takes up the order, so no transpose is due."""
    if op.data_format == "channels_first" and x.rank > 2:
        axes = (0, *range(2, x.rank), 1)
        x = relabelled(g, x, axes)
    if x.rank == 2:
        return x
    known = all(size is not None for size in x.shape[1:])
    if x.flat is not None or x.order[:1] != (0,) or not known:
        x = g.plain(x)
    y = g.emit("Flatten", [x], out.shape, x.dtype, axis=1)
    if same_bytes(x.shape, x.order, straight(x.rank)):
        return y
    return Value(y.name, y.shape, y.dtype, y.order, Flat(x.shape, x.order))


@layer("Reshape")
def reshape(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Reshape."""
    return g.reshaped(x, out.shape)


@layer("Permute")
def permute(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Another label; nothing is written."""
    return relabelled(g, x, (0, *op.dims))


def relabelled(g: Graph, x: Value, axes: tuple[int, ...]) -> Value:
    """The transposed value: the same numbers, whose axes are called otherwise."""
    x = g.unflattened(x)
    shape = tuple(x.shape[axis] for axis in axes)
    return Value(x.name, shape, x.dtype, tuple(axes.index(axis) for axis in x.order))


@layer("RepeatVector")
def repeat_vector(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Expand along a new axis."""
    target = np.array([1, op.n, 1], np.int64)
    return g.emit("Expand", [unsqueezed(g, x, [1]), target], out.shape, x.dtype)


@layer("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Pad with zeros."""
    return padded(g, x, out.shape, _around(op.padding, x, op.data_format))


@layer("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Slice."""
    around = _around(op.cropping, x, getattr(op, "data_format", "channels_last"))
    ranges = {axis: (left, -right or None, 1) for axis, (left, right) in enumerate(around)}
    return cut(g, x, out.shape, {axis: r for axis, r in ranges.items() if any(around[axis])})


@layer("UpSampling1D")
def up_sampling_sequence(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Every step several times."""
    return repeated(g, x, out.shape, op.size, 1)


@layer("UpSampling2D")
def up_sampling(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Resize by whole factors."""
    return resized(g, x, out, op.interpolation, op.data_format, scales=list(op.size))


@layer("UpSampling3D")
def up_sampling_volume(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Resize by whole factors, each voxel repeated."""
    return resized(g, x, out, "nearest", op.data_format, scales=list(op.size))


@layer("TimeDistributed")
def time_distributed(g: Graph, op: Any, out: Spec, x: Value, mask: Value | None = None) -> Value:
    """The layer inside on (n * steps, ...), and back."""
    inner = call(g, op.layer, g.plain(g.reshaped(x, (None, *x.shape[2:]))))
    return g.reshaped(inner, out.shape)


def _around(setting: Any, x: Value, data_format: str) -> list[tuple[int, int]]:
    """(before, after) for each of Keras' axes."""
    inner = [tuple(pair) for pair in setting] if np.ndim(setting) == 2 else [tuple(setting)]
    none = (0, 0)
    last = channel_axis(data_format) == -1
    return [none, *inner, none] if last else [none, none, *inner]
