"""MaxPool and the global pools; a pad of a maximum is minus infinity, never zero."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops.spatial.window import Window, every, pad_value, window
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

MAX = (keras.layers.MaxPooling1D, keras.layers.MaxPooling2D, keras.layers.MaxPooling3D)
GLOBAL_MEAN = (
    keras.layers.GlobalAveragePooling1D,
    keras.layers.GlobalAveragePooling2D,
    keras.layers.GlobalAveragePooling3D,
)
GLOBAL_MAX = (
    keras.layers.GlobalMaxPooling1D,
    keras.layers.GlobalMaxPooling2D,
    keras.layers.GlobalMaxPooling3D,
)


@op("MaxPool", order="spatial")
def max_pool(
    build: Build,
    x: KerasTensor,
    *,
    kernel_shape: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
) -> KerasTensor:
    """x (n, *space, c) → (n, *windows, c)."""
    if len([name for name in build.node.outputs if name]) > 1:
        raise build.fail(
            "MaxPool without its second output (the places of the maxima)",
            "Unpool with Resize or ConvTranspose instead.",
        )
    found = window(x, kernel_shape, strides, pads, dilations, auto_pad)
    outputs = found.outputs(ceil=bool(ceil_mode))
    whole = not np.issubdtype(np.dtype(x.dtype), np.floating)
    if not ceil_mode and found.same and not whole and set(found.dilations) == {1} and _fits(found):
        return _layer(build, x, found, "same")
    found = found.reaching(outputs)
    least = float(np.iinfo(x.dtype).min) if whole else -np.inf
    if whole:  # TensorFlow pools floating-point numbers only
        return K.cast(
            _pooled(build, pad_value(K.cast(x, "float32"), found, least), found, outputs), x.dtype
        )
    return _pooled(build, pad_value(x, found, least), found, outputs)


def _fits(found: Window) -> bool:
    return len(found.size) <= len(MAX)


def _pooled(build: Build, x: KerasTensor, found: Window, outputs: tuple[int, ...]) -> KerasTensor:
    """Maxima over windows of a padded tensor."""
    if set(found.dilations) == {1} and _fits(found):
        return _layer(build, x, found, "valid")
    for axis, count in enumerate(outputs, start=1):
        step, gap = found.strides[axis - 1], found.dilations[axis - 1]
        taps = [every(x, axis, t * gap, count, step) for t in range(found.size[axis - 1])]
        x = taps[0]
        for tap in taps[1:]:
            x = K.maximum(x, tap)
    return x


def _layer(build: Build, x: KerasTensor, found: Window, padding: str) -> KerasTensor:
    kind = MAX[len(found.size) - 1]
    return build.layer(kind, x, pool_size=found.size, strides=found.strides, padding=padding)


@op("GlobalAveragePool", order="spatial")
def global_average_pool(build: Build, x: KerasTensor) -> KerasTensor:
    """x (n, *space, c) → (n, 1.., c)."""
    return spatial_mean(build, x, keepdims=True)


def spatial_mean(build: Build, x: KerasTensor, keepdims: bool) -> KerasTensor:
    """The mean over all axes but the first and the last, as a layer where Keras has one."""
    rank = len(x.shape) - 2
    if rank > len(GLOBAL_MEAN):
        return K.mean(x, axis=tuple(range(1, rank + 1)), keepdims=keepdims)
    return build.layer(GLOBAL_MEAN[rank - 1], x, keepdims=keepdims)


@op("GlobalMaxPool", order="spatial")
def global_max_pool(build: Build, x: KerasTensor) -> KerasTensor:
    """x (n, *space, c) → (n, 1.., c)."""
    rank = len(x.shape) - 2
    if rank > len(GLOBAL_MAX):
        return K.max(x, axis=tuple(range(1, rank + 1)), keepdims=True)
    return build.layer(GLOBAL_MAX[rank - 1], x, keepdims=True)


@op("GlobalLpPool", order="spatial")
def global_lp_pool(build: Build, x: KerasTensor, *, p: int = 2) -> KerasTensor:
    """x (n, *space, c) → (n, 1.., c), the p-norm over space."""
    axes = tuple(range(1, len(x.shape) - 1))
    total = K.sum(K.power(K.abs(x), float(p)), axis=axes, keepdims=True)
    return K.power(total, 1.0 / p)
