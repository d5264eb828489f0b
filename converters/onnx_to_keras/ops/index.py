"""Elements picked and written by place: gathers, scatters, the k largest, one-hot, triangles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.arithmetic import is_float
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@op("Gather", order="own")
def gather(build: Build, x: Operand, indices: Operand, *, axis: int = 0) -> KerasTensor:
    """The slices of x at these places along an axis; rows of a weight are an Embedding."""
    if isinstance(x, Constant):
        table = x.value
        if axis == 0 and table.ndim == 2 and x.trainable:
            return build.layer(
                keras.layers.Embedding,
                indices,
                weights={"embeddings": x},
                input_dim=table.shape[0],
                output_dim=table.shape[1],
            )
    elif isinstance(indices, Constant) and indices.value.ndim == 0:
        place = int(indices.value)
        return x[(*(slice(None),) * axis, place)]
    places = indices
    if isinstance(indices, Constant):
        places = indices.value.astype(np.int32)
    return K.take(build.tensor(x), places, axis=axis)


@op("GatherElements", order="fixed")
def gather_elements(build: Build, x: Operand, indices: Operand, *, axis: int = 0) -> KerasTensor:
    """The elements of x at these places along an axis, and where the places stand on the others."""
    x, indices = build.tensor(x), build.tensor(indices)
    sizes = zip(x.shape, indices.shape, strict=True)
    pairs = [(have, want) for place, (have, want) in enumerate(sizes) if place != axis]
    if any(have != want for have, want in pairs):
        cut = [
            slice(None) if place == axis or want is None else slice(0, want)
            for place, want in enumerate(indices.shape)
        ]
        x = x[tuple(cut)]
    return K.take_along_axis(x, indices, axis=axis)


@op("GatherND", order="fixed")
def gather_nd(build: Build, x: Operand, indices: Operand, *, batch_dims: int = 0) -> KerasTensor:
    """The slices of x at these coordinates, which are the last axis of `indices`."""
    x, indices = build.tensor(x), build.tensor(indices)
    shape, depth = list(x.shape), indices.shape[-1]
    inner = shape[batch_dims : batch_dims + depth]
    rest = shape[batch_dims + depth :]
    if None in inner[1:] or None in rest:
        raise build.fail("fixed sizes behind the first axis", "Export with fixed sizes.")
    places = _flat_places(indices, inner)
    outer = [-1 if n is None else n for n in shape[:batch_dims]]
    if not batch_dims:
        flat = K.reshape(x, (-1, *rest))
        return K.take(flat, places, axis=0)
    width = int(np.prod(rest)) if rest else 1
    flat = K.reshape(x, (-1, int(np.prod(inner)), width))
    spread = [-1 if n is None else n for n in indices.shape[batch_dims:-1]]
    columns = K.reshape(places, (-1, int(np.prod(spread)) if spread else 1, 1))
    found = K.take_along_axis(flat, columns, axis=1)
    return K.reshape(found, (*outer, *spread, *rest))


def _flat_places(indices: KerasTensor, sizes: Sequence[int | None]) -> KerasTensor:
    """Coordinates (..., k) → one number (...), row after row; negative ones count from the end."""
    total = None
    for place, size in enumerate(sizes):
        part = K.cast(indices[..., place], "int64")
        if place:  # the first one may stay negative: K.take counts from the end itself
            part = K.mod(part, int(size or 1))
            total = K.add(K.multiply(total, int(size or 1)), part)
        else:
            total = part
    return total


@op("TopK", order="axis")
def top_k(
    build: Build, x: KerasTensor, *, k: int, axis: int, largest: int = 1, sorted: int = 1
) -> tuple[KerasTensor, KerasTensor]:
    """The k largest (or smallest) elements along an axis and their places, int64."""
    last = len(x.shape) - 1
    y = x if axis == last else K.swapaxes(x, axis, last)
    if not largest:
        y = K.negative(y) if is_float(x) else K.bitwise_not(y)
    values, places = K.top_k(y, k)
    if not largest:
        values = K.negative(values) if is_float(x) else K.bitwise_not(values)
    places = K.cast(places, "int64")
    if axis == last:
        return values, places
    return K.swapaxes(values, axis, last), K.swapaxes(places, axis, last)


@op("OneHot", order="fixed")
def one_hot(
    build: Build, indices: KerasTensor, values: Operand, *, depth: int, axis: int
) -> KerasTensor:
    """values[1] at the place that each index names on a new axis, values[0] elsewhere."""
    axis = -1 if axis == len(indices.shape) else axis
    whole = K.cast(indices, "int64")
    inside = K.logical_and(K.greater_equal(whole, -depth), K.less(whole, depth))
    hot = K.one_hot(K.where(inside, K.mod(whole, depth), -1), depth, axis=axis, dtype="bool")
    if isinstance(values, Constant):
        off, on = (values.value[place : place + 1] for place in (0, 1))
    else:
        off, on = values[(slice(0, 1),)], values[(slice(1, 2),)]
    return K.where(hot, on, off)


@op("Trilu", order="fixed")
def trilu(build: Build, x: KerasTensor, *, k: int = 0, upper: int = 1) -> KerasTensor:
    """x with zeros below its k-th diagonal, or above it."""
    rows, columns = x.shape[-2:]
    keep = np.tri(rows, columns, k - 1 if upper else k, dtype=bool) != bool(upper)
    return K.where(keep, x, np.zeros((1, 1), dtype=np.dtype(x.dtype)))


@op("EyeLike", order="fixed")
def eye_like(build: Build, x: KerasTensor, *, dtype: int | None = None, k: int = 0) -> KerasTensor:
    """Ones on the k-th diagonal of a matrix as large as x."""
    from onnx.helper import tensor_dtype_to_np_dtype

    kind = np.dtype(x.dtype) if dtype is None else tensor_dtype_to_np_dtype(dtype)
    kind = np.dtype("float32") if np.issubdtype(kind, np.floating) else kind
    rows, columns = x.shape
    if rows is None or columns is None:
        raise build.fail("a matrix of a fixed size", "Export with fixed sizes.")
    return K.add(K.zeros_like(x, dtype=kind.name), np.eye(rows, columns, k, dtype=kind))


@op("ScatterND", order="fixed")
def scatter_nd(
    build: Build, x: Operand, indices: Operand, updates: Operand, *, reduction: str = "none"
) -> KerasTensor:
    """x with `updates` written (or added, …) at the coordinates in the last axis of `indices`."""
    x, indices, updates = (build.tensor(part) for part in (x, indices, updates))
    depth = indices.shape[-1]
    places = _wrapped(indices, x.shape[:depth])
    rest = [-1 if n is None else n for n in x.shape[depth:]]
    if rest.count(-1):
        raise build.fail("fixed sizes behind what the indices name", "Export with fixed sizes.")
    return _scattered(x, K.reshape(places, (-1, depth)), K.reshape(updates, (-1, *rest)), reduction)


@op("ScatterElements", order="fixed")
def scatter_elements(
    build: Build,
    x: Operand,
    indices: Operand,
    updates: Operand,
    *,
    axis: int = 0,
    reduction: str = "none",
) -> KerasTensor:
    """x with each of `updates` written at its place along an axis; it stays on the others."""
    x, indices, updates = (build.tensor(part) for part in (x, indices, updates))
    indices = K.cast(indices, "int64")
    rank, columns = len(x.shape), []
    for place in range(rank):
        if place == axis:
            column = _wrapped(K.expand_dims(indices, -1), x.shape[place : place + 1])
        else:
            column = K.expand_dims(_counted(indices, place), -1)
        columns.append(column)
    places = K.reshape(K.concatenate(columns, axis=-1), (-1, rank))
    return _scattered(x, places, K.reshape(updates, (-1,)), reduction)


def _counted(indices: KerasTensor, axis: int) -> KerasTensor:
    """0, 1, 2, … along an axis, in the shape of `indices`; the batch is counted as it runs."""
    ones = K.ones_like(indices)
    return K.subtract(K.cumsum(ones, axis=axis), ones)


def _wrapped(indices: KerasTensor, sizes: tuple[int | None, ...]) -> KerasTensor:
    """Coordinates with negative ones counted from the end, where the size is known."""
    indices = K.cast(indices, "int64")
    known = np.array([n or 0 for n in sizes], dtype=np.int64)
    return K.where(K.less(indices, 0), K.add(indices, known), indices)


def _scattered(
    x: KerasTensor, places: KerasTensor, updates: KerasTensor, reduction: str
) -> KerasTensor:
    if x.dtype == "bool":
        done = _scattered(K.cast(x, "int32"), places, K.cast(updates, "int32"), reduction)
        return K.cast(done, "bool")
    return K.scatter_update(
        x, places, updates, reduction=None if reduction == "none" else reduction
    )
