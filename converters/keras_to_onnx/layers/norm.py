"""Normalisation layers; BatchNormalization stays one, so that the file can be trained on."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.normalisation import layer_normalised, rms_normalised
from converters.keras_to_onnx.parts.reduction import axes_of
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value, channels_first
from converters.keras_to_onnx.walk import call


@layer("BatchNormalization")
def batch_normalization(g: Graph, op: Any, out: Spec, x: Value, mask: Value | None = None) -> Value:
    """BatchNormalization; scale and shift that the layer lacks are written as ones and zeros."""
    axis = axes_of(op.axis, x.rank)[0]
    x = g.turned(x, channels_first(x.rank, axis))
    size = op.moving_mean.shape[0]
    gamma = g.weight("weight", op.gamma) if op.scale else np.ones(size, np.float32)
    beta = g.weight("bias", op.beta) if op.center else np.zeros(size, np.float32)
    mean = g.weight("running_mean", op.moving_mean)
    variance = g.weight("running_var", op.moving_variance)
    return g.emit(
        "BatchNormalization",
        [x, gamma, beta, mean, variance],
        out.shape,
        "float32",
        x.order,
        epsilon=float(op.epsilon),
        momentum=float(op.momentum),
    )


@layer("LayerNormalization")
def layer_normalization(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """LayerNormalization from opset 17 on, its parts before."""
    if getattr(op, "rms_scaling", False):
        raise UnwrittenError("expected rms_scaling=False, came True; use RMSNormalization")
    axes = axes_of(op.axis, x.rank)
    return layer_normalised(g, x, op.gamma, op.beta, axes, float(op.epsilon))


@layer("RMSNormalization")
def rms_normalization(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Mean of squares, root, product."""
    return rms_normalised(g, x, op.scale, axes_of(op.axis, x.rank), float(op.epsilon))


@layer("GroupNormalization")
def group_normalization(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """InstanceNormalization over (n, groups, rest), then scale and shift by channel."""
    axis = axes_of(op.axis, x.rank)[0]
    channels = x.shape[axis]
    if channels is None:
        raise UnwrittenError(f"expected known channels to group, came {x.shape}")
    groups = channels if op.groups == -1 else int(op.groups)
    x = g.turned(x, channels_first(x.rank, axis))
    sizes = x.stored_shape
    alone = groups == channels and x.rank > 2
    grouped = x.name if alone else g.node("Reshape", [x, np.array([0, groups, -1], np.int64)])[0]
    ones, zeros = np.ones(groups, np.float32), np.zeros(groups, np.float32)
    scale = g.weight("weight", op.gamma) if op.scale and alone else ones
    shift = g.weight("bias", op.beta) if op.center and alone else zeros
    epsilon = float(op.epsilon)
    (name,) = g.node("InstanceNormalization", [grouped, scale, shift], epsilon=epsilon)
    if alone:
        return Value(name, out.shape, "float32", x.order)
    y = _regrouped(g, name, x, sizes, out)
    wide = (channels, *[1] * (x.rank - 2))
    for node, there, variable, suffix in [
        ("Mul", op.scale, op.gamma, "weight"),
        ("Add", op.center, op.beta, "bias"),
    ]:
        if there:
            along = g.weight(suffix, variable, lambda a: a.reshape(wide), kind=("wide", x.rank))
            y = g.emit(node, [y, along], out.shape, "float32", y.order)
    return y


def _regrouped(g: Graph, name: str, x: Value, sizes: tuple[int | None, ...], out: Spec) -> Value:
    if sum(size is None for size in sizes[1:]) > 1:
        target: Any = g.node("Shape", [x])[0]
    else:
        target = np.array([0, *(-1 if size is None else size for size in sizes[1:])], np.int64)
    return g.emit("Reshape", [name, target], out.shape, "float32", x.order)


@layer("SpectralNormalization")
def spectral_normalization(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The layer inside: its kernel is the normalised one already."""
    return call(g, op.layer, x)


@layer("Normalization")
def normalization(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """(x - mean) / deviation with what `adapt` found, or its inverse."""
    mean = np.asarray(op.mean, np.float32)
    deviation = np.maximum(np.sqrt(np.asarray(op.variance, np.float32)), np.float32(1e-7))
    x = g.cast(x, "float32")
    if op.invert:
        return pointwise(g, "Add", pointwise(g, "Mul", x, deviation), mean)
    return pointwise(g, "Div", pointwise(g, "Sub", x, mean), deviation)
