"""How many numbers a layer is about to allocate, told before it does.

A config of a few bytes may ask for a layer of terabytes. The weights are all in the file, so a
layer can need no more numbers than the file holds.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

Shape = Sequence[int | None]


def numbers(layer: keras.layers.Layer, input_shape: Any) -> int:
    """Numbers in the layer's weights once it is built for this input; 0 for other layers."""
    if isinstance(layer, keras.layers.TimeDistributed):
        return numbers(layer.layer, (input_shape[0], *input_shape[2:]))
    if isinstance(layer, keras.layers.Bidirectional):
        return 2 * numbers(layer.forward_layer, input_shape)
    if isinstance(layer, keras.layers.RNN) and type(layer) is keras.layers.RNN:
        return _cells(layer.cell, input_shape)
    for kind, count in _COUNTS:
        if isinstance(layer, kind):
            return int(count(layer, input_shape))
    return 0


def _last(shape: Shape) -> int:
    return shape[-1] or 0


def _conv(layer: Any, shape: Shape) -> int:
    groups = getattr(layer, "groups", 1)
    return math.prod(layer.kernel_size) * _last(shape) * layer.filters // max(1, groups)


def _depthwise(layer: Any, shape: Shape) -> int:
    return math.prod(layer.kernel_size) * _last(shape) * layer.depth_multiplier


def _separable(layer: Any, shape: Shape) -> int:
    middle = _last(shape) * layer.depth_multiplier
    return math.prod(layer.kernel_size) * middle + middle * layer.filters


def _gated(gates: int) -> Callable[[Any, Shape], int]:
    return lambda layer, shape: gates * layer.units * (layer.units + _last(shape))


def _conv_lstm(layer: Any, shape: Shape) -> int:
    size = math.prod(layer.cell.kernel_size)
    return 4 * size * layer.cell.filters * (layer.cell.filters + _last(shape))


def _heads(layer: Any, shape: Shape) -> int:
    width = layer.key_dim + (layer.value_dim or layer.key_dim)
    return 2 * layer.num_heads * width * _last(shape)


def _einsum(layer: Any, shape: Shape) -> int:
    left, _, right = layer.equation.partition("->")
    x, _, kernel = left.partition(",")
    sizes = dict(zip(reversed(x), reversed(list(shape)), strict=False))
    out = layer.partial_output_shape
    out = [out] if isinstance(out, int) else list(out)
    sizes |= dict(zip(reversed(right), reversed(out), strict=False))
    return math.prod(sizes.get(letter) or 1 for letter in kernel)


def _norm(layer: Any, shape: Shape) -> int:
    axis = getattr(layer, "axis", -1)
    axes = [axis] if isinstance(axis, int) else list(axis)
    return math.prod(shape[a] or 1 for a in axes)


def _prelu(layer: Any, shape: Shape) -> int:
    shared = layer.shared_axes or ()
    return math.prod(d or 1 for axis, d in enumerate(shape) if axis and axis not in shared)


def _cells(cell: Any, shape: Shape) -> int:
    width, total = _last(shape), 0
    for one in getattr(cell, "cells", [cell]):
        total += 4 * one.units * (one.units + width)
        width = one.units
    return total


_L = keras.layers
_COUNTS: tuple[tuple[Any, Callable[[Any, Shape], float]], ...] = (
    (_L.Dense, lambda layer, shape: layer.units * _last(shape)),
    (_L.Embedding, lambda layer, _: layer.input_dim * layer.output_dim),
    ((_L.DepthwiseConv1D, _L.DepthwiseConv2D), _depthwise),
    ((_L.SeparableConv1D, _L.SeparableConv2D), _separable),
    ((_L.Conv1D, _L.Conv2D, _L.Conv3D), _conv),
    ((_L.Conv1DTranspose, _L.Conv2DTranspose, _L.Conv3DTranspose), _conv),
    (_L.LSTM, _gated(4)),
    (_L.GRU, _gated(3)),
    (_L.SimpleRNN, _gated(1)),
    ((_L.ConvLSTM1D, _L.ConvLSTM2D, _L.ConvLSTM3D), _conv_lstm),
    (_L.MultiHeadAttention, _heads),
    (_L.EinsumDense, _einsum),
    ((_L.BatchNormalization, _L.LayerNormalization, _L.GroupNormalization), _norm),
    (_L.PReLU, _prelu),
)
