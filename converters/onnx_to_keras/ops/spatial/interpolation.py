"""Where each output of a resized axis comes from: places of the input and their weights.

ONNX's rules in the float32 arithmetic of ONNX Runtime, so that halves round alike. The cubic
kernel is that of Keys, "Cubic convolution interpolation", 1981.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
_ONE, _HALF = np.float32(1), np.float32(0.5)


@dataclass(frozen=True)
class Axis:
    """One axis to be resized."""

    extent: int
    output: int
    scale: float
    roi: tuple[float, float] = (0.0, 1.0)


@dataclass(frozen=True)
class Taps:
    """Outputs of one axis: sums of elements (output, taps) times weights (output, taps)."""

    places: Array
    weights: Array
    outside: Array  # (output,) whether an output lies beyond the input

    def matrix(self, extent: int) -> Array:
        """The weights as a matrix (extent, output)."""
        found = np.zeros((extent, len(self.places)), dtype=np.float32)
        columns = np.arange(len(self.places))
        for tap in range(self.places.shape[1]):
            np.add.at(found, (self.places[:, tap], columns), self.weights[:, tap])
        return found


def coordinates(axis: Axis, mode: str) -> Array:
    """Coordinates (output,) float32 in the input of each output."""
    x = np.arange(axis.output, dtype=np.float32)
    scale, extent = np.float32(axis.scale), np.float32(axis.extent)
    if mode == "align_corners":
        return x * ((extent - 1) / np.float32(max(axis.output - 1, 1)))
    if mode == "asymmetric":
        return x / scale
    if mode == "pytorch_half_pixel" and axis.output == 1:
        return np.zeros(1, dtype=np.float32)
    if mode == "tf_crop_and_resize":
        start, end = (np.float32(edge) for edge in axis.roi)
        if axis.output == 1:
            return np.full(1, _HALF * (start + end) * (extent - 1), dtype=np.float32)
        return start * (extent - 1) + x * (end - start) * (extent - 1) / np.float32(axis.output - 1)
    shift = np.float32(0)
    if mode == "half_pixel_symmetric":
        shift = extent / 2 * (_ONE - np.float32(axis.output) / (scale * extent))
    return shift + (x + _HALF) / scale - _HALF


def nearest(axis: Axis, mode: str, rounding: str) -> Taps:
    """One element each, rounded as asked for."""
    x = coordinates(axis, mode)
    outside = _outside(axis, x, mode)
    if rounding == "floor":
        places = np.floor(x)
    elif rounding == "ceil":
        places = np.ceil(x)
    elif rounding == "round_prefer_ceil":
        places = np.floor(x + _HALF)
    else:
        places = np.ceil(x - _HALF)
    places = np.clip(places, 0, axis.extent - 1).astype(np.int32)[:, None]
    return Taps(places, np.ones(places.shape, np.float32), outside)


def linear(axis: Axis, mode: str) -> Taps:
    """The two neighbours, each by the distance of the other."""
    x = coordinates(axis, mode)
    outside = _outside(axis, x, mode)
    x = np.clip(x, 0, axis.extent - 1)
    low = np.floor(x)
    high = np.minimum(low + 1, axis.extent - 1)
    part = (x - low).astype(np.float32)
    places = np.stack([low, high], axis=1).astype(np.int32)
    return Taps(places, np.stack([_ONE - part, part], axis=1), outside)


def cubic(axis: Axis, mode: str, coefficient: float, exclude: bool) -> Taps:
    """Four neighbours; those beyond the input are its last element, or left out."""
    x = coordinates(axis, mode)
    outside = _outside(axis, x, mode)
    low = np.floor(x)
    places = low[:, None] + np.arange(-1, 3)
    weights = _keys(np.abs(x[:, None].astype(np.float64) - places), coefficient)
    return _bounded(axis, places, weights, outside, exclude)


def smooth(axis: Axis, mode: str, coefficient: float | None, exclude: bool) -> Taps:
    """Antialias: the kernel stretched over as many inputs as one output covers.

    Args:
        axis: the axis.
        mode: the rule of coordinates.
        coefficient: of the cubic kernel; None for the linear one.
        exclude: whether elements beyond the input are left out.
    """
    x = coordinates(axis, mode).astype(np.float64)
    stretch = max(1.0, 1.0 / axis.scale)
    reach = stretch * (1 if coefficient is None else 2)
    first = int(np.floor(-reach)) + 1
    places = np.floor(x)[:, None] + np.arange(first, 2 - first)
    distance = np.abs(x[:, None] - places) / stretch
    kernel = np.clip(1 - distance, 0, None) if coefficient is None else _keys(distance, coefficient)
    kernel = kernel / kernel.sum(axis=1, keepdims=True)
    return _bounded(axis, places, kernel, _outside(axis, x, mode), exclude)


def _keys(distance: Array, a: float) -> Array:
    """The cubic kernel at these distances."""
    d = distance
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def _bounded(axis: Axis, places: Array, weights: Array, outside: Array, exclude: bool) -> Taps:
    if exclude:
        weights = np.where((places >= 0) & (places < axis.extent), weights, 0.0)
        weights = weights / weights.sum(axis=1, keepdims=True)
    places = np.clip(places, 0, axis.extent - 1).astype(np.int32)
    return Taps(places, weights.astype(np.float32), outside)


def _outside(axis: Axis, x: Array, mode: str) -> Array:
    """Outputs that a crop asks for beyond the input."""
    if mode != "tf_crop_and_resize":
        return np.zeros(len(x), dtype=bool)
    return (x < 0) | (x > axis.extent - 1)
