"""One file a family of operators; see registry.op for the form of an op."""

from typing import TypeAlias

from keras import KerasTensor

from converters.onnx_to_keras.registry import Constant

Operand: TypeAlias = "KerasTensor | Constant"
"""An input of an op: a tensor, or an array of the file."""
