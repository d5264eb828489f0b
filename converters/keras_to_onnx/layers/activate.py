"""The activation that many layers end with."""

from types import SimpleNamespace
from typing import Any

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.registry import OPERATIONS
from converters.keras_to_onnx.value import Spec, Value
from converters.keras_to_onnx.walk import trace

# Functions of keras.activations that go straight to the backend, so that no trace is left.
_UNTRACEABLE = {"hard_silu": "HardSilu", "mish": "Mish", "sparsemax": "Sparsemax"}


def activated(g: Graph, function: Any, x: Value) -> Value:
    """The value behind an activation: a function of keras.ops, a layer or nothing."""
    from keras import activations

    if function is None:
        return x
    name = getattr(function, "__name__", "")
    if name in _UNTRACEABLE and function is getattr(activations, name):
        settings, out = SimpleNamespace(axis=-1), Spec(x.shape, x.dtype)
        made = OPERATIONS[_UNTRACEABLE[name]](g, settings, out, x)
        if isinstance(made, Value):
            return made
    return trace(g, function, x)[0]
