"""The ONNX graph while it grows: nodes, and weights that are read only when they are written."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from converters.keras_to_onnx.value import (
    Order,
    Shape,
    UnwrittenError,
    Value,
    same_bytes,
    straight,
)

Operand = Value | str | np.ndarray | None

_KEPT_ONCE_BYTES = 256


@dataclass(frozen=True)
class Parameter:
    """A constant of the file; `read` gives its numbers in stored order, when they are needed."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @property
    def size_bytes(self) -> int:
        """Size of the numbers in the file."""
        return int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


class Graph:
    """Nodes and parameters in the order they are written; names come from the open scopes."""

    def __init__(self, opset: int) -> None:
        self.opset = opset
        self.nodes: list[Any] = []
        self.made_by: dict[str, Any] = {}
        self.parameters: list[Parameter] = []
        self.unwritten: dict[str, list[str]] = {}
        self.masks: dict[str, Value] = {}
        self._scopes: list[str] = []
        self._owners: list[str] = []
        self._taken: set[str] = set()
        self._shared: dict[object, str] = {}
        self._turned: dict[tuple[str, Order], str] = {}  # by name and permutation

    @property
    def scope(self) -> str:
        """The path of the layer that is being written, joined by dots."""
        return ".".join(self._scopes) or "graph"

    @contextmanager
    def scoped(self, name: str, *, owner: bool = True) -> Iterator[None]:
        """Names of nodes inside begin with this; those of weights too, if it is an owner's.

        Operations of keras.ops are no owners: Keras numbers them anew in every process.
        """
        owners = self._owners
        self._scopes.append(name.replace("/", "."))
        if owner:
            self._owners = list(self._scopes)
        try:
            yield
        finally:
            self._scopes.pop()
            self._owners = owners

    def reserve(self, name: str) -> str:
        """A name that nothing else has: itself, or with a number."""
        unique, number = name, 1
        while unique in self._taken:
            unique, number = f"{name}_{number}", number + 1
        self._taken.add(unique)
        return unique

    def node(self, op: str, inputs: Sequence[Any], outputs: int = 1, **attrs: Any) -> list[str]:
        """The names of the outputs of a new node; arrays among the inputs become constants."""
        from onnx import helper

        name = self.reserve(f"{self.scope}/{op}")
        names = [f"{name}:{index}" if outputs > 1 else f"{name}_out" for index in range(outputs)]
        self._taken.update(names)
        fed = [self._fed(operand) for operand in inputs]
        while fed and not fed[-1]:
            fed.pop()
        self.nodes.append(helper.make_node(op, fed, names, name=name, **attrs))
        self.made_by.update(dict.fromkeys(names, self.nodes[-1]))
        return names

    def emit(
        self,
        op: str,
        inputs: Sequence[Any],
        shape: Sequence[int | None],
        dtype: str,
        order: Order | None = None,
        **attrs: Any,
    ) -> Value:
        """The only output of a new node; `shape` is Keras', `order` how it is stored."""
        (name,) = self.node(op, inputs, **attrs)
        return Value(name, tuple(shape), dtype, order or straight(len(shape)))

    def constant(self, array: np.ndarray, suffix: str = "constant") -> str:
        """The name of a constant; small ones that are equal are written once."""
        array = np.asarray(array)
        key = None
        if array.nbytes <= _KEPT_ONCE_BYTES:
            key = (array.dtype.str, array.shape, array.tobytes())
            if key in self._shared:
                return self._shared[key]
        name = self._add(suffix, array.shape, array.dtype, lambda: array)
        if key is not None:
            self._shared[key] = name
        return name

    def weight(
        self,
        suffix: str,
        variable: Any,
        change: Callable[[np.ndarray], np.ndarray] = lambda array: array,
        shape: Sequence[int] | None = None,
        kind: object = "as it is",
    ) -> str:
        """The name of a weight, read when the file is written and changed on the way.

        `change` gives a view (reshape, then transpose), so that no copy is held; `shape` is the
        one declared, where views cannot have it. The same variable changed in the same way
        (`kind`) is one weight of the file, however many layers share it.
        """
        key = (id(variable), kind)
        if key not in self._shared:
            declared = shape
            if declared is None:
                hollow = np.broadcast_to(np.float32(0), tuple(variable.shape))
                declared = change(hollow).shape
            dtype = _stored_dtype(str(variable.dtype))
            read = lambda: change(_numbers(variable))  # noqa: E731 - closes over this call
            self._shared[key] = self._add(suffix, tuple(declared), dtype, read)
        return self._shared[key]

    def turned(self, value: Value, order: Order) -> Value:
        """The value stored in this order: itself, or behind one Transpose that all share."""
        value = self.unflattened(value)
        if value.order == order:
            return value
        perm = tuple(value.order.index(axis) for axis in order)
        if (value.name, perm) not in self._turned:
            self._turned[value.name, perm] = self._turn(value, order, perm)
        return Value(self._turned[value.name, perm], value.shape, value.dtype, order)

    def plain(self, value: Value) -> Value:
        """The value stored as Keras has it."""
        return self.turned(value, straight(value.rank))

    def unflattened(self, value: Value) -> Value:
        """The value with its last axis in Keras' order, where Flatten had left it in another."""
        if value.flat is None:
            return value
        if (value.name, ()) not in self._turned:
            flat = value.flat
            sizes = [flat.shape[axis] for axis in flat.order]
            name = self._reshaped(value.name, value.stored_shape, sizes)
            deep = self.plain(Value(name, flat.shape, value.dtype, flat.order))
            self._turned[value.name, ()] = self._reshaped(deep.name, deep.shape, value.shape)
        back = self._turned[value.name, ()]
        return Value(back, value.shape, value.dtype, straight(value.rank))

    def reshaped(self, value: Value, shape: Sequence[int | None]) -> Value:
        """The numbers in Keras' order under another shape; at most one size is left to ONNX."""
        shape = tuple(shape)
        if value.flat is not None or not same_bytes(value.shape, value.order, straight(value.rank)):
            value = self.plain(value)
        if shape == value.shape and value.order == straight(value.rank):
            return value
        order = straight(len(shape))
        if len(shape) >= 3 and shape[1:-1].count(1) == len(shape) - 2:
            order = (0, len(shape) - 1, *range(1, len(shape) - 1))  # a pooled picture, for a conv
        stored = tuple(shape[axis] for axis in order)
        name = self._unpooled(value, stored)
        if name is None:
            name = self._reshaped(value.name, value.stored_shape, stored)
        return Value(name, shape, value.dtype, order)

    def cast(self, value: Value, dtype: str) -> Value:
        """The value in another dtype; nothing is written where it has it."""
        if value.dtype == dtype:
            return value
        from onnx import helper

        to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        (name,) = self.node("Cast", [value], to=to)
        return Value(name, value.shape, dtype, value.order, value.flat)

    def _turn(self, value: Value, order: Order, perm: Order) -> str:
        if same_bytes(value.shape, value.order, order):
            sizes = [value.shape[axis] for axis in order]
            return self._reshaped(value.name, value.stored_shape, sizes)
        return self.node("Transpose", [value], perm=list(perm))[0]

    def _unpooled(self, value: Value, stored: Shape) -> str | None:
        """What a global pooling gave before its axes were dropped, if `stored` is its shape."""
        flatten = self.made_by.get(value.name)
        if flatten is None or flatten.op_type != "Flatten":
            return None
        pooling = self.made_by.get(flatten.input[0])
        fits = pooling is not None and pooling.op_type.startswith("Global")
        same = value.rank == 2 and stored == (*value.shape, *[1] * (len(stored) - 2))
        return flatten.input[0] if fits and same else None

    def _reshaped(self, name: str, old: Shape, new: Sequence[int | None]) -> str:
        sizes = np.array(_sizes(old, tuple(new), self.scope), np.int64)
        return self.node("Reshape", [name, sizes])[0]

    def _fed(self, operand: Operand) -> str:
        if operand is None:
            return ""
        if isinstance(operand, Value):
            return operand.name
        return operand if isinstance(operand, str) else self.constant(operand)

    def _add(
        self, suffix: str, shape: tuple[int, ...], dtype: np.dtype, read: Callable[[], np.ndarray]
    ) -> str:
        name = self.reserve(".".join([*self._owners, suffix]))
        self.parameters.append(Parameter(name, shape, dtype, read))
        return name


def _sizes(old: Shape, new: Shape, scope: str) -> list[int]:
    """What Reshape is told: 0 keeps the size at the same place, -1 is worked out."""
    sizes: list[int] = []
    for place, size in enumerate(new):
        if size is not None:
            sizes.append(size)
        elif old[: place + 1] == new[: place + 1] and new.count(None) > 1:
            sizes.append(0)
        else:
            sizes.append(-1)
    if sizes.count(-1) > 1:
        raise UnwrittenError(
            f"expected at most one open size besides the leading ones in the reshape of {scope}, "
            f"came {old} to {new}"
        )
    return sizes


def _stored_dtype(dtype: str) -> np.dtype:
    return np.dtype("float32" if "float" in dtype else dtype)


def _numbers(variable: Any) -> np.ndarray:
    """A variable's or a tensor's numbers, any float as float32; a view where there can be one."""
    import keras

    stored = _stored_dtype(str(variable.dtype))
    held = getattr(variable, "value", variable)
    try:
        # TensorFlow lends its memory; every other way to NumPy copies it.
        array = np.asarray(memoryview(getattr(held, "read_value", lambda: held)()))
    except (TypeError, ValueError):
        array = np.asarray(keras.ops.convert_to_numpy(variable))
    return array.astype(stored, copy=False)
