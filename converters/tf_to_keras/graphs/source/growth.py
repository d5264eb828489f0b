"""How much a TensorFlow graph would become: functions put in place, constants written out.

Functions that call others twice grow without bounds, see `doors.calls`; a constant of one number
may have any shape.
"""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from converters.doors.calls import sizes_in_place
from converters.errors import ReadError, UnsupportedError

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.framework.tensor_pb2 import TensorProto

MOST_NODES = 500_000
FREE_BYTES = 256 << 20  # that constants may take whatever the size of the file
GROWTH = 4


def check_growth(graph: "GraphDef", label: str) -> None:
    """Nothing for a graph that stays about as large as it is.

    Raises:
        ReadError: functions that call themselves, or constants far larger than the file.
        UnsupportedError: more nodes than any network has.
    """
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    calls = {
        name: [callee for node in nodes for callee in callees(node) if callee in bodies]
        for name, nodes in bodies.items()
    }
    own = {name: len(nodes) for name, nodes in bodies.items()}
    sizes = sizes_in_place(
        own,
        calls,
        MOST_NODES,
        endless=lambda name: _endless(name, label),
        too_many=lambda count: too_many(count, label),
    )
    called = (name for node in graph.node for name in callees(node))
    total = len(graph.node) + sum(sizes.get(name, 0) for name in called)
    if max(total, sum(own.values())) > MOST_NODES:
        raise too_many(total, label)
    _check_constants(graph, label)


def callees(node: "NodeDef") -> Iterator[str]:
    """Names of the functions that a node may call: its attributes, and its operator itself."""
    yield node.op
    waiting = list(node.attr.values())
    while waiting:
        attribute = waiting.pop()
        for function in (attribute.func, *attribute.list.func):
            yield function.name
            waiting += function.attr.values()


def _endless(name: str, label: str) -> ReadError:
    return ReadError(
        f"Expected functions that end, got '{name[:100]}' in {label}, which calls itself. "
        "No network does: export it again."
    )


def too_many(count: int, label: str) -> UnsupportedError:
    """The error for a graph with more nodes than any network."""
    return UnsupportedError(
        f"Expected at most {MOST_NODES:,} nodes, got {count:,} or more in {label}, functions put "
        "in place. No network that Keras can train has so many; unrolled loops do."
    )


def _check_constants(graph: "GraphDef", label: str) -> None:
    import tensorflow as tf

    allowed = FREE_BYTES + GROWTH * graph.ByteSize()
    total = 0
    for tensor in _tensors(graph):
        dims = [dim.size for dim in tensor.tensor_shape.dim]
        if min(dims, default=0) < 0 or tensor.tensor_shape.unknown_rank or len(dims) > 254:
            raise ReadError(
                f"Expected constants of whole sizes, got the shape {dims[:8]} in {label}. The "
                "file is damaged: export it again."
            )
        try:
            size = tf.as_dtype(tensor.dtype).size or 1
        except TypeError as err:
            raise ReadError(
                f"Expected constants of a known type, got type {tensor.dtype} in {label}. The file "
                "is damaged: export it again."
            ) from err
        total += math.prod(dims) * size
        if total > allowed:
            raise ReadError(
                f"Expected constants of at most {allowed:,} bytes, got {total:,} or more in "
                f"{label} (one has the shape {dims[:8]}). The file is damaged or made to exhaust "
                "memory: export it again."
            )


def _tensors(graph: "GraphDef") -> "Iterator[TensorProto]":
    bodies = [graph.node, *(function.node_def for function in graph.library.function)]
    for nodes in bodies:
        for node in nodes:
            for attribute in node.attr.values():
                if attribute.HasField("tensor"):
                    yield attribute.tensor
                yield from attribute.list.tensor
