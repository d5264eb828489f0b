"""Arithmetic of sliding windows: kernel, strides, dilations and pads on each spatial axis.

pads:  before |■ ■ ■|. . . . . . . .| after       size 3, dilation 1
              strides ─▶|■ ■ ■|
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@dataclass(frozen=True)
class Window:
    """A window on each spatial axis; all tuples have one entry an axis."""

    extent: tuple[int, ...]  # sizes of the input
    size: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    upper: bool = False  # whether the pads were asked for as "the same size as the input"

    @property
    def span(self) -> tuple[int, ...]:
        """Input elements from the first to the last of a window."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.size, self.dilations, strict=True))

    @property
    def padded(self) -> bool:
        """Whether there are pads at all."""
        return any(self.before) or any(self.after)

    @property
    def same(self) -> bool:
        """Whether the pads are what Keras means by "same", whatever the size of the input."""
        if self.upper:
            return True
        edges = zip(self.span, self.before, self.after, strict=True)
        unit = all(stride == 1 for stride in self.strides)
        return unit and all((b, a) == ((s - 1) // 2, s // 2) for s, b, a in edges)

    def outputs(self, ceil: bool = False) -> tuple[int, ...]:
        """Sizes of the output; with `ceil` a last window may stick out, if it starts inside."""
        found = []
        edges = zip(self.extent, self.span, self.strides, self.before, self.after, strict=True)
        for extent, span, stride, before, after in edges:
            room = extent + before + after - span
            count = (-(-room // stride) if ceil else room // stride) + 1
            if ceil and (count - 1) * stride >= extent + before:
                count -= 1
            found.append(count)
        return tuple(found)

    def reaching(self, outputs: Sequence[int]) -> Window:
        """The window with pads after the input that let so many outputs fit."""
        edges = zip(outputs, self.strides, self.span, self.extent, self.before, strict=True)
        needed = [(n - 1) * stride + s - extent - b for n, stride, s, extent, b in edges]
        after = tuple(max(a, n) for a, n in zip(self.after, needed, strict=True))
        return replace(self, after=after)


def window(
    x: KerasTensor,
    size: Sequence[int],
    strides: Sequence[int] | None = None,
    pads: Sequence[int] | None = None,
    dilations: Sequence[int] | None = None,
    auto_pad: str = "NOTSET",
) -> Window:
    """The Window of ONNX attributes over a channels-last tensor, with auto_pad worked out."""
    rank = len(size)
    extent = tuple(int(n) for n in x.shape[1:-1])
    strides = tuple(strides or (1,) * rank)
    dilations = tuple(dilations or (1,) * rank)
    span = [(k - 1) * d + 1 for k, d in zip(size, dilations, strict=True)]
    if auto_pad in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max((-(-n // stride) - 1) * stride + s - n, 0)
            for n, stride, s in zip(extent, strides, span, strict=True)
        ]
        small, large = tuple(t // 2 for t in total), tuple(t - t // 2 for t in total)
        before, after = (small, large) if auto_pad == "SAME_UPPER" else (large, small)
    elif auto_pad == "VALID" or not pads:
        before = after = (0,) * rank
    else:
        before, after = tuple(pads[:rank]), tuple(pads[rank:])
    upper = auto_pad == "SAME_UPPER"
    return Window(extent, tuple(size), strides, dilations, before, after, upper)


def pad_zeros(build: Build, x: KerasTensor, found: Window) -> KerasTensor:
    """The tensor with the pads of a window, as a ZeroPadding layer."""
    if not found.padded:
        return x
    rank = len(found.size)
    kinds = (keras.layers.ZeroPadding1D, keras.layers.ZeroPadding2D, keras.layers.ZeroPadding3D)
    edges = tuple(zip(found.before, found.after, strict=True))
    return build.layer(kinds[rank - 1], x, padding=edges[0] if rank == 1 else edges)


def pad_value(x: KerasTensor, found: Window, value: float) -> KerasTensor:
    """The tensor with the pads of a window, filled with a number."""
    if not found.padded:
        return x
    edges = [(0, 0), *zip(found.before, found.after, strict=True), (0, 0)]
    return K.pad(x, edges, constant_values=value)


def every(x: KerasTensor, axis: int, start: int, count: int, step: int) -> KerasTensor:
    """`count` elements of an axis from `start`, `step` apart."""
    index: list[slice] = [slice(None)] * len(x.shape)
    index[axis] = slice(start, start + (count - 1) * step + 1, step)
    return x[tuple(index)]


def counts(found: Window, outputs: Sequence[int], include_pad: bool) -> np.ndarray:
    """How many elements count in each window, (1, *outputs, 1) float32.

    Pads count if asked for; what a last window has beyond them (ceil_mode) never does.
    """
    total = np.ones((), dtype=np.float32)
    for axis, n in enumerate(outputs):
        starts = np.arange(n) * found.strides[axis] - found.before[axis]
        places = starts[:, None] + np.arange(found.size[axis]) * found.dilations[axis]
        first = -found.before[axis] if include_pad else 0
        last = found.extent[axis] + (found.after[axis] if include_pad else 0)
        inside = ((places >= first) & (places < last)).sum(axis=1)
        total = np.multiply.outer(total, inside.astype(np.float32))
    return total.reshape(1, *outputs, 1)
