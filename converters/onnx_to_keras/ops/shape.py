"""What moves, repeats, joins or cuts elements and leaves their values: no arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

_ENDLESS = 2**31 - 1  # TensorFlow's slices count in 32 bits
_ZERO_PADDING = {
    3: keras.layers.ZeroPadding1D,
    4: keras.layers.ZeroPadding2D,
    5: keras.layers.ZeroPadding3D,
}


@op("Identity", order="pointwise")
def identity(build: Build, x: KerasTensor) -> KerasTensor:
    """x itself."""
    return x


@op("Reshape", order="own")
def reshape(build: Build, x: KerasTensor, *, shape: Sequence[int]) -> KerasTensor:
    """The elements of x in another shape; -1 follows the batch."""
    if tuple(shape) == tuple(-1 if n is None else n for n in x.shape):
        return x
    batched = len(shape) > 1 and x.shape and x.shape[0] is None and shape[0] == -1
    if batched and _product(x.shape[1:]) == _product(shape[1:]):  # the batch is as it was
        if len(shape) == 2 and len(x.shape) > 2:
            return build.layer(keras.layers.Flatten, x)
        return build.layer(keras.layers.Reshape, x, target_shape=tuple(shape[1:]))
    return K.reshape(x, tuple(shape))


def _product(sizes: Sequence[int | None]) -> int:
    """Number of elements; negative if it is not known."""
    known = [n for n in sizes if n is not None and n >= 0]
    return math.prod(known) if len(known) == len(sizes) else -1


@op("Transpose", order="own")
def transpose(build: Build, x: KerasTensor, *, perm: Sequence[int]) -> KerasTensor:
    """The axes of x in another order."""
    if len(perm) < 2:
        return x
    if perm[0] == 0:
        return build.layer(keras.layers.Permute, x, dims=tuple(perm[1:]))
    return K.transpose(x, tuple(perm))


@op("Concat", order="concat")
def concat(build: Build, *inputs: Operand, axis: int) -> KerasTensor:
    """The inputs end to end along an axis."""
    if len(inputs) == 1:
        return inputs[0]
    tensors = [x for x in inputs if not isinstance(x, Constant)]
    if len(tensors) == len(inputs) and axis > 0 and all(is_float(x) for x in tensors):
        return build.layer(keras.layers.Concatenate, tensors, axis=axis)
    return K.concatenate([build.tensor(x) for x in inputs], axis=axis)


@op("Split", order="own")
def split(
    build: Build, x: KerasTensor, *, axis: int, sizes: Sequence[int]
) -> tuple[KerasTensor, ...]:
    """Consecutive pieces of these sizes along an axis."""
    edges = np.cumsum(sizes)[:-1].tolist()
    return tuple(K.split(x, edges, axis=axis)) if edges else (x,)


@op("Slice", order="own")
def slice_(
    build: Build,
    x: KerasTensor,
    *,
    starts: Sequence[int],
    ends: Sequence[int],
    axes: Sequence[int],
    steps: Sequence[int],
) -> KerasTensor:
    """Every step-th element from start to before end, an axis each."""
    index: list[slice] = [slice(None)] * len(x.shape)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        index[axis] = _bounded(x.shape[axis], start, end, step)
    whole = all(part == slice(None) for part in index)
    return x if whole else x[tuple(index)]


def _bounded(extent: int | None, start: int, end: int, step: int) -> slice:
    """The same slice in numbers that fit 32 bits, without the bounds that cut nothing off."""
    if extent is None:
        first = None if start == 0 or abs(start) >= _ENDLESS else start
        last = None if abs(end) >= _ENDLESS else end
        return slice(first, last, None if step == 1 else step)
    first, last, step = slice(start, end, step).indices(extent)
    if step > 0:
        return slice(first or None, None if last == extent else last, None if step == 1 else step)
    return slice(first, None if last < 0 else last, step)


@op("Pad", order="own")
def pad(
    build: Build,
    x: KerasTensor,
    *,
    before: Sequence[int],
    after: Sequence[int],
    mode: Literal["constant", "reflect", "edge", "wrap"] = "constant",
    value: float = 0.0,
) -> KerasTensor:
    """x with elements added at both ends of each axis; a negative number takes some away."""
    if min(*before, *after) < 0:
        crop = [
            slice(max(-b, 0) or None, min(a, 0) or None) for b, a in zip(before, after, strict=True)
        ]
        x = x[tuple(crop)]
        before, after = ([max(n, 0) for n in side] for side in (before, after))
    edges = list(zip(before, after, strict=True))
    if not any(b or a for b, a in edges):
        return x
    if mode == "constant":
        return _pad_constant(build, x, edges, value)
    for axis, (b, a) in enumerate(edges):
        if b or a:
            places = np.pad(np.arange(x.shape[axis]), (b, a), mode=mode)
            x = K.take(x, places.astype(np.int32), axis=axis)
    return x


def _pad_constant(
    build: Build, x: KerasTensor, edges: Sequence[tuple[int, int]], value: float
) -> KerasTensor:
    spatial = not any(edges[0]) and not any(edges[-1])
    if spatial and value == 0 and len(edges) in _ZERO_PADDING:
        inner = tuple(edges[1:-1])
        padding = inner[0] if len(inner) == 1 else inner
        return build.layer(_ZERO_PADDING[len(edges)], x, padding=padding)
    if x.dtype == "bool":
        return K.cast(K.pad(K.cast(x, "int32"), edges, constant_values=int(value)), "bool")
    return K.pad(x, edges, constant_values=value)


@op("Expand", order="own")
def expand(build: Build, x: Operand, *, shape: Sequence[int]) -> KerasTensor:
    """x broadcast to a shape, where -1 is the batch."""
    shape = list(shape)
    tensor = build.tensor(x)
    missing = len(shape) - len(tensor.shape)
    if missing > 0:
        tensor = K.expand_dims(tensor, tuple(range(missing)))
    have = (1,) * max(-missing, 0) + tuple(tensor.shape)
    shape = [1] * max(-missing, 0) + shape
    repeats = [n if old == 1 and n > 1 else 1 for n, old in zip(shape, have, strict=False)]
    follows = [a for a, n in enumerate(shape) if n == -1 and have[a] is not None]
    if len(follows) > 1 or any(have[axis] != 1 for axis in follows):
        raise build.fail("one axis to follow the batch", "Export with a fixed batch.")
    if follows:
        column = tuple(-1 if axis == follows[0] else 1 for axis in range(len(have)))
        kind = keras.backend.standardize_dtype(tensor.dtype)
        zeros = K.reshape(build.batch_zeros(1, kind), column)
        if kind == "bool":
            return K.tile(K.logical_or(tensor, zeros), repeats)
        tensor = sum_of(zeros, tensor)
    if 0 in shape:
        return K.broadcast_to(tensor, tuple(shape))
    return K.tile(tensor, repeats) if any(n != 1 for n in repeats) else tensor


@op("Tile", order="own")
def tile(build: Build, x: KerasTensor, *, repeats: Sequence[int]) -> KerasTensor:
    """x repeated along each axis."""
    return K.tile(x, tuple(repeats)) if any(n != 1 for n in repeats) else x


@op("CenterCropPad", order="fixed")
def center_crop_pad(
    build: Build, x: KerasTensor, shape: Operand, *, axes: Sequence[int] | None = None
) -> KerasTensor:
    """x cut or filled with zeros, alike at both ends, to these sizes."""
    target = build.graph.values[build.node.output].target
    before, after = [0] * len(target), [0] * len(target)
    for axis, (want, have) in enumerate(zip(target, x.shape, strict=True)):
        if have is None or want == have:
            continue
        missing = want - have
        before[axis] = missing // 2 if missing > 0 else -(-missing // 2)
        after[axis] = missing - before[axis]
    return pad(build, x, before=before, after=after)


@op("BatchRange", order="fixed")
def batch_range(build: Build, *, start: int, step: int) -> KerasTensor:
    """start, start + step, … one number a row of the batch."""
    dtype = build.graph.values[build.node.output].dtype
    ones = K.add(build.batch_zeros(1, dtype.name), np.ones((), dtype))
    places = K.subtract(K.cumsum(ones), np.ones((), dtype))
    return K.add(K.multiply(places, np.asarray(step, dtype)), np.asarray(start, dtype))
