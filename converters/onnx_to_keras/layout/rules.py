"""The rules that most operators share, one for each `order=` of the registry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from converters.onnx_to_keras.graph import Node
from converters.onnx_to_keras.layout.orders import (
    Order,
    channels_last,
    identity,
    without,
)
from converters.onnx_to_keras.layout.state import Layout, Placed

Rule = Callable[[Layout, Node], None]


def fixed(state: Layout, node: Node) -> None:
    """Everything in ONNX's own order."""
    inputs = [state.need(n, identity(state.rank(n))) if n else "" for n in node.inputs]
    state.emit(node, inputs, ())
    for name in node.outputs:
        if name and name in state.graph.values:
            state.placed[name] = Placed(name, identity(state.rank(name)))


def spatial(state: Layout, node: Node) -> None:
    """Batch, space, channels for the picture; weights as they come."""
    rank = state.rank(node.inputs[0])
    first = state.need(node.inputs[0], channels_last(rank))
    rest = [state.need(n, identity(state.rank(n))) if n else "" for n in node.inputs[1:]]
    state.emit(node, [first, *rest], channels_last(rank))


def pointwise(state: Layout, node: Node) -> None:
    """All inputs in one order, that of the largest; constants are turned at import."""
    rank = max(state.rank(name) for name in node.inputs if name)
    if _shuffled_alike(state, node, rank):
        return
    order = common_order(state, [n for n in node.inputs if n], rank)
    inputs = [aligned(state, name, order) if name else "" for name in node.inputs]
    state.emit(node, inputs, order)


def axis(state: Layout, node: Node) -> None:
    """The first input as it lies, `axis` and `axes` turned with it."""
    placed = state.where(node.inputs[0])
    changes = _turned_axes(node, placed.order)
    rest = list(node.inputs[1:])
    axes = node.attributes.get("axes")
    if isinstance(axes, list) and len(axes) > 1:  # scale and offset over several axes
        ranked = [axes.index(a) for a in placed.order if a in axes]
        rest = [state.turned_constant(n, tuple(ranked)) if n else "" for n in rest]
    state.emit(node, [placed.name, *rest], placed.order, changes)


def concat(state: Layout, node: Node) -> None:
    """All inputs in one order, the axis turned with them."""
    rank = state.rank(node.inputs[0])
    place = node.attributes["axis"]
    assert isinstance(place, int)
    if place == rank - 1 and _joined_shuffles(state, node):
        return
    order = common_order(state, node.inputs, rank)
    inputs = [aligned(state, name, order) for name in node.inputs]
    state.emit(node, inputs, order, {"axis": order.index(place)})


def reduce(state: Layout, node: Node) -> None:
    """The axes turned with the input; without keepdims the order loses them."""
    placed = state.where(node.inputs[0])
    axes = node.attributes["axes"]
    assert isinstance(axes, list)
    order = placed.order if node.attributes["keepdims"] else without(placed.order, axes)
    state.emit(node, [placed.name], order, _turned_axes(node, placed.order))


def common_order(state: Layout, names: tuple[str, ...] | list[str], rank: int) -> Order:
    """The order of the largest tensor; of equal ones, the first that is not ONNX's own."""
    best: tuple[int, bool] | None = None
    found = identity(rank)
    for name in names:
        if state.is_constant(name) or state.rank(name) != rank:
            continue
        order = state.where(name).order
        score = (int(np.prod(state.shape(name))), order != identity(rank))
        if best is None or score > best:
            best, found = score, order
    return found


def aligned(state: Layout, name: str, order: Order) -> str:
    """A tensor or constant of the same or a lower rank, in this order."""
    missing = len(order) - state.rank(name)
    if not missing:
        return state.need(name, order)
    if order == identity(len(order)):
        return state.need(name, identity(state.rank(name)))
    if state.is_constant(name):
        constant = state.constants[name]
        if constant.value.size == 1:
            return name
        value = constant.value.reshape((1,) * missing + constant.value.shape)
        return state.constant(f"{name}/to{order}", np.transpose(value, order), name)
    shape = [*(1,) * missing, *state.target(name)]
    inner = state.need(name, identity(state.rank(name)))
    raised = state.write("Reshape", [inner], f"{name}/rank{len(order)}", shape=shape)
    return state.turn(raised, identity(len(order)), order)


def _turned_axes(node: Node, order: Order) -> dict[str, object]:
    changes: dict[str, object] = {}
    place, axes = node.attributes.get("axis"), node.attributes.get("axes")
    if isinstance(place, int):
        changes["axis"] = order.index(place % len(order))
    if isinstance(axes, list):
        changes["axes"] = sorted(order.index(a % len(order)) for a in axes)
    return changes


def _shuffled_alike(state: Layout, node: Node, rank: int) -> bool:
    """Flattened maps shuffled in the same way stay so; a constant along them is shuffled too."""
    tensors = [n for n in node.inputs if n and not state.is_constant(n)]
    first = state.placed[tensors[0]]
    if first.flat is None or any(
        state.placed[n].flat is not first.flat or state.rank(n) != rank for n in tensors
    ):
        return False
    inputs = []
    for name in node.inputs:
        if not name or not state.is_constant(name):
            inputs.append(state.placed[name].name if name else "")
            continue
        value = state.constants[name].value
        if value.size > 1 and value.shape[-1] != 1:
            name = state.constant(f"{name}/shuffled", value[..., first.flat], name)
        inputs.append(name)
    state.emit(node, inputs, first.order)
    for name in node.outputs:
        state.placed[name] = Placed(name, first.order, first.flat, first.unflat)
    return True


def _joined_shuffles(state: Layout, node: Node) -> bool:
    """Flattened maps laid end to end: each keeps its shuffle, shifted by what stands before."""
    if any(state.is_constant(n) for n in node.inputs):
        return False
    placed = [state.placed[n] for n in node.inputs]
    rank = state.rank(node.inputs[0])
    if all(p.flat is None for p in placed) or rank != 2 or any(p.order != (0, 1) for p in placed):
        return False
    consumers = state.consumers.get(node.output, [])
    if not consumers or any(consumer.op != "Dense" for consumer in consumers):
        return False
    parts, start = [], 0
    for name, where in zip(node.inputs, placed, strict=True):
        width = state.shape(name)[-1]
        parts.append(start + (np.arange(width) if where.flat is None else where.flat))
        start += width
    state.emit(node, [p.name for p in placed], (0, 1), {"axis": 1})
    state.placed[node.output] = Placed(node.output, (0, 1), np.concatenate(parts))
    return True


SHARED: dict[str, Rule] = {
    "axis": axis,
    "concat": concat,
    "fixed": fixed,
    "pointwise": pointwise,
    "reduce": reduce,
    "spatial": spatial,
}
