"""Activations that exporters write out in parts.

x ─┬─ Sigmoid ─┐                       x ─┬─ HardSigmoid(1/6, 1/2) ─┐
   └────────── Mul ─▶  ▷  Silu            └──────────────────────── Mul ─▶  ▷  HardSwish

x ─ Div √2 ─ Erf ─ Add 1 ─ Mul x ─ Mul ½ ─▶  ▷  Gelu      (and the tanh approximation)
"""

from __future__ import annotations

import math

from converters.onnx_to_keras.fuse.pattern import View, near, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node


def fuse_gates(graph: Graph) -> Graph:
    """A value times its own sigmoid, or hard sigmoid, becomes Silu or HardSwish."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        if node.op != "Mul" or node.domain or len(set(node.inputs)) != 2:
            continue
        for x, gate_name in (node.inputs, node.inputs[::-1]):
            gate = view.made_by(gate_name, "Sigmoid", "HardSigmoid")
            if gate is None or gate.inputs[0] != x or not view.only_for(gate_name, node):
                continue
            if gate.op == "Sigmoid":
                op = "Silu"
            elif near(_float(gate, "alpha", 0.2), 1 / 6) and near(_float(gate, "beta", 0.5), 0.5):
                op = "HardSwish"
            else:
                continue
            changes[id(node)] = Node(
                op, (x,), node.outputs, {}, node.name, "", sources((gate, node)), node.scope
            )
            break
    return replaced(graph, changes)


def fuse_hard_sigmoid(graph: Graph) -> Graph:
    """Clip(x + 3, 0, 6) / 6 becomes HardSigmoid(1/6, 1/2), times x HardSwish."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        pair = view.with_number(node) if node.op in ("Mul", "Div") and not node.domain else None
        if pair is None:
            continue
        name, number = pair
        if not near(number, 6.0 if node.op == "Div" else 1 / 6) or number == 0:
            continue
        inner = view.made_by(name, "Clip", "Mul")
        gated = None
        clip = inner
        if inner is not None and inner.op == "Mul":
            for x, other in (inner.inputs, inner.inputs[::-1]):
                if view.made_by(other, "Clip") is not None:
                    gated, clip = x, view.made_by(other, "Clip")
        shifted = _clip_of_shift(view, clip)
        if inner is None or clip is None or shifted is None or not view.only_for(name, node):
            continue
        x, add = shifted
        if gated is not None and (gated != x or not view.only_for(clip.output, inner)):
            continue
        parts = sources((add, clip, inner, node))
        attributes = {} if gated else {"alpha": 1 / 6, "beta": 0.5}
        op = "HardSwish" if gated else "HardSigmoid"
        changes[id(node)] = Node(
            op, (x,), node.outputs, attributes, node.name, "", parts, node.scope
        )
    return replaced(graph, changes)


def fuse_gelu(graph: Graph) -> Graph:
    """x/2 · (1 + erf(x/√2)) in any sequence of its factors, and its tanh form, become Gelu."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for add in graph.nodes:
        pair = view.with_number(add) if add.op == "Add" and not add.domain else None
        if pair is None or not near(pair[1], 1.0):
            continue
        inner = view.made_by(pair[0], "Erf", "Tanh")
        if inner is None:
            continue
        x = _erf_input(view, inner) if inner.op == "Erf" else _tanh_input(view, inner)
        if x is None:
            continue
        end = _times_half_x(view, add, x)
        if end is None:
            continue
        attributes = {} if inner.op == "Erf" else {"approximate": "tanh"}
        changes[id(end)] = Node(
            "Gelu",
            (x,),
            end.outputs,
            attributes,
            end.name,
            "",
            sources((inner, add, end)),
            end.scope,
        )
    return replaced(graph, changes)


def _float(node: Node, key: str, default: float) -> float:
    value = node.attributes.get(key, default)
    return float(value) if isinstance(value, (int, float)) else default


def _clip_of_shift(view: View, clip: Node | None) -> tuple[str, Node] | None:
    """x and the Add of Clip(x + 3, 0, 6)."""
    if clip is None or clip.op != "Clip" or len(clip.inputs) != 1:
        return None
    if not near(_float(clip, "max", math.inf), 6.0) or _float(clip, "min", -math.inf) != 0.0:
        return None
    add = view.made_by(clip.inputs[0], "Add")
    pair = view.with_number(add) if add is not None else None
    if add is None or pair is None or not near(pair[1], 3.0):
        return None
    return pair[0], add


def _erf_input(view: View, erf: Node) -> str | None:
    scaled = view.made_by(erf.inputs[0], "Div", "Mul")
    pair = view.with_number(scaled) if scaled is not None else None
    if scaled is None or pair is None:
        return None
    wanted = math.sqrt(2) if scaled.op == "Div" else 1 / math.sqrt(2)
    return pair[0] if near(pair[1], wanted) else None


def _tanh_input(view: View, tanh: Node) -> str | None:
    """x of tanh(√(2/π) · (x + 0.044715 x³))."""
    scaled = view.made_by(tanh.inputs[0], "Mul")
    pair = view.with_number(scaled) if scaled is not None else None
    if pair is None or not near(pair[1], math.sqrt(2 / math.pi)):
        return None
    total = view.made_by(pair[0], "Add")
    if total is None:
        return None
    for x, cubed in (total.inputs, total.inputs[::-1]):
        term = view.made_by(cubed, "Mul")
        factor = view.with_number(term) if term is not None else None
        if factor is None or not near(factor[1], 0.044715):
            continue
        power = view.made_by(factor[0], "Pow", "Mul")
        if power is not None and x in power.inputs and _is_cube(view, power, x):
            return x
    return None


def _is_cube(view: View, power: Node, x: str) -> bool:
    if power.op == "Pow":
        return near(view.number(power.inputs[1]), 3.0)
    other = next((name for name in power.inputs if name != x), "")
    square = view.made_by(other, "Mul", "Pow")
    if square is None:
        return False
    if square.op == "Pow":
        return square.inputs[0] == x and near(view.number(square.inputs[1]), 2.0)
    return set(square.inputs) == {x}


def _times_half_x(view: View, add: Node, x: str) -> Node | None:
    """The node that ends (1 + …) · x · ½, whichever factor comes first."""
    first = _single(view, add.output)
    if first is None or first.op != "Mul":
        return None
    other = next((name for name in first.inputs if name != add.output), "")
    if other == x:  # (1 + …) · x, then · ½
        return _halved(view, first.output)
    if near(view.number(other), 0.5):  # (1 + …) · ½, then · x
        second = _single(view, first.output)
        return second if second is not None and second.op == "Mul" and x in second.inputs else None
    half = view.made_by(other, "Mul", "Div")  # (1 + …) · (x · ½)
    pair = view.with_number(half) if half is not None else None
    if half is None or pair is None or pair[0] != x:
        return None
    return first if near(pair[1], 0.5 if half.op == "Mul" else 2.0) else None


def _halved(view: View, name: str) -> Node | None:
    node = _single(view, name)
    pair = view.with_number(node) if node is not None else None
    if node is None or pair is None:
        return None
    return node if near(pair[1], {"Mul": 0.5, "Div": 2.0}.get(node.op, math.nan)) else None


def _single(view: View, name: str) -> Node | None:
    takers = view.takers(name)
    return takers[0] if len(takers) == 1 and view.only_for(name, takers[0]) else None


__all__ = ["fuse_gates", "fuse_gelu", "fuse_hard_sigmoid"]
