"""Sums, means, extremes and their places along axes; running sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops.arithmetic import is_float
from converters.onnx_to_keras.ops.spatial.pool import spatial_mean
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

Reduction = Callable[..., KerasTensor]


@op("ReduceMean", order="reduce")
def reduce_mean(
    build: Build, x: KerasTensor, *, axes: Sequence[int], keepdims: int = 1
) -> KerasTensor:
    """The mean over axes; over all but the first and the last it is a pooling layer."""
    inner = list(range(1, len(x.shape) - 1))
    if inner and list(axes) == inner and is_float(x):
        return spatial_mean(build, x, keepdims=bool(keepdims))
    y = K.mean(x, axis=tuple(axes), keepdims=bool(keepdims))
    return y if is_float(x) else K.cast(y, x.dtype)


@op("ReduceMax", order="reduce")
def reduce_max(
    build: Build, x: KerasTensor, *, axes: Sequence[int], keepdims: int = 1
) -> KerasTensor:
    """The largest element over axes."""
    function = K.any if x.dtype == "bool" else K.max
    return function(x, axis=tuple(axes), keepdims=bool(keepdims))


@op("ReduceMin", order="reduce")
def reduce_min(
    build: Build, x: KerasTensor, *, axes: Sequence[int], keepdims: int = 1
) -> KerasTensor:
    """The smallest element over axes."""
    function = K.all if x.dtype == "bool" else K.min
    return function(x, axis=tuple(axes), keepdims=bool(keepdims))


def _l1(x: KerasTensor, **over: object) -> KerasTensor:
    return K.sum(K.abs(x), **over)


def _l2(x: KerasTensor, **over: object) -> KerasTensor:
    return K.sqrt(K.sum(K.square(x), **over))


def _log_sum(x: KerasTensor, **over: object) -> KerasTensor:
    return K.log(K.sum(x, **over))


def _sum_square(x: KerasTensor, **over: object) -> KerasTensor:
    return K.sum(K.square(x), **over)


def _enter(onnx: str, function: Reduction, meaning: str) -> None:
    def reduced(
        build: Build, x: KerasTensor, *, axes: Sequence[int], keepdims: int = 1
    ) -> KerasTensor:
        y = function(x, axis=tuple(axes), keepdims=bool(keepdims))
        return y if y.dtype == x.dtype else K.cast(y, x.dtype)

    reduced.__name__, reduced.__doc__ = onnx.lower(), meaning
    op(onnx, order="reduce")(reduced)


for _onnx, _function, _meaning in (
    ("ReduceL1", _l1, "The sum of sizes over axes."),
    ("ReduceL2", _l2, "The root of the sum of squares over axes."),
    ("ReduceLogSum", _log_sum, "The logarithm of the sum over axes."),
    ("ReduceLogSumExp", K.logsumexp, "log(sum(exp x)) over axes, without overflow."),
    ("ReduceProd", K.prod, "The product over axes."),
    ("ReduceSum", K.sum, "The sum over axes."),
    ("ReduceSumSquare", _sum_square, "The sum of squares over axes."),
):
    _enter(_onnx, _function, _meaning)


@op("ArgMax", order="reduce")
def arg_max(
    build: Build,
    x: KerasTensor,
    *,
    axes: Sequence[int],
    keepdims: int = 1,
    select_last_index: int = 0,
) -> KerasTensor:
    """Place of the largest element along an axis, int64; of equal ones the first."""
    return _place(K.argmax, x, axes[0], keepdims, select_last_index)


@op("ArgMin", order="reduce")
def arg_min(
    build: Build,
    x: KerasTensor,
    *,
    axes: Sequence[int],
    keepdims: int = 1,
    select_last_index: int = 0,
) -> KerasTensor:
    """Place of the smallest element along an axis, int64; of equal ones the first."""
    return _place(K.argmin, x, axes[0], keepdims, select_last_index)


def _place(function: Reduction, x: KerasTensor, axis: int, keepdims: int, last: int) -> KerasTensor:
    found = function(K.flip(x, axis=axis) if last else x, axis=axis, keepdims=bool(keepdims))
    found = K.cast(found, "int64")
    return (
        K.subtract(np.int64(x.shape[axis] - 1).reshape((1,) * len(found.shape)), found)
        if last
        else found
    )


@op("CumSum", order="axis")
def cumsum(
    build: Build, x: KerasTensor, *, axis: int, exclusive: int = 0, reverse: int = 0
) -> KerasTensor:
    """Running sums along an axis, without the element itself if exclusive."""
    y = K.flip(x, axis=axis) if reverse else x
    if exclusive:  # a zero before, the last element gone
        edges = [(int(place == axis), 0) for place in range(len(x.shape))]
        y = K.pad(y, edges)[(*(slice(None),) * axis, slice(0, -1))]
    total = K.cumsum(y, axis=axis)
    return K.flip(total, axis=axis) if reverse else total
