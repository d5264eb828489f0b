"""What a .tflite file says, as plain data: tensors, operators, inputs and outputs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Quantisation:
    """real = (stored - zero_points) * scales, per tensor or along `axis`."""

    scales: np.ndarray
    zero_points: np.ndarray
    axis: int = 0


@dataclass(frozen=True)
class Tensor:
    """One tensor of the file; `shape` has None where the file leaves a dimension open."""

    index: int
    name: str
    shape: tuple[int | None, ...]
    type: str
    quantisation: Quantisation | None = None
    raw: memoryview | None = None

    @property
    def constant(self) -> bool:
        """True for a weight or another value that the file holds."""
        return self.raw is not None

    @property
    def quantised(self) -> bool:
        """True for integers that stand for real numbers."""
        return self.quantisation is not None


@dataclass(frozen=True)
class Operator:
    """One operator; -1 among the inputs is one that was left out."""

    op: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Network:
    """The file's only subgraph, and the metadata blocks by name."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    metadata: Mapping[str, memoryview]
