"""How much a TensorFlow graph would become: functions put in place, constants written out.

A function that calls another one twice, that one a third one twice, and so on, thirty times, is
a graph of a thousand million nodes; a constant of one number may have any shape.
"""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

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
    bodies = {
        function.signature.name: [name for node in function.node_def for name in callees(node)]
        for function in graph.library.function
    }
    own = {f.signature.name: len(f.node_def) for f in graph.library.function}
    sizes: dict[str, int] = {}
    for name in bodies:
        _measure(name, bodies, own, sizes, label)
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


def _measure(
    start: str,
    bodies: Mapping[str, list[str]],
    own: Mapping[str, int],
    sizes: dict[str, int],
    label: str,
) -> None:
    """Puts into `sizes` how many nodes `start`, and all it calls, come to; no recursion."""
    stack, open_ = [start], set()
    while stack:
        name = stack[-1]
        calls = [call for call in bodies[name] if call in bodies]
        waiting = [call for call in calls if call not in sizes]
        open_.add(name)
        if name in sizes or not waiting:
            sizes.setdefault(name, own[name] + sum(sizes.get(call, 0) for call in calls))
            if sizes[name] > MOST_NODES:
                raise too_many(sizes[name], label)
            open_.discard(name)
            stack.pop()
        elif any(call in open_ for call in waiting):
            raise ReadError(
                f"Expected functions that end, got '{name[:100]}' in {label}, which calls itself. "
                "No network does: export it again."
            )
        else:
            stack.append(waiting[0])


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
