"""Convolution, pooling and attention as operations of keras.ops."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.layers.conv import depthwise_kernel
from converters.keras_to_onnx.parts import windows
from converters.keras_to_onnx.parts.align import array_of, is_variable, number
from converters.keras_to_onnx.parts.attending import attend
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@operation("Conv")
def conv(g: Graph, op: Any, out: Spec, x: Any, kernel: Any) -> Value:
    """Conv with a fixed kernel; groups are what its channels leave."""
    *size, inside, _ = kernel.shape
    weight = _kernel(g, kernel, windows.kernel_first, "kernel first")
    channels = x.shape[windows.channel_axis(op.data_format)]
    groups = channels // inside
    return windows.convolve(g, x, weight, None, out, kernel=size, settings=op, groups=groups)


@operation("DepthwiseConv")
def depthwise_conv(g: Graph, op: Any, out: Spec, x: Value, kernel: Any) -> Value:
    """Conv with a group for every channel."""
    return _by_channel(g, op, out, x, kernel)


@operation("SeparableConv")
def separable_conv(g: Graph, op: Any, out: Spec, x: Value, depthwise: Any, point: Any) -> Value:
    """A depthwise Conv and a Conv of size 1."""
    middle = list(out.shape)
    middle[windows.channel_axis(op.data_format)] = depthwise.shape[-2] * depthwise.shape[-1]
    y = _by_channel(g, op, Spec(tuple(middle), out.dtype), x, depthwise)
    weight = _kernel(g, point, windows.kernel_first, "kernel first")
    ones = [1] * (y.rank - 2)
    return g.emit("Conv", [y, weight], out.shape, "float32", y.order, kernel_shape=ones)


@operation("ConvTranspose")
def conv_transpose(g: Graph, op: Any, out: Spec, x: Value, kernel: Any) -> Value:
    """ConvTranspose with a fixed kernel."""
    weight = _kernel(g, kernel, windows.kernel_first, "kernel first")
    size = kernel.shape[:-2]
    return windows.convolve_back(g, x, weight, None, out, kernel=size, settings=op)


@operation("MaxPool")
def max_pool(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """MaxPool."""
    return windows.pool(g, x, out, "MaxPool", op)


@operation("AveragePool")
def average_pool(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """AveragePool without the padding."""
    return windows.pool(g, x, out, "AveragePool", op)


@operation("AdaptiveAveragePool")
def adaptive_average(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """AveragePool, or a matrix along each axis."""
    return windows.adaptive_pool(g, x, out, "AveragePool", op)


@operation("AdaptiveMaxPool")
def adaptive_max(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """MaxPool, where windows are equal."""
    return windows.adaptive_pool(g, x, out, "MaxPool", op)


@operation("DotProductAttention")
def dot_product_attention(
    g: Graph,
    op: Any,
    out: Spec,
    query: Value,
    key: Value,
    value: Value,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
) -> Value:
    """Attention over (n, t, heads, size)."""
    if op.attn_logits_soft_cap is not None:
        raise UnwrittenError("expected attention without a soft cap")
    kept = None if mask is None else number(g, mask, "bool")
    q, k, v = (number(g, side, "float32") for side in (query, key, value))
    return attend(g, q, k, v, scale=scale, mask=kept, bias=bias, causal=op.is_causal)[0]


@operation("DepthToSpace", "SpaceToDepth")
def depth_and_space(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The node of that name, blocks first."""
    x = windows.spatial_first(g, x, op.data_format)
    kind, block = type(op).__name__, int(op.block_size)
    return g.emit(kind, [x], out.shape, x.dtype, x.order, blocksize=block)


def _by_channel(g: Graph, op: Any, out: Spec, x: Value, kernel: Any) -> Value:
    *size, channels, multiplier = kernel.shape
    shape = (channels * multiplier, 1, *size)
    weight = _kernel(g, kernel, depthwise_kernel, "depthwise", shape)
    return windows.convolve(g, x, weight, None, out, kernel=size, settings=op, groups=channels)


def _kernel(
    g: Graph, kernel: Any, change: Any, kind: str, shape: tuple[int, ...] | None = None
) -> str | np.ndarray:
    if isinstance(kernel, Value):
        raise UnwrittenError("expected a fixed kernel, came one that the network computes")
    if is_variable(kernel):
        return g.weight(kernel.path.rsplit("/", 1)[-1], kernel, change, shape, kind)
    array = change(array_of(kernel, "float32"))
    return array if shape is None else array.reshape(shape)
