"""Who writes what: a layer or an operation of Keras, by the name of its class.

A writer is `write(g, op, out, *args, **kwargs) -> Value`: the graph, the layer or operation with
its settings, the Spec of its output (a list of them where there are several), and what it was
called with, each tensor as a Value. Layers and operations share names (Add, Softmax), hence two
tables.
"""

from collections.abc import Callable
from typing import TypeVar

Writer = Callable[..., object]
W = TypeVar("W", bound=Writer)

LAYERS: dict[str, Writer] = {}
OPERATIONS: dict[str, Writer] = {}


def layer(*names: str) -> Callable[[W], W]:
    """Registers the writer of these layers of Keras.

    Example::

        @layer("Flatten")
        def flatten(g, op, out, x): ...
    """
    return _register(LAYERS, names)


def operation(*names: str) -> Callable[[W], W]:
    """Registers the writer of these operations, the classes behind keras.ops."""
    return _register(OPERATIONS, names)


def _register(table: dict[str, Writer], names: tuple[str, ...]) -> Callable[[W], W]:
    def keep(writer: W) -> W:
        for name in names:
            if name in table:
                raise ValueError(
                    f"Expected one writer for {name}, came {table[name].__name__} and "
                    f"{writer.__name__}. Remove one."
                )
            table[name] = writer
        return writer

    return keep
