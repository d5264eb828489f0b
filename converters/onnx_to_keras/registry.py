"""Which function builds which ONNX operator, and the axis order that it asks for.

    @op("Softmax", order="axis")
    def softmax(build, x, *, axis=-1): ...

An op is one small function: ONNX inputs in, tensors out, ONNX attributes as keyword arguments.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Literal, TypeVar

import numpy as np

Order = Literal["spatial", "pointwise", "axis", "concat", "reduce", "fixed", "own"]
"""What an op asks of the axis order of its inputs ("own": layout has a rule of its name)."""

_Function = TypeVar("_Function", bound=Callable[..., object])


@dataclass(frozen=True, eq=False)
class Constant:
    """An array of the file: a weight if it is trainable, otherwise a fixed number."""

    name: str
    value: np.ndarray
    trainable: bool = False


@dataclass(frozen=True)
class Op:
    """The function that builds one operator, and what layout has to know about it."""

    name: str
    function: Callable[..., object]
    order: Order


_OPS: dict[str, Op] = {}


def op(*names: str, order: Order) -> Callable[[_Function], _Function]:
    """Decorator: the function builds these ONNX operators.

    Example::

        @op("Relu", order="pointwise")
        def relu(build, x):
            return build.layer(keras.layers.ReLU, x)
    """

    def enter(function: _Function) -> _Function:
        for name in names:
            if name in _OPS:
                raise ValueError(f"{name} has two functions: {_OPS[name].function}, {function}")
            _OPS[name] = Op(name, function, order)
        return function

    return enter


@cache
def known_ops() -> dict[str, Op]:
    """Name of each operator that has a converter → its Op."""
    from converters.onnx_to_keras import ops

    for module in pkgutil.walk_packages(ops.__path__, f"{ops.__name__}."):
        importlib.import_module(module.name)
    return _OPS
