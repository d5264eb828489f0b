"""Where each value lies, and the nodes written so far, while layout walks the graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from converters.errors import NodeError
from converters.onnx_to_keras.graph import Graph, Node
from converters.onnx_to_keras.layout.orders import Order, between, identity
from converters.onnx_to_keras.registry import Constant


@dataclass(frozen=True)
class Placed:
    """A value's tensor: its name, the order of its axes, and how its last axis is shuffled.

    `flat`: the tensor's element i of the last axis is ONNX's element flat[i] (a flattened map
    that lies channels-last); `unflat` is the shape that it had before, in the tensor's order.
    """

    name: str
    order: Order
    flat: np.ndarray | None = None
    unflat: tuple[tuple[int, ...], Order] | None = None


class Layout:
    """The graph being rewritten: ask for values in an order, write nodes, place their outputs."""

    def __init__(self, graph: Graph, order_of: Callable[[str], str]) -> None:
        self.graph = graph
        self.order_of = order_of
        self.nodes: list[Node] = []
        self.constants: dict[str, Constant] = dict(graph.constants)
        self.placed: dict[str, Placed] = {}
        self.consumers = graph.consumers()
        self._turned: dict[tuple[str, Order], str] = {}

    def is_constant(self, name: str) -> bool:
        """Whether a value is a constant of the file."""
        return name in self.graph.constants

    def shape(self, name: str) -> tuple[int, ...]:
        """ONNX's shape of a value at the first probe."""
        if name in self.graph.constants:
            return self.graph.constants[name].value.shape
        return self.graph.values[name].shape

    def target(self, name: str) -> tuple[int, ...]:
        """ONNX's shape of a value, -1 where it follows the batch."""
        if name in self.graph.constants:
            return self.graph.constants[name].value.shape
        return self.graph.values[name].target

    def rank(self, name: str) -> int:
        """Number of axes of a value."""
        return len(self.shape(name))

    def where(self, name: str) -> Placed:
        """Where a value lies; a value that was shuffled by a flatten is straightened first."""
        placed = self.placed[name]
        return self.straighten(name) if placed.flat is not None else placed

    def straighten(self, name: str) -> Placed:
        """Undoes a channels-last flatten: reshape back, transpose, reshape."""
        placed = self.placed[name]
        assert placed.unflat is not None
        shape, order = placed.unflat
        mapped = self.write("Reshape", [placed.name], f"{name}/map", shape=list(shape))
        turned = self.turn(mapped, order, identity(len(order)))
        straight = self.write("Reshape", [turned], f"{name}/flat", shape=list(self.target(name)))
        self.placed[name] = Placed(straight, identity(self.rank(name)))
        return self.placed[name]

    def need(self, name: str, order: Order) -> str:
        """Name of the value's tensor in this order; transposed if it lies otherwise."""
        if not name:
            return ""
        if self.is_constant(name):
            return self.turned_constant(name, order)
        placed = self.where(name)
        return self.turn(placed.name, placed.order, order)

    def turn(self, name: str, have: Order, want: Order) -> str:
        """Name of a tensor after a transpose, which is written once."""
        if have == want:
            return name
        key = (name, between(have, want))
        if key not in self._turned:
            self._turned[key] = self.write(
                "Transpose", [name], f"{name}/to{want}", perm=list(key[1])
            )
        return self._turned[key]

    def turned_constant(self, name: str, order: Order) -> str:
        """Name of a constant whose axes are in this order."""
        if order == identity(len(order)):
            return name
        new = f"{name}/to{order}"
        if new not in self.constants:
            constant = self.graph.constants[name]
            self.constants[new] = replace(constant, value=np.transpose(constant.value, order))
        return new

    def constant(self, name: str, value: np.ndarray, like: str) -> str:
        """Enters a changed copy of the constant `like` under a new name."""
        base = self.constants[like]
        while name in self.constants and self.constants[name].value is not value:
            name += "'"
        self.constants[name] = replace(base, value=value)
        return name

    def write(self, op: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        """Writes a node of its own making and gives the name of its output."""
        self.nodes.append(Node(op, tuple(inputs), (output,), attributes, source=()))
        return output

    def emit(
        self,
        node: Node,
        inputs: Sequence[str],
        order: Order,
        attributes: Mapping[str, object] | None = None,
        op: str = "",
    ) -> None:
        """Writes the node with these tensors; its outputs lie in `order`."""
        merged = {**node.attributes, **(attributes or {})}
        kept = {name: value for name, value in merged.items() if value is not None}
        self.nodes.append(replace(node, op=op or node.op, inputs=tuple(inputs), attributes=kept))
        for name in node.outputs:
            if name:
                self.placed[name] = Placed(name, order)

    def fail(self, node: Node, problem: str, todo: str) -> NodeError:
        """The error to raise when a node cannot be laid out."""
        shapes = {name: self.target(name) for name in node.inputs if name}
        return NodeError(f"Expected {problem} in {node}, got inputs {shapes}. {todo}")
