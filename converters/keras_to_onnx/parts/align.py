"""Element-wise operations: operands broadcast as in Keras, whatever order each is stored in."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.value import Order, Value, broadcast, straight

Number = Any
"""A Value, or what keras.ops takes in its place: a number, an array, a tensor, a Variable."""


def unary(g: Graph, op: str, x: Value, dtype: str | None = None, **attrs: Any) -> Value:
    """One node on one value; order and flattening stay."""
    (name,) = g.node(op, [x], **attrs)
    return Value(name, x.shape, dtype or x.dtype, x.order, x.flat)


def pointwise(
    g: Graph,
    op: str,
    *operands: Number,
    work: str | None = None,
    dtype: str | None = None,
    **attrs: Any,
) -> Value:
    """One node on several operands in `work` dtype, which is the result's unless `dtype` is.

    A value that is stored in an order of its own decides the order of the result; the others
    follow, constants at no cost.
    """
    values = [operand for operand in operands if isinstance(operand, Value)]
    work = work or values[0].dtype
    single = all(isinstance(o, Value) or np.size(o) == 1 for o in operands) and len(values) == 1
    if single and all(isinstance(o, Value) or np.ndim(o) <= values[0].rank for o in operands):
        scalars = [_scalar(g, operand, work) for operand in operands]
        (name,) = g.node(op, scalars, **attrs)
        return Value(name, values[0].shape, dtype or work, values[0].order, values[0].flat)
    shape = broadcast([_shape(operand) for operand in operands])
    order = _order(values, len(shape))
    fed = [aligned(g, operand, order, work) for operand in operands]
    return g.emit(op, fed, shape, dtype or work, order, **attrs)


def number(g: Graph, x: Number, dtype: str | None = None) -> Value:
    """Any operand as a Value; a Variable's numbers stay where they are until written."""
    if isinstance(x, Value):
        return x if dtype is None else g.cast(x, dtype)
    if is_variable(x):
        name = g.weight(x.path.rsplit("/", 1)[-1], x)
        value = Value(name, tuple(x.shape), _written(x), straight(len(x.shape)))
        return value if dtype is None else g.cast(value, dtype)
    array = array_of(x, dtype)
    return Value(g.constant(array), array.shape, str(array.dtype), straight(array.ndim))


def array_of(x: Number, dtype: str | None = None) -> np.ndarray:
    """A number, tensor or Variable as an array; any float as float32."""
    array = np.asarray(x.value if is_variable(x) else x)
    if dtype is None:
        dtype = "float32" if "float" in str(array.dtype) else str(array.dtype)
    return array.astype(dtype)


def is_variable(x: Number) -> bool:
    """Whether this is a weight of Keras."""
    import keras

    return isinstance(x, keras.Variable)


def _written(x: Number) -> str:
    return "float32" if "float" in str(x.dtype) else str(x.dtype)


def _shape(operand: Number) -> tuple[int | None, ...]:
    return operand.shape if isinstance(operand, Value) else tuple(np.shape(operand))


def _scalar(g: Graph, operand: Number, work: str) -> Value | np.ndarray:
    if isinstance(operand, Value):
        return g.cast(operand, work)
    return array_of(operand, work).reshape(())


def _order(values: list[Value], rank: int) -> Order:
    full = [value.order for value in values if value.rank == rank and value.flat is None]
    return next((order for order in full if order != straight(rank)), straight(rank))


def aligned(g: Graph, operand: Number, order: Order, work: str) -> Value | np.ndarray | str:
    """An operand of an element-wise node as the node takes it: its dtype, order and rank."""
    rank = len(order)
    if isinstance(operand, Value):
        operand = g.cast(operand, work)
        return operand if operand.rank == 0 else g.turned(_lifted(g, operand, rank), order)
    if np.ndim(operand) == 0 and not is_variable(operand):
        return array_of(operand, work)
    shape = (1,) * (rank - len(operand.shape)) + tuple(operand.shape)

    def change(array: np.ndarray) -> np.ndarray:
        return array.reshape(shape).transpose(order)

    if is_variable(operand) and _written(operand) == work:
        return g.weight(operand.path.rsplit("/", 1)[-1], operand, change, kind=("along", order))
    return change(array_of(operand, work))


def _lifted(g: Graph, value: Value, rank: int) -> Value:
    """The value with leading axes of size 1 up to this rank."""
    more = rank - value.rank
    if more <= 0:
        return value
    value = g.unflattened(value)
    order = (*range(more), *(axis + more for axis in value.order))
    axes = np.arange(more, dtype=np.int64)
    return g.emit("Unsqueeze", [value, axes], (1,) * more + value.shape, value.dtype, order)
