"""Products of matrices: Dense layers, MatMul and Gemm of tensors, Einsum."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import keras
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.arithmetic import sum_of
from converters.onnx_to_keras.registry import Constant, op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@op("Dense", order="fixed")
def dense(
    build: Build, x: KerasTensor, kernel: Constant, bias: Constant | None = None
) -> KerasTensor:
    """x (..., n), kernel (n, units) → (..., units)."""
    return build.layer(
        keras.layers.Dense,
        x,
        weights={"kernel": kernel, "bias": bias},
        units=kernel.value.shape[1],
        use_bias=bias is not None,
    )


@op("EinsumDense", order="own")
def einsum_dense(
    build: Build,
    x: KerasTensor,
    kernel: Constant,
    bias: Constant | None = None,
    *,
    equation: str,
    bias_axes: str | None = None,
) -> KerasTensor:
    """A Dense layer along an axis that is not the last: "abcd,cz->abzd"."""
    left, result = equation.split("->")
    terms = left.split(",")
    sizes = dict(zip(terms[0], x.shape, strict=True))
    sizes |= dict(zip(terms[1], kernel.value.shape, strict=True))
    if bias is not None and bias_axes:  # a bias spans all axes from its first one on
        first = min(result.index(letter) for letter in bias_axes)
        shape = [sizes[a] if a in bias_axes else 1 for a in result[first:]]
        bias = replace(bias, value=bias.value.reshape(shape))
    own = bias if bias_axes == result[-1] else None  # see sum_of for one along another axis
    y = build.layer(
        keras.layers.EinsumDense,
        x,
        weights={"kernel": kernel, "bias": own},
        equation=equation,
        output_shape=tuple(sizes[a] for a in result[1:]),
        bias_axes=None if own is None else bias_axes,
    )
    return y if bias is own else sum_of(y, build.tensor(bias))


@op("MatMul", order="fixed")
def matmul(build: Build, x: Operand, y: Operand) -> KerasTensor:
    """The product of the last two axes, the others broadcast."""
    return K.matmul(build.tensor(x), build.tensor(y))


@op("Gemm", order="fixed")
def gemm(
    build: Build,
    a: Operand,
    b: Operand,
    c: Operand | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
) -> KerasTensor:
    """Alpha a b + beta c, a and b transposed if asked for."""
    a, b = build.tensor(a), build.tensor(b)
    y = K.matmul(K.transpose(a) if transA else a, K.transpose(b) if transB else b)
    y = y if alpha == 1 else K.multiply(y, alpha)
    if c is None or beta == 0:
        return y
    c = build.tensor(c)
    return sum_of(y, c if beta == 1 else K.multiply(c, beta))


@op("Einsum", order="own")
def einsum(build: Build, *inputs: Operand, equation: str) -> KerasTensor:
    """A sum of products over named axes."""
    return K.einsum(equation.replace(" ", ""), *(build.tensor(x) for x in inputs))
