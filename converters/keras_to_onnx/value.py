"""What flows through the graph that is written: a tensor with the order its axes are stored in.

    Keras says   (n, h, w, c)       Value.shape
    ONNX stores  (n, c, h, w)       Value.order == (0, 3, 1, 2)

A transpose in Keras relabels, it writes nothing; a node is written only where an operation
needs an order that the value does not have.
"""

from collections.abc import Sequence
from dataclasses import dataclass

Shape = tuple[int | None, ...]
Order = tuple[int, ...]


class UnwrittenError(Exception):
    """A layer that has no native writer, or one with a setting that has none; says why."""


@dataclass(frozen=True)
class Spec:
    """Shape as Keras has it, None where a size is open, and dtype, any float as float32."""

    shape: Shape
    dtype: str


@dataclass(frozen=True)
class Flat:
    """How a flattened value was stored before: Keras' shape, and the order of its axes."""

    shape: Shape
    order: Order


@dataclass(frozen=True)
class Value:
    """A tensor by its ONNX name; `shape` is Keras', stored axis i is Keras' axis order[i].

    With `flat`, the last axis is the product of axes that lie in another order than Keras has:
    a Dense permutes the rows of its kernel, anything else undoes it first.
    """

    name: str
    shape: Shape
    dtype: str
    order: Order
    flat: Flat | None = None

    @property
    def rank(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def stored_shape(self) -> Shape:
        """Sizes in the order they are stored in."""
        return tuple(self.shape[axis] for axis in self.order)

    def stored_axis(self, axis: int) -> int:
        """Where Keras' axis (negative ones count from the end) is stored."""
        return self.order.index(axis % self.rank)


def straight(rank: int) -> Order:
    """Keras' own order.

    >>> straight(3)
    (0, 1, 2)
    """
    return tuple(range(rank))


def channels_first(rank: int, channel: int = -1) -> Order:
    """Batch, channel, then the rest: what convolutions want.

    >>> channels_first(4)
    (0, 3, 1, 2)
    """
    channel %= rank
    return (0, channel, *(axis for axis in range(1, rank) if axis != channel))


def same_bytes(shape: Shape, before: Order, after: Order) -> bool:
    """Whether only axes of size 1 move between two orders, so that no number does.

    >>> same_bytes((None, 1, 1, 5), (0, 3, 1, 2), (0, 1, 2, 3))
    True
    """
    return [a for a in before if shape[a] != 1] == [a for a in after if shape[a] != 1]


def spec_of(tensor: object) -> Spec:
    """Shape and dtype of a KerasTensor, a Variable or an array."""
    shape = tuple(getattr(tensor, "shape", ()))
    return Spec(shape, as_written(str(getattr(tensor, "dtype", "float32"))))


def as_written(dtype: str) -> str:
    """The dtype a value has in the file: every float is float32.

    >>> as_written("bfloat16"), as_written("int32")
    ('float32', 'int32')
    """
    return "float32" if "float" in dtype else dtype


def broadcast(shapes: Sequence[Shape]) -> Shape:
    """The shape of an element-wise result; an open size gives way to a known one above 1.

    >>> broadcast([(None, 1, 5), (4, 1)])
    (None, 4, 5)
    """
    rank = max(len(shape) for shape in shapes)
    padded = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    return tuple(_size(sizes) for sizes in zip(*padded, strict=True))


def _size(sizes: tuple[int | None, ...]) -> int | None:
    known = [size for size in sizes if size is not None and size != 1]
    if known:
        return known[0]
    return None if None in sizes else 1
