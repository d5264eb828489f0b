"""Convolutions: Conv1D, Conv2D, Conv3D, and DepthwiseConv where each channel has its own kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.spatial.window import Window, every, pad_value, pad_zeros, window
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

CONVS = (keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D)
DEPTHWISE = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)


@op("Conv", order="spatial")
def conv(
    build: Build,
    x: KerasTensor,
    kernel: Operand,
    bias: Operand | None = None,
    *,
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    group: int = 1,
    auto_pad: str = "NOTSET",
    kernel_shape: Sequence[int] | None = None,
) -> KerasTensor:
    """x (n, *space, c), kernel (filters, c / group, *size) → (n, *space, filters)."""
    shape = kernel.value.shape if isinstance(kernel, Constant) else kernel.shape
    if len(shape) not in (3, 4, 5):
        raise build.fail("one to three spatial axes", "Reshape before and after it.")
    found = window(x, shape[2:], strides, pads, dilations, auto_pad)
    if isinstance(kernel, Constant):
        return convolve(build, x, kernel, bias, found, group)
    return convolve_tensor(build, x, kernel, bias, found, group)


def convolve(
    build: Build,
    x: KerasTensor,
    kernel: Constant,
    bias: Operand | None,
    found: Window,
    group: int,
) -> KerasTensor:
    """The convolution as one layer that owns the kernel (filters, c / group, *size)."""
    strided = any(s > 1 for s in found.strides)
    dilated = any(d > 1 for d in found.dilations)
    if strided and dilated:  # Keras refuses the pair: every output, then each stride-th
        thin, found = found, replace(found, strides=(1,) * len(found.size), upper=False)
        full = convolve(build, x, kernel, bias, found, group)
        for axis, (count, step) in enumerate(zip(thin.outputs(), thin.strides, strict=True)):
            full = every(full, axis + 1, 0, count, step)
        return full
    channels, rank = x.shape[-1], len(found.size)
    alone = group == channels > 1 and rank <= 2 and len(set(found.strides)) == 1
    config: dict[str, object] = {"kernel_size": found.size, "strides": found.strides}
    config |= {"dilation_rate": found.dilations, "padding": "same" if found.same else "valid"}
    x = x if found.same else pad_zeros(build, x, found)
    own = bias if isinstance(bias, Constant) else None
    config["use_bias"] = own is not None
    if alone:
        multiplier = kernel.value.shape[0] // channels
        weights = {"kernel": depthwise_kernel(kernel, channels), "bias": own}
        kind, config["depth_multiplier"] = DEPTHWISE[rank - 1], multiplier
    else:
        value = np.transpose(kernel.value, (*range(2, rank + 2), 1, 0))
        weights = {"kernel": replace(kernel, value=value), "bias": own}
        kind = CONVS[rank - 1]
        config |= {"filters": kernel.value.shape[0], "groups": group}
    y = build.layer(kind, x, weights=weights, **config)
    return y if bias is own else K.add(y, bias)


def depthwise_kernel(kernel: Constant, channels: int) -> Constant:
    """(channels * m, 1, *size) → (*size, channels, m)."""
    size = kernel.value.shape[2:]
    value = kernel.value.reshape(channels, -1, *size)
    return replace(kernel, value=np.transpose(value, (*range(2, len(size) + 2), 0, 1)))


def convolve_tensor(
    build: Build,
    x: KerasTensor,
    kernel: KerasTensor,
    bias: Operand | None,
    found: Window,
    group: int,
) -> KerasTensor:
    """The convolution with a kernel that is computed by the network itself."""
    rank = len(found.size)
    x = pad_value(x, found, 0.0)
    kernel = K.transpose(kernel, (*range(2, rank + 2), 1, 0))
    dilated = any(d > 1 for d in found.dilations)
    strides = 1 if dilated else found.strides
    parts = zip(K.split(x, group, axis=-1), K.split(kernel, group, axis=-1), strict=True)
    pieces = [
        K.conv(piece, own, strides=strides, padding="valid", dilation_rate=found.dilations)
        for piece, own in (parts if group > 1 else [(x, kernel)])
    ]
    y = K.concatenate(pieces, axis=-1) if group > 1 else pieces[0]
    for axis, step in enumerate(found.strides if dilated else ()):
        y = every(y, axis + 1, 0, found.outputs()[axis], step)
    return y if bias is None else K.add(y, build.tensor(bias))
