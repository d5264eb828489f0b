"""Model-local functions replaced by their bodies, after counting how many nodes that gives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from converters.doors.calls import sizes_in_place
from converters.errors import ReadError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.walk import subgraphs

if TYPE_CHECKING:
    import onnx

_Key = tuple[str, str, str]


def inline_functions(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without calls of its own functions; the same object when it has none.

    Raises:
        ReadError: functions that call themselves, or that grow beyond the limit.
    """
    if not model.functions:
        return model
    import onnx
    import onnx.inliner

    _check_growth(model)
    aside = onnx.ModelProto()
    aside.CopyFrom(model)
    data = _take_data(aside)  # onnx.inliner copies the model several times: not the weights too
    try:
        inlined = onnx.inliner.inline_local_functions(aside)
    except Exception as err:  # C++ raises plain RuntimeError and friends
        raise ReadError(
            f"Expected the model's own functions to be put in place, but: {_first_line(err)}. "
            "Export the network without functions."
        ) from err
    for tensor in inlined.graph.initializer:
        if tensor.name in data:
            tensor.raw_data = data[tensor.name]
    if inlined.functions:
        names = ", ".join(sorted(function.name for function in inlined.functions)[:5])
        raise ReadError(
            f"Expected functions of the model's own opset, got {names}, which need another one. "
            "Export the network with one opset, without functions."
        )
    return inlined


def _take_data(model: onnx.ModelProto) -> dict[str, bytes]:
    data = {}
    for tensor in model.graph.initializer:
        if len(tensor.raw_data) > 64:
            data[tensor.name] = tensor.raw_data
            tensor.ClearField("raw_data")
    return data


def _check_growth(model: onnx.ModelProto) -> None:
    """ReadError when functions call themselves or expand to too many nodes; no recursion."""
    bodies: dict[_Key, list[onnx.NodeProto]] = {}
    for function in model.functions:
        key = (function.domain, function.name, function.overload)
        if key in bodies:
            raise ReadError(
                f"Expected one function '{function.name}', got two. The file is damaged: "
                "export it again."
            )
        bodies[key] = list(_with_inner(function.node))
    calls = {
        key: [_key(node) for node in nodes if _key(node) in bodies] for key, nodes in bodies.items()
    }
    # A call itself is a node that goes.
    own = {key: len(nodes) - len(calls[key]) + 1 for key, nodes in bodies.items()}
    sizes = sizes_in_place(own, calls, limits.NODES, endless=_endless, too_many=_too_many)
    total = sum(sizes.get(_key(node), 1) for node in _with_inner(model.graph.node))
    if total > limits.NODES:
        raise _too_many(total)


def _endless(key: _Key) -> ReadError:
    return ReadError(
        f"Expected functions that end, got '{key[1]}', which calls itself. No exporter "
        "writes such a file."
    )


def _too_many(count: int) -> ReadError:
    return ReadError(
        f"Expected at most {limits.NODES} nodes once functions are put in place, got {count} or "
        "more. Export a part of the network."
    )


def _with_inner(nodes: Iterable[onnx.NodeProto]) -> Iterable[onnx.NodeProto]:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        yield node
        for graph in subgraphs(node):
            waiting += graph.node


def _key(node: onnx.NodeProto) -> _Key:
    return (node.domain, node.op_type, node.overload)


def _first_line(err: Exception) -> str:
    return (str(err).strip() or type(err).__name__).splitlines()[0][:200]
