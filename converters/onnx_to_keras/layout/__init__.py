"""Decides the order of every tensor's axes, before anything is built.

    Conv ─ Transpose ─ LayerNorm ─ Transpose ─ Conv      (ONNX: channels first, and back)
    Conv ──────────── LayerNorm ──────────── Conv        (Keras: channels last all the way)

Each value carries its order as a label. A Transpose changes the label and vanishes; spatial
operators ask for channels last; pointwise ones take what they get; constants are turned once,
here. A transpose is written only where two demands meet that no label can settle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from converters.onnx_to_keras.graph import Graph
from converters.onnx_to_keras.layout.orders import Order, channels_last, identity
from converters.onnx_to_keras.layout.own import OWN
from converters.onnx_to_keras.layout.rules import SHARED
from converters.onnx_to_keras.layout.state import Layout, Placed

_PASSING = ("axis", "concat", "pointwise")
_PASSING_OPS = ("BatchNormalization", "Pad", "Slice", "Split")


@dataclass(frozen=True)
class LaidOut:
    """A graph in Keras' own order of axes, and where each of ONNX's values lies in it."""

    graph: Graph
    orders: Mapping[str, Order]  # of the values whose tensor holds exactly their elements
    tensors: Mapping[str, str]  # name of a value → name of its tensor
    input_orders: Mapping[str, Order]
    output_orders: Mapping[str, Order]


def lay_out(graph: Graph, kinds: Mapping[str, str]) -> LaidOut:
    """The graph with axes where Keras wants them.

    Args:
        graph: folded, normalised and fused.
        kinds: name of an operator → the `order=` that its function was registered with.
    """
    state = Layout(graph, lambda op: kinds.get(op, "fixed"))
    inputs = {name: _input_order(state, name) for name in graph.inputs}
    for name, order in inputs.items():
        state.placed[name] = Placed(name, order)
    for node in graph.nodes:
        if node.domain:
            rule = SHARED["fixed"]
        else:
            rule = OWN.get(node.op) or SHARED[kinds.get(node.op, "fixed")]
        rule(state, node)
    outputs, names = {}, []
    for name in graph.outputs:
        tensor, order = _output(state, name)
        names.append(tensor)
        outputs[name] = order
    whole = {name: p for name, p in state.placed.items() if p.flat is None}
    return LaidOut(
        graph=replace(
            graph, nodes=tuple(state.nodes), constants=state.constants, outputs=tuple(names)
        ).without_dead(),
        orders={name: p.order for name, p in whole.items()},
        tensors={name: p.name for name, p in whole.items()},
        input_orders=inputs,
        output_orders=outputs,
    )


def _output(state: Layout, name: str) -> tuple[str, Order]:
    """A result leaves channels-last if it lies so, otherwise in ONNX's order."""
    rank = state.rank(name)
    if state.is_constant(name):
        return name, identity(rank)
    order = state.where(name).order
    if rank < 3 or order != channels_last(rank):
        order = identity(rank)
    return state.need(name, order), order


def _input_order(state: Layout, name: str) -> Order:
    """Channels-last for what goes into a spatial operator, the batch first for all else."""
    value = state.graph.values[name]
    if value.rank > 2 and _reaches_space(state, name):
        return channels_last(value.rank)
    batch = [axis for axis, size in enumerate(value.target) if size == -1][:1]
    return (*batch, *(axis for axis in range(value.rank) if axis not in batch))


def _reaches_space(state: Layout, name: str) -> bool:
    """Whether a spatial operator takes this value before anything moves its axes."""
    waiting, seen = [name], {name}
    while waiting:
        for node in state.consumers.get(waiting.pop(), []):
            kind = state.order_of(node.op)
            if (kind == "spatial" or node.op == "BatchNormalization") and node.inputs[0] in seen:
                return True
            if kind in _PASSING or node.op in _PASSING_OPS:
                fresh = [n for n in node.outputs if n and n not in seen]
                seen.update(fresh)
                waiting.extend(fresh)
    return False


__all__ = ["LaidOut", "lay_out"]
