"""Several values to one, and one to several."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import number
from converters.keras_to_onnx.parts.reduction import squeezed
from converters.keras_to_onnx.value import Spec, Value, straight


def joined(g: Graph, xs: Sequence[Any], out: Spec, axis: int) -> Value:
    """Concat; values follow the first that has a stored order of its own."""
    values = [number(g, x, out.dtype) for x in xs]
    if len(values) == 1:
        return values[0]
    values = [g.unflattened(value) for value in values]
    rank = len(out.shape)
    orders = [value.order for value in values if value.order != straight(rank)]
    order = orders[0] if orders else straight(rank)
    turned = [g.turned(value, order) for value in values]
    place = turned[0].stored_axis(axis)
    return g.emit("Concat", turned, out.shape, out.dtype, order, axis=place)


def parted(
    g: Graph, x: Value, sizes: Sequence[int], axis: int, outs: Sequence[Spec]
) -> list[Value]:
    """Split into these sizes along the axis."""
    x = g.unflattened(x)
    if len(sizes) == 1:
        return [x]
    inputs = [x, np.array(sizes, np.int64)]
    names = g.node("Split", inputs, outputs=len(sizes), axis=x.stored_axis(axis))
    return [Value(name, out.shape, x.dtype, x.order) for name, out in zip(names, outs, strict=True)]


def unstacked(g: Graph, x: Value, axis: int, outs: Sequence[Spec]) -> list[Value]:
    """One value for each entry of the axis, which is gone."""
    axis %= x.rank
    wide = [Spec((*o.shape[:axis], 1, *o.shape[axis:]), o.dtype) for o in outs]
    parts = parted(g, x, [1] * len(outs), axis, wide)
    return [squeezed(g, part, [axis]) for part in parts]
