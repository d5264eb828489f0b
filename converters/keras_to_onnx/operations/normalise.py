"""Normalisation as operations of keras.ops."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import is_variable, pointwise
from converters.keras_to_onnx.parts.normalisation import (
    layer_normalised,
    rms_normalised,
    scaled,
    shifted,
)
from converters.keras_to_onnx.parts.reduction import axes_of, reduced
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value

_EPSILON = 1e-7  # keras.config.epsilon()


@operation("Normalize")
def normalize(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """X over its norm, or over epsilon where that is larger."""
    if op.order not in (1, 2):
        raise UnwrittenError(f"expected the norm of order 1 or 2, came {op.order}")
    axes = axes_of(op.axis, x.rank)
    length = reduced(g, f"ReduceL{op.order}", x, axes, keepdims=True)
    floor = float(_EPSILON if op.epsilon is None else op.epsilon)
    return pointwise(g, "Div", x, pointwise(g, "Max", length, floor))


@operation("LayerNorm")
def layer_norm(
    g: Graph, op: Any, out: Spec, x: Value, gamma: Any = None, beta: Any = None
) -> Value:
    """LayerNormalization from opset 17 on, its parts before."""
    if op.rms_scaling:
        raise UnwrittenError("expected rms_scaling=False, came True; use rms_normalization")
    axes = axes_of(op.axis, x.rank)
    epsilon = float(_EPSILON if op.epsilon is None else op.epsilon)
    if any(isinstance(side, Value) for side in (gamma, beta)):
        y = layer_normalised(g, x, None, None, axes, epsilon)
        y = y if gamma is None else pointwise(g, "Mul", y, gamma)
        return y if beta is None else pointwise(g, "Add", y, beta)
    return layer_normalised(g, x, gamma, beta, axes, epsilon)


@operation("RMSNorm")
def rms_norm(g: Graph, op: Any, out: Spec, x: Value, scale: Any = None) -> Value:
    """X over the root of its mean square."""
    epsilon = float(_EPSILON if op.epsilon is None else op.epsilon)
    axes = axes_of(op.axis, x.rank)
    if isinstance(scale, Value):
        return pointwise(g, "Mul", rms_normalised(g, x, None, axes, epsilon), scale)
    return rms_normalised(g, x, scale, axes, epsilon)


@operation("BatchNorm")
def batch_norm(
    g: Graph,
    op: Any,
    out: Spec,
    x: Value,
    mean: Any,
    variance: Any,
    offset: Any = None,
    scale: Any = None,
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset along one axis."""
    axes = axes_of(op.axis, x.rank)
    if isinstance(mean, Value) or isinstance(variance, Value):
        raise UnwrittenError("expected fixed statistics, came what the network computes")
    root = 1 / np.sqrt(_numbers(variance) + np.float32(op.epsilon))
    y = scaled(g, shifted(g, x, -_numbers(mean), axes), root, axes)
    return shifted(g, scaled(g, y, scale, axes), offset, axes)


def _numbers(side: Any) -> np.ndarray:
    return np.asarray(side.value if is_variable(side) else side, np.float32)
