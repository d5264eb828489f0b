"""Element types: casts, and whole numbers that stand for floating-point ones."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.arithmetic import sum_of
from converters.onnx_to_keras.ops.spatial.conv import conv
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build

_KEPT = {
    "bool", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
}  # fmt: skip
_FLOATS = {"float16", "bfloat16", "float32", "float64"}


@op("Cast", order="pointwise")
def cast(
    build: Build, x: KerasTensor, *, to: int, saturate: int = 1, round_mode: str = "up"
) -> KerasTensor:
    """x in another element type; every floating-point type is float32 here."""
    return _cast(x, _element_type(build, to))


@op("CastLike", order="pointwise")
def cast_like(
    build: Build, x: Operand, like: Operand, *, saturate: int = 1, round_mode: str = "up"
) -> Operand:
    """x in the element type of another tensor."""
    kind = np.dtype(_value(like).dtype).name
    if isinstance(x, Constant):  # a number beside a tensor stays a number
        return replace(x, value=x.value.astype(kind))
    return _cast(x, kind)


def _element_type(build: Build, number: int) -> str:
    from onnx import TensorProto
    from onnx.helper import tensor_dtype_to_np_dtype

    name = TensorProto.DataType.Name(number)
    kind = tensor_dtype_to_np_dtype(number).name
    if name == "BFLOAT16" or kind in _FLOATS:
        return "float32"
    if kind not in _KEPT or name.lower() != kind:
        raise build.fail(f"an element type of at least 8 bits, not {name},", "Export in float32.")
    return kind


def _cast(x: KerasTensor, kind: str) -> KerasTensor:
    have = np.dtype(x.dtype).name
    if have == kind:
        return x
    if have == "float32" and kind.startswith("u"):  # negative numbers wrap round, as in C
        return K.cast(K.cast(x, "int64"), kind)
    return K.cast(x, kind)


@op("QuantizeLinear", order="axis")
def quantize_linear(
    build: Build,
    x: KerasTensor,
    scale: Operand,
    zero_point: Operand | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
) -> KerasTensor:
    """round(x / scale) + zero_point, a half to the even number, within the element type."""
    if zero_point is not None:
        kind = _value(zero_point).dtype
    else:
        kind = np.dtype(_element_type(build, output_dtype) if output_dtype else "uint8")
    if np.dtype(kind).name not in _KEPT:
        raise build.fail(f"whole numbers of at least 8 bits, not {kind},", "Export in float32.")
    scale, shift = (_along(build, part, x, axis, block_size) for part in (scale, zero_point))
    whole = K.round(K.divide(K.cast(x, "float32"), scale))
    limits = np.iinfo(np.dtype(kind))
    if shift is not None:
        whole = sum_of(whole, K.cast(shift, "float32"))
    return K.cast(K.clip(whole, float(limits.min), float(limits.max)), np.dtype(kind).name)


@op("DequantizeLinear", order="axis")
def dequantize_linear(
    build: Build,
    x: Operand,
    scale: Operand,
    zero_point: Operand | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> KerasTensor:
    """(x - zero_point) * scale, float32."""
    x = build.tensor(x)
    scale, shift = (_along(build, part, x, axis, block_size) for part in (scale, zero_point))
    y = K.cast(x, "float32")
    if shift is not None:
        y = K.subtract(y, K.cast(shift, "float32"))
    return K.multiply(y, scale)


def _value(part: Operand) -> np.ndarray | KerasTensor:
    return part.value if isinstance(part, Constant) else part


def _along(
    build: Build, part: Operand | None, x: KerasTensor, axis: int, block: int
) -> KerasTensor | np.ndarray | None:
    """One number, one an element of the axis, or one a block of it, ready to broadcast with x."""
    if part is None:
        return None
    value = part.value if isinstance(part, Constant) else part  # a scale is nothing to train
    rank = len(x.shape)
    if not value.shape or tuple(value.shape) == (1,):
        return K.reshape(value, (1,) * rank) if rank else K.reshape(value, ())
    if len(value.shape) == 1:
        shape = [1] * rank
        shape[axis] = value.shape[0]
        return K.reshape(value, shape)
    if not block:
        raise build.fail("one scale, one an axis, or blocks of a given size", "Export in float32.")
    return K.repeat(value, block, axis=axis)


@op("DynamicQuantizeLinear", order="fixed")
def dynamic_quantize_linear(
    build: Build, x: KerasTensor
) -> tuple[KerasTensor, KerasTensor, KerasTensor]:
    """x as uint8 over its own range, with the scale and the zero point that were used."""
    low, high = K.minimum(K.min(x), 0.0), K.maximum(K.max(x), 0.0)
    scale = K.divide(K.subtract(high, low), 255.0)
    shift = K.clip(K.round(K.divide(K.negative(low), scale)), 0.0, 255.0)
    whole = K.clip(K.add(K.round(K.divide(x, scale)), shift), 0.0, 255.0)
    return K.cast(whole, "uint8"), scale, K.cast(shift, "uint8")


@op("MatMulInteger", order="fixed")
def matmul_integer(
    build: Build,
    a: Operand,
    b: Operand,
    a_zero_point: Operand | None = None,
    b_zero_point: Operand | None = None,
) -> KerasTensor:
    """(a - a_zero_point)(b - b_zero_point) in int32."""
    a, b = K.cast(build.tensor(a), "int32"), K.cast(build.tensor(b), "int32")
    if a_zero_point is not None:
        shift = K.cast(build.tensor(a_zero_point), "int32")
        a = K.subtract(a, K.expand_dims(shift, -1) if len(shift.shape) == 1 else shift)
    if b_zero_point is not None:
        b = K.subtract(b, K.cast(build.tensor(b_zero_point), "int32"))
    return K.matmul(a, b)


@op("QLinearMatMul", order="fixed")
def qlinear_matmul(
    build: Build,
    a: Operand,
    a_scale: Operand,
    a_zero_point: Operand,
    b: Operand,
    b_scale: Operand,
    b_zero_point: Operand,
    y_scale: Operand,
    y_zero_point: Operand,
) -> KerasTensor:
    """The product of two quantised matrices, quantised."""
    left = _rows(build, a, a_scale, a_zero_point)
    right = dequantize_linear(build, b, b_scale, b_zero_point, axis=-1)
    return quantize_linear(build, K.matmul(left, right), y_scale, y_zero_point, axis=-1)


def _rows(build: Build, x: Operand, scale: Operand, zero_point: Operand) -> KerasTensor:
    """Dequantised, with a scale a row where there are several."""
    return dequantize_linear(build, x, scale, zero_point, axis=-2)


@op("QLinearConv", order="spatial")
def qlinear_conv(
    build: Build,
    x: KerasTensor,
    x_scale: Operand,
    x_zero_point: Operand,
    kernel: Operand,
    kernel_scale: Operand,
    kernel_zero_point: Operand,
    y_scale: Operand,
    y_zero_point: Operand,
    bias: Operand | None = None,
    **window: Any,
) -> KerasTensor:
    """A quantised convolution, computed in float32 between its two quantised ends."""
    x = dequantize_linear(build, x, x_scale, x_zero_point, axis=-1)
    weights = _stored(build, kernel, kernel_scale, kernel_zero_point)
    if bias is not None:
        factor = _fixed(build, x_scale) * _fixed(build, kernel_scale).ravel()
        bias = replace(bias, value=(_fixed(build, bias) * factor).astype(np.float32))
    y = conv(build, x, weights, bias, **window)
    return quantize_linear(build, y, y_scale, y_zero_point, axis=-1)


@op("ConvInteger", order="spatial")
def conv_integer(
    build: Build,
    x: KerasTensor,
    kernel: Operand,
    x_zero_point: Operand | None = None,
    kernel_zero_point: Operand | None = None,
    **window: Any,
) -> KerasTensor:
    """A convolution of whole numbers, int32; exact up to 2**24, as float32 is."""
    x = dequantize_linear(build, x, _ONE, x_zero_point, axis=-1)
    y = conv(build, x, _stored(build, kernel, _ONE, kernel_zero_point), **window)
    return K.cast(K.round(y), "int32")


_ONE = Constant("", np.ones((), dtype=np.float32))


def _fixed(build: Build, part: Operand) -> np.ndarray:
    if not isinstance(part, Constant):
        raise build.fail("scales and weights that are stored in the file", "Export in float32.")
    return part.value


def _stored(build: Build, kernel: Operand, scale: Operand, zero_point: Operand | None) -> Constant:
    """The kernel (filters, ...) as float32 weights."""
    shift = 0 if zero_point is None else _fixed(build, zero_point).astype(np.int32)
    whole, rank = _fixed(build, kernel).astype(np.int32), _fixed(build, kernel).ndim
    factor, shift = (_filters(np.asarray(part), rank) for part in (_fixed(build, scale), shift))
    return replace(kernel, value=((whole - shift) * factor).astype(np.float32))


def _filters(value: np.ndarray, rank: int) -> np.ndarray:
    return value.reshape(-1, *(1,) * (rank - 1)) if value.size > 1 else value.reshape(())
