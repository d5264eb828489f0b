"""What every rule needs: who makes a value, who takes it, which number a constant is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np

from converters.onnx_to_keras.graph import Graph, Node
from converters.onnx_to_keras.registry import Constant


class View:
    """A graph to match patterns on."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._producers = graph.producers()
        self._consumers = graph.consumers()
        self._outputs = set(graph.outputs)

    def made_by(self, name: str, *ops: str) -> Node | None:
        """The node that makes a value, if it is one of these operators."""
        node = self._producers.get(name)
        return node if node is not None and node.op in ops and not node.domain else None

    def takers(self, name: str) -> list[Node]:
        """The nodes that take a value."""
        return self._consumers.get(name, [])

    def only_for(self, name: str, *nodes: Node) -> bool:
        """Whether nobody but these nodes takes a value."""
        if name in self._outputs:
            return False
        return all(any(taker is node for node in nodes) for taker in self.takers(name))

    def constant(self, name: str) -> Constant | None:
        """The constant of this name."""
        return self.graph.constants.get(name)

    def number(self, name: str) -> float | None:
        """The value of a constant that is one number and no weight."""
        found = self.graph.constants.get(name)
        if found is None or found.value.size != 1 or found.trainable:
            return None
        return float(found.value.ravel()[0])

    def with_number(self, node: Node) -> tuple[str, float] | None:
        """Of a node of two inputs, the tensor and the number, in whichever sequence."""
        if len(node.inputs) == 2:
            for tensor, other in (node.inputs, node.inputs[::-1]):
                number = self.number(other)
                if number is not None and tensor not in self.graph.constants:
                    return tensor, number
        return None

    def with_constant(self, node: Node) -> tuple[str, Constant] | None:
        """Of a node of two inputs, the tensor and the constant, in whichever sequence."""
        if len(node.inputs) == 2:
            for tensor, other in (node.inputs, node.inputs[::-1]):
                found = self.graph.constants.get(other)
                if found is not None and tensor not in self.graph.constants:
                    return tensor, found
        return None


def near(number: float | None, wanted: float, tolerance: float = 1e-4) -> bool:
    """Whether a number is the wanted one, up to how exporters round."""
    return number is not None and bool(np.isclose(number, wanted, rtol=tolerance, atol=1e-8))


def replaced(
    graph: Graph,
    changes: Mapping[int, Node],
    constants: Mapping[str, Constant] | None = None,
) -> Graph:
    """The graph with new nodes where the old ones' results are due; dead ones go.

    Args:
        graph: the graph before.
        changes: id of an old node → the node that makes the same output instead.
        constants: added to the graph's.
    """
    nodes = tuple(changes.get(id(node), node) for node in graph.nodes)
    merged = {**graph.constants, **(constants or {})}
    return replace(graph, nodes=nodes, constants=merged).without_dead()


def sources(nodes: Iterable[Node]) -> tuple[str, ...]:
    """Names of the file's nodes that several stand for."""
    return tuple(dict.fromkeys(name for node in nodes for name in node.source))
