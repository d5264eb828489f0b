"""What the dynamo exporter adds to a graph, taken out again: convolutions get biases of zeros.

Constant 0 ─ CastLike ─ Expand(Shape(W)) ─┐
x, W ───────────────────────────────────── Conv          x, W ─ Conv
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

CONVOLUTIONS = {"Conv", "ConvTranspose"}
PASSING = {"CastLike", "Cast", "Expand", "Identity"}


def without_zero_biases(proto: "onnx.ModelProto") -> "onnx.ModelProto":
    """The same model; a bias that would be trained, and that torch has not, is gone."""
    graph = proto.graph
    makers = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        biased = node.op_type in CONVOLUTIONS and len(node.input) == 3
        if biased and _is_zero(node.input[2], makers):
            del node.input[2]
    used = {output.name for output in graph.output}
    kept = []
    for node in reversed(graph.node):  # in order of computation: users come after makers
        if used.intersection(node.output):
            kept.append(node)
            used.update(_inputs(node))
    fresh = [type(node).FromString(node.SerializeToString()) for node in reversed(kept)]
    del graph.node[:]
    graph.node.extend(fresh)
    return proto


def _inputs(node: "onnx.NodeProto") -> Iterator[str]:
    yield from node.input
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from (output.name for output in graph.output)
            for inner in graph.node:
                yield from _inputs(inner)


def _is_zero(name: str, makers: "dict[str, onnx.NodeProto]") -> bool:
    from onnx import numpy_helper

    node = makers.get(name)
    while node is not None and node.op_type in PASSING:
        node = makers.get(node.input[0])
    if node is None or node.op_type != "Constant":
        return False
    value = next((a.t for a in node.attribute if a.name == "value"), None)
    return value is not None and not numpy_helper.to_array(value).any()
