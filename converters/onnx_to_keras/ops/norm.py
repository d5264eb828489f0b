"""Normalisations: batch, layer, group, instance, RMS, and those without weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.arithmetic import sum_of
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@op("BatchNormalization", order="spatial")
def batch_normalization(
    build: Build,
    x: KerasTensor,
    scale: Operand,
    bias: Operand,
    mean: Operand,
    variance: Operand,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> KerasTensor:
    """x (n, *space, c) or (n, c), the rest (c,) → the same shape as x."""
    if training_mode:
        raise build.fail(
            "BatchNormalization with stored statistics (training_mode=0)",
            "Export the network in evaluation mode: model.eval() in PyTorch.",
        )
    if not spatial:
        raise build.fail("statistics per channel (spatial=1)", "Export with opset 9 or newer.")
    parts = (scale, bias, mean, variance)
    if all(isinstance(part, Constant) for part in parts):
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        return build.layer(
            keras.layers.BatchNormalization,
            x,
            weights=dict(zip(names, parts, strict=True)),
            axis=-1,
            epsilon=epsilon,
            momentum=momentum,
        )
    scale, bias, mean, variance = (build.tensor(part) for part in parts)
    factor = K.divide(scale, K.sqrt(K.add(variance, epsilon)))
    return sum_of(K.multiply(K.subtract(x, mean), factor), bias)


@op("LayerNormalization", order="axis")
def layer_normalization(
    build: Build,
    x: KerasTensor,
    scale: Operand,
    bias: Operand | None = None,
    *,
    axes: Sequence[int],
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> KerasTensor | tuple[KerasTensor, ...]:
    """x over `axes`, scale and bias of the sizes of these axes → the shape of x."""
    axes = sorted(axes)
    fixed = [part is None or _fills(part, x, axes) for part in (scale, bias)]
    if all(fixed):
        gamma, beta = (part and _sized(part, x, axes) for part in (scale, bias))
        y = build.layer(
            keras.layers.LayerNormalization,
            x,
            weights={"gamma": gamma, "beta": beta},
            axis=axes[0] if len(axes) == 1 else axes,
            epsilon=epsilon,
            center=bias is not None,
        )
    else:
        mean, inverse = _moments(x, axes, epsilon)
        y = K.multiply(K.multiply(K.subtract(x, mean), inverse), build.tensor(scale))
        y = y if bias is None else sum_of(y, build.tensor(bias))
    wanted = len([name for name in build.node.outputs if name])
    return y if wanted == 1 else (y, *_moments(x, axes, epsilon))


@op("RMSNormalization", order="axis")
def rms_normalization(
    build: Build,
    x: KerasTensor,
    scale: Operand,
    *,
    axes: Sequence[int],
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> KerasTensor:
    """x over the root of its mean square over `axes`, times scale."""
    axes = sorted(axes)
    if _fills(scale, x, axes):
        return build.layer(
            keras.layers.RMSNormalization,
            x,
            weights={"scale": _sized(scale, x, axes)},
            axis=axes,
            epsilon=epsilon,
        )
    square = K.mean(K.square(x), axis=tuple(axes), keepdims=True)
    return K.multiply(K.multiply(x, K.rsqrt(K.add(square, epsilon))), build.tensor(scale))


def _fills(part: Operand, x: KerasTensor, axes: Sequence[int]) -> bool:
    """Whether a constant has one number for each element of the axes, so that a layer owns it."""
    if not isinstance(part, Constant):
        return False
    sizes = [x.shape[axis] for axis in axes]
    return None not in sizes and part.value.size == np.prod(sizes)


def _sized(part: Operand, x: KerasTensor, axes: Sequence[int]) -> Constant:
    return replace(part, value=part.value.reshape([x.shape[axis] for axis in axes]))


def _moments(x: KerasTensor, axes: Sequence[int], epsilon: float) -> tuple[KerasTensor, ...]:
    """Mean and 1 / standard deviation over axes, which are kept."""
    mean = K.mean(x, axis=tuple(axes), keepdims=True)
    variance = K.mean(K.square(K.subtract(x, mean)), axis=tuple(axes), keepdims=True)
    return mean, K.divide(1.0, K.sqrt(K.add(variance, epsilon)))


@op("InstanceNormalization", order="spatial")
def instance_normalization(
    build: Build, x: KerasTensor, scale: Operand, bias: Operand, *, epsilon: float = 1e-5
) -> KerasTensor:
    """x (n, *space, c), scale and bias (c,): each channel of each example over its own moments."""
    return _grouped(build, x, scale, bias, -1, epsilon)


@op("GroupNormalization", order="spatial")
def group_normalization(
    build: Build,
    x: KerasTensor,
    scale: Operand,
    bias: Operand,
    *,
    num_groups: int,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> KerasTensor:
    """x (n, *space, c), scale and bias (c,) — or (groups,) as opset 18 had it."""
    return _grouped(build, x, scale, bias, num_groups, epsilon)


def _grouped(
    build: Build, x: KerasTensor, scale: Operand, bias: Operand, groups: int, epsilon: float
) -> KerasTensor:
    channels = x.shape[-1]
    if isinstance(scale, Constant) and isinstance(bias, Constant):
        gamma, beta = (
            replace(part, value=np.repeat(part.value, channels // part.value.size))
            for part in (scale, bias)
        )
        return build.layer(
            keras.layers.GroupNormalization,
            x,
            weights={"gamma": gamma, "beta": beta},
            groups=groups,
            axis=-1,
            epsilon=epsilon,
        )
    groups = channels if groups == -1 else groups
    inner = K.reshape(x, (-1, *x.shape[1:-1], groups, channels // groups))
    axes = [*range(1, len(x.shape) - 1), len(x.shape)]
    mean, inverse = _moments(inner, axes, epsilon)
    y = K.reshape(K.multiply(K.subtract(inner, mean), inverse), (-1, *x.shape[1:]))
    scale, bias = (
        K.repeat(part, channels // part.shape[0], axis=0)
        for part in (build.tensor(scale), build.tensor(bias))
    )
    return sum_of(K.multiply(y, scale), bias)


@op("MeanVarianceNormalization", order="axis")
def mean_variance_normalization(
    build: Build, x: KerasTensor, *, axes: Sequence[int]
) -> KerasTensor:
    """x less its mean, over its standard deviation, over `axes`."""
    centred = K.subtract(x, K.mean(x, axis=tuple(axes), keepdims=True))
    deviation = K.sqrt(K.mean(K.square(centred), axis=tuple(axes), keepdims=True))
    return K.divide(centred, K.add(deviation, 1e-9))


@op("LpNormalization", order="axis")
def lp_normalization(build: Build, x: KerasTensor, *, axis: int = -1, p: int = 2) -> KerasTensor:
    """x over its p-norm along an axis; zero where the norm is zero."""
    size = K.sum(K.abs(x), axis=axis, keepdims=True) if p == 1 else None
    if size is None:
        size = K.sqrt(K.sum(K.square(x), axis=axis, keepdims=True))
    return K.divide_no_nan(x, size)
