"""Layers that bring several values together."""

from typing import Any

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.joining import joined
from converters.keras_to_onnx.parts.reduction import unsqueezed
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, Value

_NODES = {"Add": "Add", "Multiply": "Mul", "Maximum": "Max", "Minimum": "Min", "Average": "Add"}


@layer("Add", "Multiply", "Maximum", "Minimum", "Average")
def merge(g: Graph, op: Any, out: Spec, xs: list[Value], **_: Any) -> Value:
    """One node for each further value; Average divides at the end."""
    total, *others = _same_rank(g, xs)
    for other in others:
        total = pointwise(g, _NODES[type(op).__name__], total, other, work=out.dtype)
    if type(op).__name__ == "Average":
        return pointwise(g, "Div", total, float(len(xs)), work="float32")
    return total


@layer("Subtract")
def subtract(g: Graph, op: Any, out: Spec, xs: list[Value], **_: Any) -> Value:
    """The first minus the second."""
    first, second = _same_rank(g, xs)
    return pointwise(g, "Sub", first, second, work=out.dtype)


@layer("Concatenate")
def concatenate(g: Graph, op: Any, out: Spec, xs: list[Value], **_: Any) -> Value:
    """Concat along the axis, wherever that is stored."""
    return joined(g, xs, out, op.axis)


def _same_rank(g: Graph, xs: list[Value]) -> list[Value]:
    """Lower ranks get axes of size 1 behind the batch, as Keras' merge layers have it."""
    rank = max(x.rank for x in xs)
    return [unsqueezed(g, x, list(range(1, 1 + rank - x.rank))) for x in xs]
