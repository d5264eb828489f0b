"""A Keras 2 network as read from its config, before anything is called.

Network ─ entries ─▶ Leaf (one Keras 3 layer, or a function) or Network (a nested model)
        ─ calls   ─▶ Call (entry, node, args, kwargs), sorted so that inputs come first
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np

Json: TypeAlias = dict[str, Any]
Adapt: TypeAlias = Callable[[list[np.ndarray]], list[np.ndarray]]


class UntranslatableError(Exception):
    """One layer or setting without a Keras 3 counterpart; collected, then told all at once."""


class Ref(NamedTuple):
    """The output number `tensor` of call number `node` of the entry `layer`."""

    layer: str
    node: int
    tensor: int


@dataclass(frozen=True)
class Call:
    """One use of an entry; args and kwargs hold Refs where tensors go."""

    entry: str
    node: int
    args: Any
    kwargs: Mapping[str, Any]


@dataclass(frozen=True)
class Translated:
    """A Keras 3 layer, what is applied after it, and how its stored arrays are changed."""

    layer: keras.layers.Layer
    after: tuple[keras.layers.Layer, ...] = ()
    adapt: Adapt | None = None


@dataclass(eq=False)
class Leaf:
    """One layer of the file: its Keras 3 layer, or the function that stands for it."""

    name: str
    path: str
    class_name: str
    config: Json
    trainable: bool = True
    layer: keras.layers.Layer | None = None
    after: tuple[keras.layers.Layer, ...] = ()
    adapt: Adapt | None = None
    function: Callable[..., Any] | None = None
    inner: "Network | None" = None  # a model inside TimeDistributed


@dataclass(eq=False)
class Network:
    """A Functional or Sequential model of the file."""

    name: str
    path: str
    class_name: str
    trainable: bool
    entries: dict[str, "Leaf | Network"] = field(default_factory=dict)
    inputs: Any = None
    outputs: Any = None
    calls: tuple[Call, ...] = ()

    def leaves(self) -> Iterator[Leaf]:
        """Every leaf below, in the order of the file."""
        for entry in self.entries.values():
            if isinstance(entry, Network):
                yield from entry.leaves()
            else:
                yield entry
                if entry.inner is not None:
                    yield from entry.inner.leaves()


def plain(value: Any) -> Any:
    """JSON with the wrappers of every Keras version taken off: tuples, arrays, shapes."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    kind = value.get("class_name")
    if kind in ("__tuple__", "TensorShape", "ListWrapper") and "items" in value:
        return [plain(item) for item in value["items"]]
    if kind in ("__tensor__", "__numpy__", "__ndarray__"):
        return plain(value["config"]["value"])
    if set(value) == {"type", "value"}:  # arrays and numbers of Keras before 2.3
        return plain(value["value"])
    return {key: plain(item) for key, item in value.items()}


def tupled(value: Any) -> Any:
    """Lists as tuples, all the way down: Keras 3 takes some settings only so."""
    return tuple(tupled(item) for item in value) if isinstance(value, list) else value
