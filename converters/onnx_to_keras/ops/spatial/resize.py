"""Resize: UpSampling and Resizing layers where they are exact, otherwise one axis at a time."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_lowercase
from typing import TYPE_CHECKING, Literal

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops.spatial.interpolation import (
    Axis,
    Taps,
    cubic,
    linear,
    nearest,
    smooth,
)
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

UPSAMPLING = (keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D)
_FEW = 4  # up to so many elements an output are gathered; more are a product with a matrix


@op("Resize", order="spatial")
def resize(
    build: Build,
    x: KerasTensor,
    *,
    sizes: Sequence[int] | None = None,
    scales: Sequence[float] | None = None,
    mode: Literal["nearest", "linear", "cubic"] = "nearest",
    coordinate_transformation_mode: str = "half_pixel",
    nearest_mode: str = "round_prefer_floor",
    cubic_coeff_a: float = -0.75,
    antialias: int = 0,
    exclude_outside: int = 0,
    extrapolation_value: float = 0.0,
    keep_aspect_ratio_policy: str = "stretch",
    roi: Sequence[float] | None = None,
) -> KerasTensor:
    """x (n, *space, c) → (n, *sizes, c)."""
    axes = _axes(x, sizes, scales, roi)
    rule, exclude = coordinate_transformation_mode, bool(exclude_outside)
    kernel = cubic_coeff_a if mode == "cubic" else None
    if mode == "nearest":
        taps = [nearest(axis, rule, nearest_mode) for axis in axes]
    elif antialias:
        taps = [smooth(axis, rule, kernel, exclude) for axis in axes]
    elif kernel is not None:
        taps = [cubic(axis, rule, kernel, exclude) for axis in axes]
    else:
        taps = [linear(axis, rule) for axis in axes]
    outside = _outside(taps)
    if not outside.any():
        layer = _as_layer(build, x, axes, taps, mode)
        if layer is not None:
            return layer
    for place, (axis, found) in enumerate(zip(axes, taps, strict=True), start=1):
        x = _apply(x, place, axis, found)
    if not outside.any():
        return x
    fill = np.full((1,) * len(x.shape), extrapolation_value, dtype=np.float32)
    return K.where(outside[None, ..., None], fill, x)


def _axes(
    x: KerasTensor,
    sizes: Sequence[int] | None,
    scales: Sequence[float] | None,
    roi: Sequence[float] | None,
) -> list[Axis]:
    """The spatial axes, each with the scale that the file gives or that its sizes make."""
    extent = [int(n) for n in x.shape[1:-1]]
    rank = len(extent)
    edges = list(roi or [])
    half = len(edges) // 2
    regions = [(0.0, 1.0)] * rank
    if half >= rank:
        regions = list(zip(edges[half - rank : half], edges[2 * half - rank :], strict=True))
    found = []
    for place, n in enumerate(extent):
        scale = scales[place] if scales else None
        output = sizes[place] if sizes else int(np.floor(n * np.float32(scale)))
        found.append(Axis(n, output, output / n if scale is None else scale, regions[place]))
    return found


def _outside(taps: Sequence[Taps]) -> np.ndarray:
    """(*sizes) whether an output lies beyond the input on any axis."""
    found = np.zeros((), dtype=bool)
    for axis in taps:
        found = np.logical_or.outer(found, axis.outside)
    return found


def _as_layer(
    build: Build, x: KerasTensor, axes: Sequence[Axis], taps: Sequence[Taps], mode: str
) -> KerasTensor | None:
    """A layer that does exactly the same, if there is one."""
    if len(axes) > len(UPSAMPLING) or x.dtype != "float32":
        return None
    factors = tuple(axis.output // axis.extent for axis in axes)
    whole = all(axis.output == f * axis.extent for axis, f in zip(axes, factors, strict=True))
    if mode == "nearest":
        repeats = whole and all(
            (found.places[:, 0] == np.arange(axis.output) // factor).all()
            for axis, found, factor in zip(axes, taps, factors, strict=True)
        )
        if not repeats:
            return None
        size = factors[0] if len(factors) == 1 else factors
        return build.layer(UPSAMPLING[len(axes) - 1], x, size=size)
    plain = mode == "linear" and len(axes) == 2 and all(f.places.shape[1] == 2 for f in taps)
    if not plain or not all(_is_half_pixel(a, f) for a, f in zip(axes, taps, strict=True)):
        return None
    if whole and min(factors) > 0:
        return build.layer(keras.layers.UpSampling2D, x, size=factors, interpolation="bilinear")
    height, width = (axis.output for axis in axes)
    return build.layer(keras.layers.Resizing, x, height=height, width=width)


def _is_half_pixel(axis: Axis, taps: Taps) -> bool:
    """Whether the taps are those of TensorFlow's bilinear resize."""
    plain = Axis(axis.extent, axis.output, axis.output / axis.extent)
    other = linear(plain, "half_pixel").matrix(axis.extent)
    return bool(np.abs(taps.matrix(axis.extent) - other).max() < 1e-5)


def _apply(x: KerasTensor, place: int, axis: Axis, taps: Taps) -> KerasTensor:
    """One axis resized."""
    count = taps.places.shape[1]
    same = axis.output == axis.extent
    if same and (taps.matrix(axis.extent) == np.eye(axis.extent, dtype=np.float32)).all():
        return x
    if count == 1:
        return K.take(x, taps.places[:, 0], axis=place)
    if count > _FEW:
        letters = ascii_lowercase[: len(x.shape)]
        result = letters.replace(letters[place], "z")
        return K.einsum(f"{letters},{letters[place]}z->{result}", x, taps.matrix(axis.extent))
    shape = [1] * len(x.shape)
    shape[place] = axis.output
    total = None
    for tap in range(count):
        part = K.take(x, taps.places[:, tap], axis=place)
        part = K.multiply(part, taps.weights[:, tap].reshape(shape))
        total = part if total is None else K.add(total, part)
    return total
