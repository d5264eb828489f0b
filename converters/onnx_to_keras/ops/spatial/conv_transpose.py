"""Transposed convolutions: Conv1DTranspose to Conv3DTranspose, and a crop where pads ask for one.

Grouped and dilated ones, which Keras has not: zeros between the inputs, then a plain convolution
with the kernel turned round (Dumoulin and Visin, "A guide to convolution arithmetic", 2016).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.spatial.conv import convolve, convolve_tensor
from converters.onnx_to_keras.ops.spatial.window import Window, every
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

TRANSPOSES = (
    keras.layers.Conv1DTranspose,
    keras.layers.Conv2DTranspose,
    keras.layers.Conv3DTranspose,
)


@dataclass(frozen=True)
class _Cut:
    """Where the result lies in the full output: first element and number, an axis each."""

    first: tuple[int, ...]
    count: tuple[int, ...]


@op("ConvTranspose", order="spatial")
def conv_transpose(
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
    output_padding: Sequence[int] | None = None,
    output_shape: Sequence[int] | None = None,
) -> KerasTensor:
    """x (n, *space, c), kernel (c, filters / group, *size) → (n, *space, filters)."""
    shape = kernel.value.shape if isinstance(kernel, Constant) else kernel.shape
    rank = len(shape) - 2
    if rank not in (1, 2, 3):
        raise build.fail("one to three spatial axes", "Reshape before and after it.")
    zeros, ones = (0,) * rank, (1,) * rank
    extent = tuple(int(n) for n in x.shape[1:-1])
    found = Window(
        extent, shape[2:], tuple(strides or ones), tuple(dilations or ones), zeros, zeros
    )
    cut = _cut(found, pads, output_padding or zeros, output_shape, auto_pad)
    plain = isinstance(kernel, Constant) and group == 1 and set(found.dilations) == {1}
    if plain:
        return _layer(build, x, kernel, bias, found, cut)
    return _stuffed(build, x, kernel, bias, found, cut, group)


def _cut(
    found: Window,
    pads: Sequence[int] | None,
    extra: Sequence[int],
    output_shape: Sequence[int] | None,
    auto_pad: str,
) -> _Cut:
    """The part of the full output that ONNX wants, after its rules for pads and output_shape."""
    rank = len(found.size)
    full = [
        stride * (extent - 1) + more + span
        for stride, extent, more, span in zip(
            found.strides, found.extent, extra, found.span, strict=True
        )
    ]
    wanted = list(output_shape[-rank:]) if output_shape else None
    if wanted is None and auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * stride for n, stride in zip(found.extent, found.strides, strict=True)]
    if wanted is not None:
        total = [max(n - want, 0) for n, want in zip(full, wanted, strict=True)]
        half = [t // 2 for t in total]
        large = [t - h for t, h in zip(total, half, strict=True)]
        return _Cut(tuple(half if auto_pad == "SAME_UPPER" else large), tuple(wanted))
    edges = list(pads or (0,) * (2 * rank)) if auto_pad == "NOTSET" else [0] * (2 * rank)
    count = (n - edges[a] - edges[rank + a] for a, n in enumerate(full))
    return _Cut(tuple(edges[:rank]), tuple(count))


def _layer(
    build: Build,
    x: KerasTensor,
    kernel: Constant,
    bias: Operand | None,
    found: Window,
    cut: _Cut,
) -> KerasTensor:
    """One ConvTranspose layer; a crop behind it unless its own "same" is what is wanted."""
    rank, edges = len(found.size), list(zip(found.span, found.strides, strict=True))
    same = all(
        first == max(span - stride, 0) // 2 and count == extent * stride
        for (span, stride), first, count, extent in zip(
            edges, cut.first, cut.count, found.extent, strict=True
        )
    )
    if not same:  # outputs beyond the last input are bias alone: inputs of zero give them
        size = [n * s + max(span - s, 0) for n, (span, s) in zip(found.extent, edges, strict=True)]
        short = [f + c - n for f, c, n in zip(cut.first, cut.count, size, strict=True)]
        after = [(0, max(-(-n // s), 0)) for n, (_, s) in zip(short, edges, strict=True)]
        x = K.pad(x, [(0, 0), *after, (0, 0)]) if any(a for _, a in after) else x
    own = bias if isinstance(bias, Constant) else None
    value = np.transpose(kernel.value, (*range(2, rank + 2), 1, 0))
    y = build.layer(
        TRANSPOSES[rank - 1],
        x,
        weights={"kernel": replace(kernel, value=value), "bias": own},
        filters=kernel.value.shape[1],
        kernel_size=found.size,
        strides=found.strides,
        padding="same" if same else "valid",
        use_bias=own is not None,
    )
    for axis, (first, count) in enumerate(zip(cut.first, cut.count, strict=True)):
        if count != y.shape[axis + 1]:
            y = every(y, axis + 1, first, count, 1)
    return y if bias is own else K.add(y, bias)


def _stuffed(
    build: Build,
    x: KerasTensor,
    kernel: Operand,
    bias: Operand | None,
    found: Window,
    cut: _Cut,
    group: int,
) -> KerasTensor:
    """Zeros between the inputs, then a convolution of stride 1 with the turned kernel."""
    rank = len(found.size)
    x = spread(x, found.strides)
    extent = tuple(int(n) for n in x.shape[1:-1])
    before = tuple(span - 1 - first for span, first in zip(found.span, cut.first, strict=True))
    after = tuple(
        count - 1 + span - n - b
        for count, span, n, b in zip(cut.count, found.span, extent, before, strict=True)
    )
    if min(before + after) < 0:
        for axis, (b, a) in enumerate(zip(before, after, strict=True)):
            x = every(x, axis + 1, max(-b, 0), extent[axis] - max(-b, 0) - max(-a, 0), 1)
        extent = tuple(int(n) for n in x.shape[1:-1])
        before = tuple(max(b, 0) for b in before)
        after = tuple(max(a, 0) for a in after)
    plain = Window(extent, found.size, (1,) * rank, found.dilations, before, after)
    if isinstance(kernel, Constant):
        turned = replace(kernel, value=_turned(kernel.value, group))
        return convolve(build, x, turned, bias, plain, group)
    grouped = K.reshape(K.flip(kernel, axis=tuple(range(2, rank + 2))), _split(kernel, group))
    swapped = K.transpose(grouped, (0, 2, 1, *range(3, rank + 3)))
    shape = (group * kernel.shape[1], kernel.shape[0] // group, *found.size)
    return convolve_tensor(build, x, K.reshape(swapped, shape), bias, plain, group)


def _split(kernel: KerasTensor | np.ndarray, group: int) -> tuple[int, ...]:
    return (group, kernel.shape[0] // group, *kernel.shape[1:])


def _turned(kernel: np.ndarray, group: int) -> np.ndarray:
    """(c, filters / group, *size) → (filters, c / group, *size), each kernel back to front."""
    turned = np.flip(kernel, axis=tuple(range(2, kernel.ndim))).reshape(_split(kernel, group))
    swapped = np.swapaxes(turned, 1, 2)
    return swapped.reshape(-1, *swapped.shape[2:])


def spread(x: KerasTensor, strides: tuple[int, ...]) -> KerasTensor:
    """The tensor with stride - 1 zeros between neighbours: (n - 1) * stride + 1 an axis."""
    for axis, stride in enumerate(strides, start=1):
        if stride == 1:
            continue
        shape = list(x.shape)
        shape[0] = -1
        wide = K.pad(K.expand_dims(x, axis + 1), [
            (0, stride - 1) if place == axis + 1 else (0, 0) for place in range(len(shape) + 1)
        ])  # fmt: skip
        extent = shape[axis]
        shape[axis] = extent * stride
        x = every(K.reshape(wide, shape), axis, 0, (extent - 1) * stride + 1, 1)
    return x
