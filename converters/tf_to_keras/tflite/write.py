"""A Writer gathers the ONNX nodes and weights of one network.

The first axis of every value is the batch times what the file says: an image network's
(1, 224, 224, 3) is (n, 224, 224, 3) in ONNX, and (96, 64), frames by bands of one recording, is
(n * 96, 64). Operators that leave that axis alone need not know; those that touch it ask for
`apart`, which gives the batch an axis of its own, and put the result `together` again.
"""

from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from converters.errors import ConversionError
from converters.tf_to_keras.tflite.names import layer_name

Shape = tuple[int | None, ...]


class FixedBatchError(ConversionError):
    """The batch cannot be freed in this network: it has to keep the file's."""


@dataclass(frozen=True)
class Value:
    """One tensor: its ONNX name, the file's shape, and its numbers if they are constant."""

    name: str
    shape: Shape
    dtype: np.dtype
    batched: bool = False
    data: np.ndarray | None = None
    imaginary: str = ""  # ONNX name of the imaginary part of a complex tensor
    scale: float = 0.0  # of a quantised tensor; real = (stored - zero_point) * scale
    zero_point: int = 0

    @property
    def rank(self) -> int:
        """Number of axes in the file."""
        return len(self.shape)

    def ints(self) -> list[int]:
        """The numbers of a constant that an operator takes as a parameter."""
        if self.data is None or self.data.dtype.kind not in "iu":
            raise ConversionError(
                f"Expected fixed integers, got '{self.name}', which is computed while the network "
                "runs. Convert the file again from its source with fixed sizes."
            )
        return [int(number) for number in self.data.ravel()]


@dataclass
class Writer:
    """Nodes, weights and names so far; `where` is the name of the operator being written."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: dict[str, onnx.TensorProto] = field(default_factory=dict)
    parameters: list[str] = field(default_factory=list)
    where: str = ""
    _taken: set[str] = field(default_factory=set)
    _written: dict[tuple[str, str], str] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        """The name, or the name with a number if it is taken."""
        candidate, number = name, 1
        while candidate in self._taken:
            number += 1
            candidate = f"{name}_{number}"
        self._taken.add(candidate)
        return candidate

    def __call__(self, op: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        """Writes one ONNX node with one output, whose name comes back."""
        return self.several(1, op, *inputs, domain=domain, **attributes)[0]

    def several(
        self, outputs: int, op: str, *inputs: str, domain: str = "", **attributes: object
    ) -> list[str]:
        """Writes one ONNX node; the names of its outputs."""
        names = [self.unique(f"{self.where}/{op}") for _ in range(outputs)]
        given: dict[str, Any] = {
            key: value for key, value in attributes.items() if value is not None
        }
        node = helper.make_node(op, inputs, names, name=names[0], domain=domain, **given)
        self.nodes.append(node)
        return names

    def fixed(self, array: np.ndarray) -> str:
        """Numbers that are no weights, as a Constant node."""
        return self("Constant", value=numpy_helper.from_array(np.ascontiguousarray(array)))

    def ints(self, *numbers: int) -> str:
        """A list of int64, as a Constant node."""
        return self.fixed(np.array(numbers, np.int64))

    def number(self, value: float) -> str:
        """One float32, as a Constant node."""
        return self.fixed(np.array(value, np.float32))

    def weight(
        self,
        value: Value,
        array: np.ndarray | None = None,
        kind: str = "weight",
        owner: Value | None = None,
    ) -> str:
        """A weight named layer.kind; `array` is it in another layout, `owner` names the layer."""
        if value.data is None:
            return value.name
        array = value.data if array is None else array
        if array.dtype.kind == "f" and array.dtype != np.float32:
            array = array.astype(np.float32)
        key = (value.name, f"{array.shape}{kind}")
        if key not in self._written:
            layer = layer_name((owner or value).name, self.where) or "layer"
            name = self.unique(f"{layer}.{kind}")
            self.weights[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
            if array.dtype.kind == "f":
                self.parameters.append(name)
            self._written[key] = name
        return self._written[key]

    def operand(self, value: Value) -> str:
        """Name of a value as an operator's input; a constant is written on first use."""
        if value.data is None:
            return value.name
        if value.data.dtype.kind == "f" and value.data.size > 1:
            return self.weight(value)
        key = (value.name, "fixed")
        if key not in self._written:
            self._written[key] = self.fixed(value.data)
        return self._written[key]

    def reshape(self, name: str, shape: Shape) -> str:
        """Reshapes to sizes of which at most one is open."""
        sizes = [-1 if size is None else size for size in shape]
        if sizes.count(-1) > 1:
            raise ConversionError(
                f"Expected at most one open size, got the shape {list(shape)} at '{self.where}'. "
                "Say the sizes of the inputs with input_shapes={...}."
            )
        return self("Reshape", name, self.ints(*sizes))

    def shaped(self, name: str, shape: Shape, batched: bool) -> str:
        """Reshapes to a shape of the file, its first axis times the batch if `batched`."""
        if not batched:
            return self.reshape(name, shape)
        if not shape:
            raise FixedBatchError(f"'{self.where}' gives one number for the whole batch.")
        return self.reshape(name, (None, *shape[1:]))

    def apart(self, value: Value) -> Value:
        """The value with the batch on an axis of its own in front: (n, *shape)."""
        if not value.batched:
            return value
        name = self.reshape(value.name, (None, *value.shape))
        return replace(value, name=name, shape=(None, *value.shape), batched=False)

    def together(self, name: str, shape: Shape) -> str:
        """Undoes `apart` for a result whose shape in the file is `shape`."""
        return self.shaped(name, shape, True)


def elements(shape: Shape) -> int:
    """Number of elements of a fully known shape."""
    return prod(size for size in shape if size is not None)
