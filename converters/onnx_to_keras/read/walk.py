"""Every graph, node and tensor of a model, without recursion: depth cannot overflow the stack.

model ─ graph ─ node ─ attribute ─ subgraph ─ node …
      └ functions ─ node …
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from converters.errors import ReadError
from converters.onnx_to_keras.read import limits

if TYPE_CHECKING:
    import onnx


def graphs(model: onnx.ModelProto) -> Iterator[tuple[onnx.GraphProto | onnx.FunctionProto, int]]:
    """Each graph and function with its depth, outer before inner; ReadError when too deep."""
    waiting: list[tuple[onnx.GraphProto | onnx.FunctionProto, int]] = [(model.graph, 0)]
    waiting += [(function, 0) for function in model.functions]
    while waiting:
        graph, depth = waiting.pop()
        if depth > limits.SUBGRAPH_DEPTH:
            raise ReadError(
                f"Expected graphs at most {limits.SUBGRAPH_DEPTH} deep inside one another, got "
                "more. No exporter writes such a file; export the network again."
            )
        yield graph, depth
        waiting += [(inner, depth + 1) for node in graph.node for inner in subgraphs(node)]


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node has as attributes: bodies of If, Loop and Scan."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def tensors(model: onnx.ModelProto) -> Iterator[tuple[onnx.TensorProto, str]]:
    """Each stored tensor with words that say where it is."""
    for graph, _ in graphs(model):
        if hasattr(graph, "initializer"):
            for tensor in graph.initializer:
                yield tensor, f"initializer '{tensor.name}'"
            for sparse in graph.sparse_initializer:
                yield sparse.values, f"sparse initializer '{sparse.values.name}'"
                yield sparse.indices, f"indices of sparse initializer '{sparse.values.name}'"
        for node in graph.node:
            yield from _attribute_tensors(node)


def _attribute_tensors(node: onnx.NodeProto) -> Iterator[tuple[onnx.TensorProto, str]]:
    for attribute in node.attribute:
        place = f"attribute '{attribute.name}' of {node.op_type} '{node.name}'"
        if attribute.HasField("t"):
            yield attribute.t, place
        for tensor in attribute.tensors:
            yield tensor, place
        sparse = [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []
        for item in [*sparse, *attribute.sparse_tensors]:
            yield item.values, place
            yield item.indices, place
