"""The importer's own graph: nodes, constants, and what is known about each value.

A Graph is data. Every pass takes one and gives another.

Shapes are known twice, for two batch sizes (PROBES): an axis that differs between the two is
one that grows with the batch, and everything else is a plain number.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from converters.onnx_to_keras.registry import Constant

Shape = tuple[int, ...]
PROBES = (13, 17)  # two primes larger than the windows and strides that networks use


@dataclass(frozen=True)
class Node:
    """One operator: inputs by name ("" for an omitted one), attributes as Python values."""

    op: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, object] = field(default_factory=dict)
    name: str = ""
    domain: str = ""
    source: tuple[str, ...] = ()  # names of the file's nodes that this one stands for
    scope: str = ""  # the module of the source that it belongs to, "layer1.0.conv1"

    @property
    def output(self) -> str:
        """Name of the first output."""
        return self.outputs[0]

    def __str__(self) -> str:
        return f"{self.op} '{self.name or self.output}'"


@dataclass(frozen=True)
class Value:
    """Shape at each of the two PROBES, and element type, of one value."""

    shapes: tuple[Shape, Shape]
    dtype: np.dtype

    @property
    def shape(self) -> Shape:
        """Shape at the first probe."""
        return self.shapes[0]

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shapes[0])

    @property
    def target(self) -> tuple[int, ...]:
        """Shape with -1 where it grows with the batch."""
        return tuple(a if a == b else -1 for a, b in zip(*self.shapes, strict=True))

    def permuted(self, order: Iterable[int]) -> Value:
        """The value with its axes in another order."""
        order = tuple(order)
        first, second = (tuple(shape[axis] for axis in order) for shape in self.shapes)
        return replace(self, shapes=(first, second))


@dataclass(frozen=True)
class Symbolic:
    """An integer array that depends on the batch: slope * batch + offset."""

    slope: np.ndarray
    offset: np.ndarray

    def parameter(self) -> list[int]:
        """The numbers as a flat list, -1 for what grows with the batch (a shape's form)."""
        flat = zip(self.slope.ravel(), self.offset.ravel(), strict=True)
        return [-1 if slope else int(offset) for slope, offset in flat]


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order, and all that is known about their values."""

    nodes: tuple[Node, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    constants: Mapping[str, Constant]
    values: Mapping[str, Value] = field(default_factory=dict)
    symbolic: Mapping[str, Symbolic] = field(default_factory=dict)
    opset: int = 0
    metadata: Mapping[str, str] = field(default_factory=dict)

    def consumers(self) -> dict[str, list[Node]]:
        """Name of a value → the nodes that take it."""
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.inputs):
                found.setdefault(name, []).append(node)
        return found

    def producers(self) -> dict[str, Node]:
        """Name of a value → the node that makes it."""
        return {name: node for node in self.nodes for name in node.outputs if name}

    def without_dead(self) -> Graph:
        """The graph with only what its outputs depend on."""
        alive, kept = set(self.outputs), []
        for node in reversed(self.nodes):
            if alive.intersection(node.outputs):
                alive.update(node.inputs)
                kept.append(node)
        alive.update(self.inputs)
        constants = {name: value for name, value in self.constants.items() if name in alive}
        return replace(self, nodes=tuple(reversed(kept)), constants=constants)
