"""AveragePool and LpPool: the exact number of elements that each window divides by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops.spatial.window import (
    Window,
    counts,
    every,
    pad_value,
    pad_zeros,
    window,
)
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

MEAN = (
    keras.layers.AveragePooling1D,
    keras.layers.AveragePooling2D,
    keras.layers.AveragePooling3D,
)


@op("AveragePool", order="spatial")
def average_pool(
    build: Build,
    x: KerasTensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> KerasTensor:
    """x (n, *space, c) → (n, *windows, c).

    Keras' "same" leaves the pads out of the mean, as count_include_pad=0 does.
    """
    found = window(x, kernel_shape, strides, pads, dilations, auto_pad)
    outputs = found.outputs(ceil=bool(ceil_mode))
    plain = set(found.dilations) == {1} and len(found.size) <= len(MEAN)
    if plain and found.same and not ceil_mode and not (count_include_pad and found.padded):
        return _layer(build, x, found, "same" if found.padded else "valid")
    number = counts(found, outputs, bool(count_include_pad))
    whole = float(np.prod(found.size))
    padded = found.reaching(outputs)
    if not plain:
        return K.divide(_sums(pad_value(x, padded, 0.0), padded, outputs), number)
    mean = _layer(build, pad_zeros(build, x, padded), padded, "valid")
    return mean if (number == whole).all() else K.multiply(mean, whole / number)


@op("LpPool", order="spatial")
def lp_pool(
    build: Build,
    x: KerasTensor,
    *,
    kernel_shape: Sequence[int],
    p: int = 2,
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
) -> KerasTensor:
    """x (n, *space, c) → (n, *windows, c), the p-norm of each window."""
    found = window(x, kernel_shape, strides, pads, dilations, auto_pad)
    outputs = found.outputs(ceil=bool(ceil_mode))
    found = found.reaching(outputs)
    powers = K.power(K.abs(pad_value(x, found, 0.0)), float(p))
    if set(found.dilations) == {1} and len(found.size) <= len(MEAN):
        total = K.multiply(_layer(build, powers, found, "valid"), float(np.prod(found.size)))
    else:
        total = _sums(powers, found, outputs)
    return K.power(total, 1.0 / p)


def _layer(build: Build, x: KerasTensor, found: Window, padding: str) -> KerasTensor:
    kind = MEAN[len(found.size) - 1]
    return build.layer(kind, x, pool_size=found.size, strides=found.strides, padding=padding)


def _sums(x: KerasTensor, found: Window, outputs: tuple[int, ...]) -> KerasTensor:
    """Sums over windows of a padded tensor, one axis after the other."""
    for axis, count in enumerate(outputs, start=1):
        step, gap = found.strides[axis - 1], found.dilations[axis - 1]
        taps = [every(x, axis, t * gap, count, step) for t in range(found.size[axis - 1])]
        x = taps[0]
        for tap in taps[1:]:
            x = K.add(x, tap)
    return x
