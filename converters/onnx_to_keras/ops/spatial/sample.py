"""GridSample: a picture read at places that the network computes (spatial transformers).

Jaderberg and others, "Spatial transformer networks", 2015; borders as in torch's grid_sample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

Weighted = tuple[KerasTensor, KerasTensor]  # a place along one axis, and its weight


@op("GridSample", order="spatial")
def grid_sample(
    build: Build,
    x: KerasTensor,
    grid: Operand,
    *,
    mode: str = "linear",
    padding_mode: str = "zeros",
    align_corners: int = 0,
) -> KerasTensor:
    """x (n, *space, c), grid (n, *sizes, axes) in [-1, 1], last axis first → (n, *sizes, c)."""
    sizes = tuple(int(n) for n in x.shape[1:-1])
    grid = build.tensor(grid)
    outputs, channels = tuple(grid.shape[1:-1]), x.shape[-1]
    columns = K.reshape(grid, (-1, int(np.prod(outputs)), len(sizes)))
    taps = []
    for place, size in enumerate(sizes):
        where = columns[..., len(sizes) - 1 - place]
        spot = _in_elements(where, size, bool(align_corners))
        if padding_mode != "zeros" and "cubic" not in mode:
            spot = _bordered(spot, size, padding_mode, bool(align_corners))
        taps.append(_taps(mode)(spot))
    flat = K.reshape(x, (-1, int(np.prod(sizes)), channels))
    total = None
    for corner in product(*taps):
        part = _corner(flat, corner, sizes, padding_mode, bool(align_corners))
        total = part if total is None else K.add(total, part)
    return K.reshape(total, (-1, *outputs, channels))


def _in_elements(where: KerasTensor, size: int, align: bool) -> KerasTensor:
    """[-1, 1] → coordinates in elements."""
    if align:
        return K.multiply(K.add(where, 1.0), (size - 1) / 2)
    return K.subtract(K.multiply(K.add(where, 1.0), size / 2), 0.5)


def _bordered(spot: KerasTensor, size: int, padding: str, align: bool) -> KerasTensor:
    """Coordinates beyond the picture, brought back to its border or reflected there."""
    if padding == "reflection":
        low, high = (0.0, size - 1.0) if align else (-0.5, size - 0.5)
        length = high - low
        if length <= 0:
            return K.zeros_like(spot)
        away = K.mod(K.subtract(spot, low), 2 * length)
        spot = K.add(K.minimum(away, K.subtract(2 * length, away)), low)
    return K.clip(spot, 0.0, size - 1.0)


def _taps(mode: str) -> Callable[[KerasTensor], list[Weighted]]:
    if mode == "nearest":
        return _nearest
    return _cubic if "cubic" in mode else _linear


def _nearest(spot: KerasTensor) -> list[Weighted]:
    return [(K.round(spot), K.ones_like(spot))]


def _linear(spot: KerasTensor) -> list[Weighted]:
    low = K.floor(spot)
    part = K.subtract(spot, low)
    return [(low, K.subtract(1.0, part)), (K.add(low, 1.0), part)]


def _cubic(spot: KerasTensor, a: float = -0.75) -> list[Weighted]:
    """Keys' kernel over four neighbours."""
    low = K.floor(spot)
    t = K.subtract(spot, low)
    found = []
    for step in (-1, 0, 1, 2):
        d = K.abs(K.subtract(t, float(step)))
        if step in (0, 1):
            weight = ((a + 2) * d - (a + 3)) * d * d + 1.0
        else:
            weight = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        found.append((K.add(low, float(step)), weight))
    return found


def _corner(
    flat: KerasTensor, corner: Sequence[Weighted], sizes: tuple[int, ...], padding: str, align: bool
) -> KerasTensor:
    """One element of each output's neighbourhood, times its weight: (n, outputs, c)."""
    place = weight = None
    for (spot, part), size in zip(corner, sizes, strict=True):
        if padding == "zeros":
            inside = K.logical_and(K.greater_equal(spot, 0.0), K.less_equal(spot, size - 1.0))
            part = K.multiply(part, K.cast(inside, "float32"))
            spot = K.clip(spot, 0.0, size - 1.0)
        else:
            spot = _bordered(spot, size, padding, align)
        whole = K.cast(spot, "int32")
        place = whole if place is None else K.add(K.multiply(place, size), whole)
        weight = part if weight is None else K.multiply(weight, part)
    found = K.take_along_axis(flat, K.expand_dims(place, -1), axis=1)
    return K.multiply(found, K.expand_dims(weight, -1))


@op("AffineGrid", order="fixed")
def affine_grid(
    build: Build, theta: KerasTensor, size: Operand, *, align_corners: int = 0
) -> KerasTensor:
    """theta (n, axes, axes + 1) → the grid (n, *space, axes) that grid_sample takes."""
    sizes = build.graph.values[build.node.output].shape[1:-1]
    lines = [
        np.linspace(-1, 1, n) if align_corners else (2 * np.arange(n) + 1) / n - 1 for n in sizes
    ]
    mesh = np.meshgrid(*lines, indexing="ij")[::-1]  # the last axis comes first
    places = np.stack([*mesh, np.ones(sizes)], axis=-1).reshape(-1, len(sizes) + 1)
    grid = K.matmul(places.astype(np.float32), K.swapaxes(theta, 1, 2))
    return K.reshape(grid, (-1, *sizes, len(sizes)))
