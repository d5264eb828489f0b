"""Comparisons, truth values, bits, and choices between tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


def _enter(
    onnx: str, function: Callable[[KerasTensor, KerasTensor], KerasTensor], meaning: str
) -> None:
    def built(build: Build, x: Operand, y: Operand) -> KerasTensor:
        return function(build.tensor(x), build.tensor(y))

    built.__name__, built.__doc__ = onnx.lower(), meaning
    op(onnx, order="pointwise")(built)


for _onnx, _function, _meaning in (
    ("And", K.logical_and, "Whether both are true."),
    ("BitwiseAnd", K.bitwise_and, "The bits that both have."),
    ("BitwiseOr", K.bitwise_or, "The bits that either has."),
    ("BitwiseXor", K.bitwise_xor, "The bits that one alone has."),
    ("Equal", K.equal, "Whether x = y."),
    ("Greater", K.greater, "Whether x > y."),
    ("GreaterOrEqual", K.greater_equal, "Whether x >= y."),
    ("Less", K.less, "Whether x < y."),
    ("LessOrEqual", K.less_equal, "Whether x <= y."),
    ("Or", K.logical_or, "Whether either is true."),
    ("Xor", K.logical_xor, "Whether one alone is true."),
):
    _enter(_onnx, _function, _meaning)


@op("Not", order="pointwise")
def logical_not(build: Build, x: KerasTensor) -> KerasTensor:
    """Whether x is false."""
    return K.logical_not(x)


@op("BitwiseNot", order="pointwise")
def bitwise_not(build: Build, x: KerasTensor) -> KerasTensor:
    """Every bit turned over."""
    return K.bitwise_not(x)


@op("BitShift", order="pointwise")
def bit_shift(
    build: Build, x: Operand, y: Operand, *, direction: Literal["LEFT", "RIGHT"]
) -> KerasTensor:
    """The bits of x moved by y places."""
    x, y = build.tensor(x), build.tensor(y)
    return K.left_shift(x, y) if direction == "LEFT" else K.right_shift(x, y)


@op("Where", order="pointwise")
def where(build: Build, condition: Operand, x: Operand, y: Operand) -> KerasTensor:
    """x where the condition holds, y elsewhere."""
    parts = [build.tensor(part) for part in (condition, x, y)]
    if any(len(part.shape) for part in parts):  # a saved model keeps the type of arrays only
        parts = [p.reshape(1) if isinstance(p, np.ndarray) and not p.ndim else p for p in parts]
    return K.where(*parts)


@op("IsNaN", order="pointwise")
def is_nan(build: Build, x: KerasTensor) -> KerasTensor:
    """Whether x is not a number."""
    return K.isnan(x)


@op("IsInf", order="pointwise")
def is_inf(
    build: Build, x: KerasTensor, *, detect_negative: int = 1, detect_positive: int = 1
) -> KerasTensor:
    """Whether x is infinite, on the sides that are asked for."""
    if detect_negative and detect_positive:
        return K.isinf(x)
    if not detect_negative and not detect_positive:
        return K.zeros_like(x, dtype="bool")
    return K.isposinf(x) if detect_positive else K.isneginf(x)
