"""Products of matrices and tensors."""

from typing import Any

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import number
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@operation("Matmul")
def matmul(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """MatMul, which broadcasts and takes vectors as NumPy does."""
    return _product(g, x1, x2, out)


@operation("Dot")
def dot(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """MatMul, where the second side has at most two axes."""
    second = number(g, x2, out.dtype)
    if second.rank > 2 or second.rank == 0:
        raise UnwrittenError(f"expected a vector or a matrix to multiply by, came {second.shape}")
    return _product(g, x1, second, out)


@operation("Inner")
def inner(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """The product of vectors."""
    first, second = number(g, x1, out.dtype), number(g, x2, out.dtype)
    if first.rank != 1 or second.rank != 1:
        raise UnwrittenError(f"expected vectors, came {first.shape} and {second.shape}")
    return _product(g, first, second, out)


@operation("Einsum")
def einsum(g: Graph, op: Any, out: Spec, *operands: Any, **_: Any) -> Value:
    """Einsum, each operand in Keras' order."""
    values = [g.plain(number(g, operand, out.dtype)) for operand in operands]
    equation = op.subscripts.replace(" ", "")
    return g.emit("Einsum", values, out.shape, out.dtype, equation=equation)


@operation("Outer")
def outer(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """Every product of two numbers."""
    first, second = number(g, x1, out.dtype), number(g, x2, out.dtype)
    rows = g.reshaped(first, (out.shape[0], 1))
    columns = g.reshaped(second, (1, out.shape[1]))
    return _product(g, rows, columns, out)


@operation("Tensordot")
def tensordot(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """Einsum with the axes that are summed."""
    first, second = number(g, x1, out.dtype), number(g, x2, out.dtype)
    left, right = _summed(op.axes, first.rank)
    names = [chr(ord("a") + place) for place in range(first.rank + second.rank)]
    ours, theirs = names[: first.rank], names[first.rank :]
    for here, there in zip(left, right, strict=True):
        theirs[there % second.rank] = ours[here % first.rank]
    dropped = {ours[here % first.rank] for here in left}
    kept = [name for name in ours + theirs if name not in dropped]
    equation = f"{''.join(ours)},{''.join(theirs)}->{''.join(kept)}"
    sides = [g.plain(first), g.plain(second)]
    return g.emit("Einsum", sides, out.shape, out.dtype, equation=equation)


def _summed(axes: Any, rank: int) -> tuple[list[int], list[int]]:
    if isinstance(axes, int):
        return list(range(rank - axes, rank)), list(range(axes))
    left, right = axes
    return (
        [left] if isinstance(left, int) else list(left),
        [right] if isinstance(right, int) else list(right),
    )


def _product(g: Graph, x1: Any, x2: Any, out: Spec) -> Value:
    sides = [g.plain(number(g, side, out.dtype)) for side in (x1, x2)]
    return g.emit("MatMul", sides, out.shape, out.dtype)
