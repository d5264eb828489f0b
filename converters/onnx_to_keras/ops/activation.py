"""Activations: a Keras layer where one says the same, otherwise a few keras.ops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.arithmetic import is_float, sum_of
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

SELU = (1.67326319217681884765625, 1.05070102214813232421875)


def _named(build: Build, x: KerasTensor, name: str) -> KerasTensor:
    return build.layer(keras.layers.Activation, x, activation=name)


@op("Relu", order="pointwise")
def relu(build: Build, x: KerasTensor) -> KerasTensor:
    """max(x, 0)."""
    return build.layer(keras.layers.ReLU, x) if is_float(x) else K.maximum(x, 0)


@op("Clip", order="pointwise")
def clip(
    build: Build,
    x: KerasTensor,
    low: Operand | None = None,
    high: Operand | None = None,
    *,
    min: float | None = None,
    max: float | None = None,
) -> KerasTensor:
    """x between two bounds; from 0 upwards it is a ReLU."""
    if low is None and high is None and is_float(x):
        if min == 0 and (max is None or max > 0):
            return build.layer(keras.layers.ReLU, x, max_value=max)
        if min is not None and max is not None:
            return K.clip(x, min, max)
    bounds = [
        given if tensor is None else build.tensor(tensor)
        for tensor, given in ((low, min), (high, max))
    ]
    y = x if bounds[0] is None else K.maximum(x, bounds[0])
    return y if bounds[1] is None else K.minimum(y, bounds[1])


@op("LeakyRelu", order="pointwise")
def leaky_relu(build: Build, x: KerasTensor, *, alpha: float = 0.01) -> KerasTensor:
    """x, or alpha x below 0."""
    return build.layer(keras.layers.LeakyReLU, x, negative_slope=alpha)


@op("PRelu", order="pointwise")
def prelu(build: Build, x: KerasTensor, slope: Operand) -> KerasTensor:
    """x, or slope * x below 0; the slope is the weight of a PReLU layer."""
    if isinstance(slope, Constant) and is_float(x):
        rank = len(x.shape)
        shape = (1,) * (rank - slope.value.ndim) + slope.value.shape
        shared = [axis for axis in range(1, rank) if shape[axis] == 1]
        owned = [axis for axis in range(1, rank) if shape[axis] != 1]
        if shape[0] == 1 and all(shape[axis] == x.shape[axis] for axis in owned):
            alpha = replace(slope, value=slope.value.reshape(shape[1:]))
            shared = shared or None  # type: ignore[assignment]
            return build.layer(keras.layers.PReLU, x, weights={"alpha": alpha}, shared_axes=shared)
    below = K.minimum(x, 0)
    return sum_of(K.maximum(x, 0), K.multiply(below, build.tensor(slope)))


@op("Elu", order="pointwise")
def elu(build: Build, x: KerasTensor, *, alpha: float = 1.0) -> KerasTensor:
    """x, or alpha (exp x - 1) below 0."""
    return build.layer(keras.layers.ELU, x, alpha=alpha)


@op("Selu", order="pointwise")
def selu(
    build: Build, x: KerasTensor, *, alpha: float = SELU[0], gamma: float = SELU[1]
) -> KerasTensor:
    """Gamma times an ELU."""
    if np.allclose((alpha, gamma), SELU, rtol=1e-7):
        return _named(build, x, "selu")
    return K.multiply(K.elu(x, alpha=alpha), gamma)


@op("Celu", order="pointwise")
def celu(build: Build, x: KerasTensor, *, alpha: float = 1.0) -> KerasTensor:
    """max(x, 0) + min(0, alpha (exp(x / alpha) - 1))."""
    return K.celu(x, alpha=alpha)


@op("Gelu", order="pointwise")
def gelu(
    build: Build, x: KerasTensor, *, approximate: Literal["none", "tanh"] = "none"
) -> KerasTensor:
    """x times the normal distribution's cumulative function, or its tanh approximation."""
    return K.gelu(x, approximate=True) if approximate == "tanh" else _named(build, x, "gelu")


@op("Swish", "Silu", order="pointwise")
def swish(build: Build, x: KerasTensor, *, alpha: float = 1.0) -> KerasTensor:
    """x sigmoid(alpha x)."""
    if alpha == 1:
        return _named(build, x, "silu")
    return K.multiply(x, K.sigmoid(K.multiply(x, alpha)))


@op("HardSigmoid", order="pointwise")
def hard_sigmoid(
    build: Build, x: KerasTensor, *, alpha: float = 0.2, beta: float = 0.5
) -> KerasTensor:
    """Alpha x + beta, between 0 and 1."""
    if np.allclose((alpha, beta), (1 / 6, 0.5), rtol=1e-6):
        return _named(build, x, "hard_sigmoid")
    return K.clip(K.add(K.multiply(x, alpha), beta), 0.0, 1.0)


@op("HardSwish", order="pointwise")
def hard_swish(build: Build, x: KerasTensor) -> KerasTensor:
    """x times a hard sigmoid of slope 1/6."""
    return _named(build, x, "hard_silu")


@op("Shrink", order="pointwise")
def shrink(build: Build, x: KerasTensor, *, lambd: float = 0.5, bias: float = 0.0) -> KerasTensor:
    """x + bias below -lambd, x - bias above lambd, 0 between."""
    kind = x.dtype
    x = x if is_float(x) else K.cast(x, "float32")
    high = K.multiply(K.subtract(x, bias), K.cast(K.greater(x, lambd), x.dtype))
    low = K.multiply(K.add(x, bias), K.cast(K.less(x, -lambd), x.dtype))
    return K.cast(K.add(high, low), kind)


@op("ThresholdedRelu", order="pointwise")
def thresholded_relu(build: Build, x: KerasTensor, *, alpha: float = 1.0) -> KerasTensor:
    """x where it is above alpha, otherwise 0."""
    return K.threshold(x, alpha, 0.0)


def _enter(onnx: str, activation: str, meaning: str) -> None:
    def function(build: Build, x: KerasTensor) -> KerasTensor:
        return _named(build, x, activation)

    function.__name__, function.__doc__ = activation, meaning
    op(onnx, order="pointwise")(function)


for _onnx, _keras, _meaning in (
    ("Sigmoid", "sigmoid", "1 / (1 + exp -x)."),
    ("Tanh", "tanh", "The hyperbolic tangent."),
    ("Softplus", "softplus", "log(1 + exp x)."),
    ("Softsign", "softsign", "x / (1 + |x|)."),
    ("Mish", "mish", "x tanh(softplus x)."),
):
    _enter(_onnx, _keras, _meaning)


@op("Softmax", order="axis")
def softmax(
    build: Build, x: KerasTensor, *, axis: int = -1, axes: Sequence[int] | None = None
) -> KerasTensor:
    """exp x over its sum along an axis, or over several at once as before opset 13."""
    along = _only(x, axis, axes)
    if isinstance(along, int):
        return build.layer(keras.layers.Softmax, x, axis=along)
    return K.exp(K.subtract(x, K.logsumexp(x, axis=along, keepdims=True)))


@op("LogSoftmax", order="axis")
def log_softmax(
    build: Build, x: KerasTensor, *, axis: int = -1, axes: Sequence[int] | None = None
) -> KerasTensor:
    """The logarithm of softmax."""
    along = _only(x, axis, axes)
    if isinstance(along, int):
        return K.log_softmax(x, axis=along)
    return K.subtract(x, K.logsumexp(x, axis=along, keepdims=True))


def _only(x: KerasTensor, axis: int, axes: Sequence[int] | None) -> int | tuple[int, ...]:
    """The one axis that counts, or all of them if more than one has several elements."""
    if axes is None:
        return axis
    large = [place for place in axes if x.shape[place] != 1] or list(axes[-1:])
    return large[0] if len(large) == 1 else tuple(large)


@op("Hardmax", order="axis")
def hardmax(
    build: Build, x: KerasTensor, *, axis: int = -1, axes: Sequence[int] | None = None
) -> KerasTensor:
    """One at the first largest element along an axis, zero elsewhere."""
    found = _only(x, axis, axes)
    if not isinstance(found, int):
        raise build.fail("one axis with more than one element", "Export with opset 13 or newer.")
    axis = -1 if found == len(x.shape) - 1 else found  # Keras checks the axis too strictly
    return K.one_hot(K.argmax(x, axis=found), x.shape[found], axis=axis, dtype=x.dtype)
