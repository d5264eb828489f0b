"""Slices, padding, repetition and resizing, in whatever order the value is stored."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.windows import along_space, spatial_first
from converters.keras_to_onnx.value import Shape, Spec, UnwrittenError, Value

_FAR = np.iinfo(np.int64).max

Range = tuple[int | None, int | None, int]


def cut(g: Graph, x: Value, shape: Shape, ranges: Mapping[int, Range]) -> Value:
    """Slice: (start, stop, step) for each of Keras' axes that is cut; `shape` is the result's."""
    if not ranges:
        return x
    x = g.unflattened(x)
    axes = list(ranges)
    starts, stops = [], []
    for start, stop, step in ranges.values():
        starts.append((0 if step > 0 else _FAR) if start is None else start)
        stops.append((_FAR if step > 0 else -_FAR) if stop is None else stop)
    told = [starts, stops, [x.stored_axis(axis) for axis in axes], [r[2] for r in ranges.values()]]
    inputs = [x, *(np.array(entries, np.int64) for entries in told)]
    return g.emit("Slice", inputs, shape, x.dtype, x.order)


def padded(
    g: Graph,
    x: Value,
    shape: Shape,
    around: Sequence[tuple[int, int]],
    mode: str = "constant",
    fill: Any = 0,
) -> Value:
    """Pad by (before, after) along each of Keras' axes."""
    x = g.unflattened(x)
    pairs = [around[axis] for axis in x.order]
    sizes = np.array([pair[0] for pair in pairs] + [pair[1] for pair in pairs], np.int64)
    value = np.asarray(fill, np.dtype(x.dtype)) if mode == "constant" else None
    return g.emit("Pad", [x, sizes, value], shape, x.dtype, x.order, mode=mode)


def repeated(g: Graph, x: Value, shape: Shape, times: int, axis: int) -> Value:
    """Each entry along the axis several times, one after the other."""
    size = x.shape[axis % x.rank]
    if size is None:
        raise UnwrittenError(f"expected a known size to repeat along axis {axis}, came {x.shape}")
    return taken(g, x, shape, np.repeat(np.arange(size), times), axis)


def taken(g: Graph, x: Value, shape: Shape, entries: np.ndarray, axis: int) -> Value:
    """The entries (n,) along an axis, which stays where it is stored."""
    x = g.unflattened(x)
    inputs = [x, entries.astype(np.int64)]
    return g.emit("Gather", inputs, shape, x.dtype, x.order, axis=x.stored_axis(axis))


ANTIALIAS_OPSET = 18  # the first whose Resize averages over what it shrinks


def resized(
    g: Graph,
    x: Value,
    out: Spec,
    interpolation: str,
    data_format: str | None,
    *,
    scales: Sequence[float] | None = None,
    antialias: bool = False,
) -> Value:
    """Resize to the spatial sizes of `out`, or by scales, as TensorFlow counts pixels.

    What ONNX's Resize has no mode for, or not in this opset, is a matrix along each axis.
    """
    x = spatial_first(g, g.cast(x, "float32"), data_format)
    sizes = [out.shape[axis] for axis in x.order[2:]]
    old = x.stored_shape[2:]
    if old == tuple(sizes) and None not in sizes:
        return x
    # TensorFlow looks bicubic weights up in a table of 1024, which no mode of Resize does.
    direct = interpolation in ("nearest", "bilinear")
    settings = _mode(interpolation)
    if antialias and interpolation == "bilinear" and None in old:
        if g.opset < ANTIALIAS_OPSET:
            raise UnwrittenError(
                f"expected opset {ANTIALIAS_OPSET} or above to resize pictures of any size with "
                f"antialias, came {g.opset}"
            )
        # TensorFlow's weights at the border are of the pixels that are there.
        settings |= {"antialias": 1, "exclude_outside": 1}
    elif not direct or (antialias and interpolation != "nearest" and _shrinks(old, sizes)):
        return _as_matrices(g, x, out, old, sizes, interpolation, antialias)
    inputs: list[Any] = [x, None]
    if scales is not None:
        inputs += [np.array([1, 1, *scales], np.float32)]
    elif None in sizes:
        raise UnwrittenError(f"expected known sizes to resize to, came {sizes}")
    else:
        inputs += [None, _with_batch(g, x, sizes)]
    return g.emit("Resize", inputs, out.shape, "float32", x.order, **settings)


def _mode(interpolation: str) -> dict[str, Any]:
    if interpolation == "nearest":
        return {
            "mode": "nearest",
            "coordinate_transformation_mode": "half_pixel",
            "nearest_mode": "round_prefer_ceil",
        }
    return {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}


def _with_batch(g: Graph, x: Value, sizes: Sequence[int | None]) -> Any:
    """All sizes, the first two as they are when the file is run."""
    lead = g.node("Slice", [g.node("Shape", [x])[0], np.array([0]), np.array([2])])[0]
    return g.node("Concat", [lead, np.array(sizes, np.int64)], axis=0)[0]


def _shrinks(old: Sequence[int | None], new: Sequence[int | None]) -> bool:
    return any(a is None or b is None or b < a for a, b in zip(old, new, strict=True))


def _as_matrices(
    g: Graph,
    x: Value,
    out: Spec,
    old: Sequence[int | None],
    new: Sequence[int | None],
    interpolation: str,
    antialias: bool,
) -> Value:
    """Resizing is linear along each axis: Keras resizes unit vectors to tell how."""
    from keras import ops

    if None in old or None in new:
        raise UnwrittenError(
            f"expected known sizes to resize by {interpolation}"
            f"{' with antialias' if antialias else ''}, came {old} to {new}"
        )
    matrices = []
    for before, after in zip(old, new, strict=True):
        units = np.eye(int(before or 0), dtype=np.float32)[None, :, :, None]
        rows = ops.image.resize(
            units,
            (after, before),
            interpolation=interpolation,
            antialias=antialias,
            data_format="channels_last",
        )
        matrices.append(np.asarray(rows)[0, :, :, 0])
    return along_space(g, x, matrices, out)
