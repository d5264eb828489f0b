"""Preprocessing that lies inside a model."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.movement import cut, resized
from converters.keras_to_onnx.parts.reduction import reduced, squeezed, unsqueezed
from converters.keras_to_onnx.parts.windows import channel_axis
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@layer("Rescaling")
def rescaling(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Times scale, plus offset; steps that change nothing are left out."""
    x = g.cast(x, "float32")
    scale, offset = np.asarray(op.scale, np.float32), np.asarray(op.offset, np.float32)
    if np.any(scale != 1):
        x = pointwise(g, "Mul", x, scale)
    return pointwise(g, "Add", x, offset) if np.any(offset != 0) else x


@layer("Resizing")
def resizing(g: Graph, op: Any, out: Spec, x: Value, **_: Any) -> Value:
    """Resize; cropping or padding to the aspect ratio has no writer."""
    if op.crop_to_aspect_ratio or op.pad_to_aspect_ratio:
        raise UnwrittenError("expected a Resizing that stretches, came one that keeps the ratio")
    if out.dtype != "float32":
        raise UnwrittenError(f"expected a Resizing with a float dtype, came {out.dtype}")
    return resized(g, x, out, op.interpolation, op.data_format, antialias=op.antialias)


@layer("CenterCrop")
def center_crop(g: Graph, op: Any, out: Spec, x: Value, **_: Any) -> Value:
    """Slice from the middle; a picture that is too small has no writer."""
    channel = channel_axis(op.data_format) % x.rank
    high, wide = (axis for axis in range(1, x.rank) if axis != channel)
    ranges = {}
    for axis, aim in [(high, op.height), (wide, op.width)]:
        size = x.shape[axis]
        if size is None or size < aim:
            raise UnwrittenError(f"expected known sizes above the crop's {aim}, came {x.shape}")
        start = int((size - aim) / 2)
        ranges[axis] = (start, start + aim, 1)
    return cut(g, g.cast(x, out.dtype), out.shape, ranges)


@layer("Discretization")
def discretization(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The number of boundaries that are not above the value."""
    if op.output_mode != "int":
        raise UnwrittenError(f"expected a Discretization to numbers, came {op.output_mode}")
    bounds = np.asarray(op.bin_boundaries, np.float32)
    wide = unsqueezed(g, g.cast(x, "float32"), [x.rank])
    above = pointwise(g, "GreaterOrEqual", wide, bounds, dtype="bool")
    count = reduced(g, "ReduceSum", g.cast(above, "int32"), [x.rank], keepdims=False)
    return g.cast(count, out.dtype)


@layer("CategoryEncoding")
def category_encoding(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Equality with every class, joined over the last axis as the mode says."""
    x = g.cast(x, "int32")
    if x.rank > 1 and x.shape[-1] == 1 and op.output_mode == "one_hot":
        x = squeezed(g, x, [x.rank - 1])
    wide = unsqueezed(g, x, [x.rank])
    classes = np.arange(op.num_tokens, dtype=np.int32)
    hits = g.cast(pointwise(g, "Equal", wide, classes, work="int32", dtype="bool"), "float32")
    if op.output_mode == "one_hot" or x.rank == 1:
        return g.cast(hits, out.dtype)
    node = "ReduceMax" if op.output_mode == "multi_hot" else "ReduceSum"
    return g.cast(reduced(g, node, hits, [x.rank - 1], keepdims=False), out.dtype)
