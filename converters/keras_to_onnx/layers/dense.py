"""Dense, EinsumDense and Embedding."""

import math
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph, Operand
from converters.keras_to_onnx.layers.activate import activated
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.reduction import last
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@layer("Dense")
def dense(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Gemm on rows, MatMul and Add on more axes; after Flatten the kernel's rows are permuted."""
    _float_only(op)
    bias = g.weight("bias", op.bias) if op.use_bias else None
    return activated(g, op.activation, _linear(g, op, x, op.kernel, bias, out))


def _linear(g: Graph, op: Any, x: Value, kernel: Any, bias: Operand, out: Spec) -> Value:
    x = g.cast(x, "float32")
    weight = _kernel(g, op, x, kernel)
    if x.rank == 2:
        return g.emit("Gemm", [x, weight, bias], out.shape, "float32")
    x = last(g, x, [x.rank - 1])
    return _matmul(g, x, weight, bias, out)


def _kernel(g: Graph, op: Any, x: Value, kernel: Any) -> str:
    variable = kernel if hasattr(kernel, "path") else op._kernel
    if variable is not kernel:
        return g.constant(np.asarray(kernel, np.float32), "weight")  # LoRA: the sum is a tensor
    flat = x.flat
    if flat is None:
        return g.weight("weight", variable)
    sizes = [int(size or 0) for size in flat.shape[1:]]
    turn = [axis - 1 for axis in flat.order[1:]]

    def rows(array: np.ndarray) -> np.ndarray:
        return array.reshape(*sizes, array.shape[-1]).transpose(*turn, len(turn))

    return g.weight("weight", variable, rows, variable.shape, kind=(flat.shape, flat.order))


def _matmul(g: Graph, x: Value, weight: Operand, bias: Operand, out: Spec) -> Value:
    y = g.emit("MatMul", [x, weight], out.shape, "float32", x.order)
    return y if bias is None else g.emit("Add", [y, bias], out.shape, "float32", x.order)


@layer("EinsumDense")
def einsum_dense(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Mul, MatMul or Einsum: the simplest node that the equation allows."""
    _float_only(op)
    if getattr(op, "lora_enabled", False):
        raise UnwrittenError("expected an EinsumDense without LoRA; merge its weights first")
    return activated(g, op.activation, projected(g, op, x, out.shape))


def projected(g: Graph, op: Any, x: Value, shape: tuple[int | None, ...]) -> Value:
    """The result of an EinsumDense before its activation."""
    terms, _, result = op.equation.replace(" ", "").partition("->")
    given, _, kernel = terms.partition(",")
    if given == result and set(kernel) <= set(given):
        return _along(g, op, x, given, kernel)
    shared = [letter for letter in kernel if letter in given]
    ends = given.endswith("".join(shared)) and kernel.startswith("".join(shared)) and shared
    if ends and result == given[: -len(shared)] + kernel[len(shared) :]:
        return _as_matmul(g, op, x, shape, len(shared))
    y = g.emit(
        "Einsum",
        [g.plain(x), g.weight("weight", op.kernel)],
        shape,
        "float32",
        equation=op.equation.replace(" ", ""),
    )
    return y if op.bias is None else pointwise(g, "Add", y, op.bias)


def _along(g: Graph, op: Any, x: Value, given: str, kernel: str) -> Value:
    """An affine map of some axes: no axis is summed, so that any stored order will do."""
    x = g.unflattened(x)
    places = [given.replace("...", "").index(letter) for letter in kernel]
    places = [place - (x.rank if "..." in given else 0) for place in places]
    if places != sorted(places) or ("..." in given and not given.startswith("...")):
        raise UnwrittenError(
            f"expected the kernel's axes in the order of the input's: {op.equation}"
        )
    sizes = [1] * x.rank
    for place, size in zip(places, op.kernel.shape, strict=True):
        sizes[place] = size
    weight = g.weight(
        "weight", op.kernel, lambda a: a.reshape(sizes).transpose(x.order), kind=(*sizes, x.order)
    )
    y = g.emit("Mul", [x, weight], x.shape, "float32", x.order)
    return y if op.bias is None else pointwise(g, "Add", y, op.bias)


def _as_matmul(g: Graph, op: Any, x: Value, shape: tuple[int | None, ...], shared: int) -> Value:
    """Sums over the last `shared` axes as one MatMul between reshapes."""
    kernel = tuple(op.kernel.shape)
    rows, columns = math.prod(kernel[:shared]), math.prod(kernel[shared:])
    lead = x.shape[: x.rank - shared]
    x = g.plain(x) if shared == 1 else g.plain(g.reshaped(x, (*lead, rows)))
    weight = g.weight("weight", op.kernel, shape=(rows, columns), kind="matrix")
    y = g.emit("MatMul", [x, weight], (*lead, columns), "float32")
    flat_bias = op.bias is not None and tuple(op.bias.shape) == kernel[shared:]
    if flat_bias:
        bias = g.weight("bias", op.bias, shape=(columns,), kind="row")
        y = g.emit("Add", [y, bias], (*lead, columns), "float32")
    y = y if len(kernel) - shared == 1 else g.plain(g.reshaped(y, shape))
    return y if op.bias is None or flat_bias else pointwise(g, "Add", y, op.bias)


@layer("Embedding")
def embedding(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Gather of the table's rows."""
    _float_only(op)
    table = g.weight("weight", op._embeddings)
    if getattr(op, "lora_enabled", False):
        table = g.constant(np.asarray(op.embeddings, np.float32), "weight")
    rows = g.plain(x if x.dtype in ("int32", "int64") else g.cast(x, "int32"))
    return g.emit("Gather", [table, rows], out.shape, "float32", axis=0)


def _float_only(op: Any) -> None:
    if getattr(op, "quantization_mode", None):
        raise UnwrittenError(f"expected float weights, came quantised ones in '{op.name}'")
