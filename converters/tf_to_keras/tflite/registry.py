"""Which function writes which TensorFlow Lite operator.

    @op("MEAN")
    def mean(call): ...

A function gets a Call (the operator with its values) and gives the ONNX name of the result, or
one name for each output.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from converters.errors import NodeError
from converters.tf_to_keras.tflite.write import Shape, Value, Writer


@dataclass(frozen=True)
class Call:
    """One operator of the file, its inputs as Values, and where its ONNX nodes go."""

    op: str
    write: Writer
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]  # shapes and types as the file says; their names are not in use
    options: Mapping[str, object]

    @property
    def shape(self) -> Shape:
        """Shape of the first output, as in the file."""
        return self.outputs[0].shape

    @property
    def batched(self) -> bool:
        """Whether the result has one part for each example of the batch."""
        return any(value.batched for value in self.inputs if value is not None)

    def value(self, index: int) -> Value:
        """Input `index`, which has to be there."""
        value = self.maybe(index)
        if value is None:
            raise self.fail(f"an input number {index}", "a file that a converter wrote")
        return value

    def maybe(self, index: int) -> Value | None:
        """Input `index`, None if it was left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    def name(self, index: int = 0) -> str:
        """ONNX name of input `index`; constants are written."""
        return self.write.operand(self.value(index))

    def option(self, name: str, default: int = 0) -> int:
        """An integer option of the operator."""
        value = self.options.get(name, default)
        return int(value) if isinstance(value, int | float) else default

    def number(self, name: str, default: float = 0.0) -> float:
        """A real option of the operator."""
        value = self.options.get(name, default)
        return float(value) if isinstance(value, int | float) else default

    def axis(self, value: int, rank: int | None = None) -> int:
        """A non-negative axis of the first input (or of `rank` axes)."""
        rank = self.value(0).rank if rank is None else rank
        if not -rank <= value < rank:
            raise self.fail(f"an axis from {-rank} to {rank - 1}", f"{value}")
        return value % rank

    def fail(self, expected: str, got: str) -> NodeError:
        """The error for this operator."""
        shapes = [None if value is None else value.shape for value in self.inputs]
        return NodeError(
            f"Expected {expected} at {self.op} '{self.write.where}' (input shapes {shapes}), got "
            f"{got}. Convert the network again from its source, or supply the operator with ops=."
        )


Function = Callable[[Call], "str | list[str] | Value"]
_OPS: dict[str, Function] = {}


def op(*names: str) -> Callable[[Function], Function]:
    """Decorator: the function writes these TensorFlow Lite operators."""

    def enter(function: Function) -> Function:
        for name in names:
            if name in _OPS:
                raise ValueError(f"{name} has two functions: {_OPS[name]}, {function}")
            _OPS[name] = function
        return function

    return enter


@cache
def known_ops() -> dict[str, Function]:
    """Name of each TensorFlow Lite operator that can be written → its function."""
    from converters.tf_to_keras.tflite import ops

    for module in pkgutil.iter_modules(ops.__path__):
        importlib.import_module(f"{ops.__name__}.{module.name}")
    return _OPS
