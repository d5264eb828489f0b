"""Numbers in, numbers out: functions of one tensor, and + - * / and their like of two or more."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import keras
import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


def is_float(x: KerasTensor | np.ndarray) -> bool:
    """Whether the elements are floating-point numbers."""
    return bool(np.issubdtype(np.dtype(x.dtype), np.floating))


def _merged(build: Build, kind: type[keras.Layer], inputs: Sequence[Operand]) -> KerasTensor | None:
    """The tensors through a merging layer, where it broadcasts as ONNX does; None elsewhere."""
    tensors = [x for x in inputs if not isinstance(x, Constant)]
    if len(inputs) < 2 or len(tensors) < len(inputs):
        return None
    first = tensors[0]
    alike = all(len(x.shape) == len(first.shape) > 1 for x in tensors)
    if not alike or not is_float(first) or len({x.shape[0] for x in tensors}) > 1:
        return None
    return build.layer(kind, tensors)


def _chained(
    build: Build, function: Callable[..., KerasTensor], inputs: Sequence[Operand]
) -> KerasTensor:
    result, *rest = (build.tensor(x) for x in inputs)
    for x in rest:
        result = function(result, x)
    return result


def sum_of(x: KerasTensor | np.ndarray, y: KerasTensor | np.ndarray) -> KerasTensor:
    """x + y.

    On TensorFlow, Keras 3.15 takes a second operand that is a vector, lying along whichever
    axis, for a bias of the last one: (n, t, t) + (t, 1) would come out wrong.
    """
    if _adds(x, y):
        return K.add(x, y)
    return K.add(y, x) if _adds(y, x) else K.subtract(x, K.negative(y))


def _adds(x: KerasTensor | np.ndarray, y: KerasTensor | np.ndarray) -> bool:
    """Whether keras.ops.add(x, y) is the sum; a size that is not known yet may be any."""
    if len(x.shape) < 2 or tuple(x.shape) == tuple(y.shape):
        return True
    long = [axis for axis in range(-len(y.shape), 0) if y.shape[axis] != 1]
    known = [axis for axis in long if y.shape[axis] is not None]
    if not long or len(known) > 1:
        return True
    size = y.shape[known[0]] if known else None
    taken = [n for n in (x.shape[1], x.shape[-1]) if n != 1 and (None in (n, size) or n == size)]
    is_bias = known == [-1] and len(y.shape) <= len(x.shape) and size == x.shape[-1]
    return is_bias or not taken


@op("Add", "Sum", order="pointwise")
def add(build: Build, *inputs: Operand) -> KerasTensor:
    """The sum of all inputs."""
    if len({tuple(x.shape) for x in inputs if not isinstance(x, Constant)}) == 1:
        merged = _merged(build, keras.layers.Add, inputs)
        if merged is not None:
            return merged
    return _chained(build, sum_of, inputs)


@op("Sub", order="pointwise")
def subtract(build: Build, x: Operand, y: Operand) -> KerasTensor:
    """x - y."""
    merged = _merged(build, keras.layers.Subtract, (x, y))
    return _chained(build, K.subtract, (x, y)) if merged is None else merged


@op("Mul", order="pointwise")
def multiply(build: Build, x: Operand, y: Operand) -> KerasTensor:
    """x * y."""
    merged = _merged(build, keras.layers.Multiply, (x, y))
    return _chained(build, K.multiply, (x, y)) if merged is None else merged


@op("Max", order="pointwise")
def maximum(build: Build, *inputs: Operand) -> KerasTensor:
    """The largest of all inputs."""
    merged = _merged(build, keras.layers.Maximum, inputs)
    return _chained(build, K.maximum, inputs) if merged is None else merged


@op("Min", order="pointwise")
def minimum(build: Build, *inputs: Operand) -> KerasTensor:
    """The smallest of all inputs."""
    merged = _merged(build, keras.layers.Minimum, inputs)
    return _chained(build, K.minimum, inputs) if merged is None else merged


@op("Mean", order="pointwise")
def mean(build: Build, *inputs: Operand) -> KerasTensor:
    """The mean of all inputs."""
    return K.divide(_chained(build, sum_of, inputs), float(len(inputs)))


@op("Div", order="pointwise")
def divide(build: Build, x: Operand, y: Operand) -> KerasTensor:
    """x / y; whole numbers are cut off towards zero."""
    x, y = build.tensor(x), build.tensor(y)
    if is_float(x):
        return K.divide(x, y)
    if np.issubdtype(np.dtype(x.dtype), np.unsignedinteger):
        return K.floor_divide(x, y)
    size = K.floor_divide(K.abs(x), K.abs(y))
    return K.multiply(K.multiply(K.sign(x), K.sign(y)), size)


@op("Mod", order="pointwise")
def modulo(build: Build, x: Operand, y: Operand, *, fmod: int = 0) -> KerasTensor:
    """The remainder, with the sign of y; with that of x if `fmod`."""
    x, y = build.tensor(x), build.tensor(y)
    if not fmod:
        return K.mod(x, y)
    if np.issubdtype(np.dtype(x.dtype), np.unsignedinteger):
        return K.mod(x, y)
    return K.multiply(K.sign(x), K.mod(K.abs(x), K.abs(y)))


@op("Pow", order="pointwise")
def power(build: Build, x: Operand, y: Operand) -> KerasTensor:
    """x to the power of y, in the type of x."""
    if isinstance(y, Constant) and y.value.size == 1 and not isinstance(x, Constant):
        number = float(y.value.ravel()[0])
        if is_float(x) and number in _POWERS:
            return _POWERS[number](x)
    x, y = build.tensor(x), build.tensor(y)
    kind = np.dtype(x.dtype).name
    work = kind if is_float(x) or not is_float(y) else "float32"
    x, y = (K.cast(t, work) if np.dtype(t.dtype).name != work else t for t in (x, y))
    y = K.power(x, y)
    return y if work == kind else K.cast(y, kind)


_POWERS: dict[float, Callable[[KerasTensor], KerasTensor]] = {
    0.5: K.sqrt,
    1.0: lambda x: x,
    2.0: K.square,
    3.0: lambda x: K.multiply(K.square(x), x),
}


@op("Reciprocal", order="pointwise")
def reciprocal(build: Build, x: KerasTensor) -> KerasTensor:
    """1 / x."""
    return K.reciprocal(x)


@op("Sign", order="pointwise")
def sign(build: Build, x: KerasTensor) -> KerasTensor:
    """-1, 0 or 1."""
    if np.issubdtype(np.dtype(x.dtype), np.unsignedinteger):
        return K.cast(K.greater(x, 0), x.dtype)
    return K.sign(x)


@op("Round", order="pointwise")
def round_(build: Build, x: KerasTensor) -> KerasTensor:
    """The nearest whole number; a half goes to the even one."""
    return K.round(x)


def _enter(onnx: str, function: Callable[[KerasTensor], KerasTensor], meaning: str) -> None:
    def built(build: Build, x: KerasTensor) -> KerasTensor:
        return function(x)

    built.__name__, built.__doc__ = onnx.lower(), meaning
    op(onnx, order="pointwise")(built)


for _onnx, _function, _meaning in (
    ("Abs", K.abs, "|x|."),
    ("Acos", K.arccos, "The arc cosine."),
    ("Acosh", K.arccosh, "The inverse hyperbolic cosine."),
    ("Asin", K.arcsin, "The arc sine."),
    ("Asinh", K.arcsinh, "The inverse hyperbolic sine."),
    ("Atan", K.arctan, "The arc tangent."),
    ("Atanh", K.arctanh, "The inverse hyperbolic tangent."),
    ("Ceil", K.ceil, "The next whole number upwards."),
    ("Cos", K.cos, "The cosine."),
    ("Cosh", K.cosh, "The hyperbolic cosine."),
    ("Erf", K.erf, "The error function."),
    ("Exp", K.exp, "e to the power of x."),
    ("Floor", K.floor, "The next whole number downwards."),
    ("Log", K.log, "The natural logarithm."),
    ("Neg", K.negative, "-x."),
    ("Sin", K.sin, "The sine."),
    ("Sinh", K.sinh, "The hyperbolic sine."),
    ("Sqrt", K.sqrt, "The square root."),
    ("Tan", K.tan, "The tangent."),
):
    _enter(_onnx, _function, _meaning)


@op("Det", order="fixed")
def determinant(build: Build, x: KerasTensor) -> KerasTensor:
    """x (..., n, n) → (...)."""
    return K.det(x)
