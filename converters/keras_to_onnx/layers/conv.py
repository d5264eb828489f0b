"""Convolutions: kernels are written channels-first, biases and names as the layer has them."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.layers.activate import activated
from converters.keras_to_onnx.parts.windows import convolve, convolve_back, kernel_first
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@layer("Conv1D", "Conv2D", "Conv3D")
def conv(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Conv, with the bias inside it."""
    _float_only(op)
    weight = g.weight("weight", op.kernel, kernel_first, kind="kernel first")
    y = convolve(
        g, x, weight, _bias(g, op), out, kernel=op.kernel_size, settings=op, groups=op.groups
    )
    return activated(g, op.activation, y)


@layer("DepthwiseConv1D", "DepthwiseConv2D")
def depthwise(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Conv with a group for every input channel."""
    y = _by_channel(g, op, out, x, "weight", op.kernel, _bias(g, op))
    return activated(g, op.activation, y)


@layer("SeparableConv1D", "SeparableConv2D")
def separable(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """A depthwise Conv and a Conv of size 1."""
    middle = list(out.shape)
    channels = op.depthwise_kernel.shape[-2] * op.depth_multiplier
    middle[-1 if op.data_format == "channels_last" else 1] = channels
    inner = Spec(tuple(middle), out.dtype)
    y = _by_channel(g, op, inner, x, "depthwise.weight", op.depthwise_kernel, None)
    point = g.weight("pointwise.weight", op.pointwise_kernel, kernel_first, kind="kernel first")
    ones = [1] * (y.rank - 2)
    bias = _bias(g, op)
    y = g.emit("Conv", [y, point, bias], out.shape, "float32", y.order, kernel_shape=ones)
    return activated(g, op.activation, y)


@layer("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
def conv_transpose(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """ConvTranspose, with the bias inside it."""
    weight = g.weight("weight", op.kernel, kernel_first, kind="kernel first")
    y = convolve_back(g, x, weight, _bias(g, op), out, kernel=op.kernel_size, settings=op)
    return activated(g, op.activation, y)


def depthwise_kernel(array: np.ndarray) -> np.ndarray:
    """(*kernel, c, multiplier) → (c, multiplier, *kernel), a view."""
    return np.moveaxis(array, (-2, -1), (0, 1))


def _by_channel(
    g: Graph, op: Any, out: Spec, x: Value, name: str, kernel: Any, bias: str | None
) -> Value:
    *size, channels, multiplier = kernel.shape
    weight = g.weight(
        name, kernel, depthwise_kernel, (channels * multiplier, 1, *size), kind="depthwise"
    )
    return convolve(g, x, weight, bias, out, kernel=size, settings=op, groups=channels)


def _bias(g: Graph, op: Any) -> str | None:
    return g.weight("bias", op.bias) if op.use_bias else None


def _float_only(op: Any) -> None:
    if getattr(op, "quantization_mode", None):
        raise UnwrittenError(f"expected float weights, came quantised ones in '{op.name}'")
