"""Layer and RMS normalisation over any axes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import Number, array_of, is_variable, pointwise
from converters.keras_to_onnx.parts.reduction import last, moments, reduced
from converters.keras_to_onnx.value import Value

LAYER_NORMALIZATION_SINCE = 17


def layer_normalised(
    g: Graph,
    x: Value,
    gamma: Number | None,
    beta: Number | None,
    axes: Sequence[int],
    epsilon: float,
) -> Value:
    """(x - mean) / sqrt(variance + epsilon) * gamma + beta over the axes, statistics by example."""
    sizes = [x.shape[axis] for axis in axes]
    if g.opset < LAYER_NORMALIZATION_SINCE or None in sizes:
        _, centred, variance = moments(g, x, axes)
        y = pointwise(g, "Mul", centred, inverse_root(g, variance, epsilon))
        return shifted(g, scaled(g, y, gamma, axes), beta, axes)
    x = last(g, x, axes)
    first = x.rank - len(axes)
    known = [int(size or 0) for size in sizes]
    scale = _parameter(g, "weight", gamma, np.ones(known, np.float32))
    shift = None if beta is None else _parameter(g, "bias", beta, np.zeros(known, np.float32))
    (name, *_) = g.node("LayerNormalization", [x, scale, shift], axis=first, epsilon=epsilon)
    return Value(name, x.shape, "float32", x.order)


def rms_normalised(
    g: Graph, x: Value, scale: Number | None, axes: Sequence[int], epsilon: float
) -> Value:
    """x / sqrt(mean of squares + epsilon) * scale over the axes."""
    power = reduced(g, "ReduceMean", pointwise(g, "Mul", x, x), axes, keepdims=True)
    return scaled(g, pointwise(g, "Mul", x, inverse_root(g, power, epsilon)), scale, axes)


def inverse_root(g: Graph, x: Value, epsilon: float) -> Value:
    """1 / sqrt(x + epsilon)."""
    (root,) = g.node("Sqrt", [pointwise(g, "Add", x, np.float32(epsilon))])
    return g.emit("Reciprocal", [root], x.shape, x.dtype, x.order)


def scaled(g: Graph, x: Value, factor: Number | None, axes: Sequence[int]) -> Value:
    """X times a parameter that has the sizes of the axes, or of the whole."""
    return x if factor is None else _with(g, "Mul", x, factor, axes)


def shifted(g: Graph, x: Value, shift: Number | None, axes: Sequence[int]) -> Value:
    """X plus a parameter that has the sizes of the axes, or of the whole."""
    return x if shift is None else _with(g, "Add", x, shift, axes)


def _with(g: Graph, op: str, x: Value, parameter: Any, axes: Sequence[int]) -> Value:
    full = [1] * x.rank
    sizes = tuple(parameter.shape)
    if len(sizes) == x.rank:
        full = list(sizes)
    else:
        for axis, size in zip(sorted(axes), sizes, strict=True):
            full[axis] = size
    if not is_variable(parameter):
        return pointwise(g, op, x, array_of(parameter, "float32").reshape(full))
    x = g.unflattened(x)
    suffix = parameter.path.rsplit("/", 1)[-1]
    name = g.weight(
        suffix, parameter, lambda a: a.reshape(full).transpose(x.order), kind=(*full, x.order)
    )
    return g.emit(op, [x, name], x.shape, x.dtype, x.order)


def _parameter(
    g: Graph, suffix: str, given: Number | None, default: np.ndarray
) -> str | np.ndarray:
    if given is None:
        return default
    if is_variable(given):
        return g.weight(suffix, given)
    return array_of(given, "float32").reshape(default.shape)
