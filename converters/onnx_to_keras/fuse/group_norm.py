"""Group normalisation as exporters write it: an instance normalisation of folded channels.

x ─ Reshape (n, g, -1) ─ InstanceNormalization ─ Reshape back ─ Mul gamma ─ Add beta ─▶
▷   GroupNormalization(gamma, beta; g, epsilon)
"""

from __future__ import annotations

import numpy as np

from converters.onnx_to_keras.fuse.pattern import View, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node
from converters.onnx_to_keras.registry import Constant


def fuse_group_norm(graph: Graph) -> Graph:
    """The folded instance normalisation, with scale and offset, becomes one node."""
    view = View(graph)
    changes: dict[int, Node] = {}
    constants: dict[str, Constant] = {}
    for node in graph.nodes:
        if node.op != "InstanceNormalization" or node.domain:
            continue
        found = _around(view, node)
        if found is None:
            continue
        before, after = found
        x = before.inputs[0]
        shape = graph.values[x].shape
        end, parts = after, [before, node, after]
        per_channel = {"Mul": np.ones(shape[1], np.float32), "Add": np.zeros(shape[1], np.float32)}
        names = {key: f"{node.output}/{key}" for key in per_channel}
        for key, value in per_channel.items():
            constants[names[key]] = Constant(names[key], value, False)
        for op in ("Mul", "Add"):
            step = _per_channel(view, end, op, shape)
            if step is None:
                break
            end, constants[names[op]] = step
            parts.append(end)
        changes[id(end)] = Node(
            "GroupNormalization",
            (x, names["Mul"], names["Add"]),
            end.outputs,
            {
                "num_groups": graph.values[node.output].shape[1],
                "epsilon": node.attributes.get("epsilon", 1e-5),
            },
            node.name,
            "",
            sources(parts),
            node.scope,
        )
    return replaced(graph, changes, constants)


def _around(view: View, node: Node) -> tuple[Node, Node] | None:
    """The two reshapes around a plain instance normalisation over groups."""
    before = view.made_by(node.inputs[0], "Reshape")
    takers = view.takers(node.output)
    if before is None or len(takers) != 1 or takers[0].op != "Reshape":
        return None
    scale, offset = (view.constant(name) for name in node.inputs[1:3])
    if scale is None or offset is None:
        return None
    if not np.all(scale.value == 1) or not np.all(offset.value == 0):
        return None
    values = view.graph.values
    outer, folded = values[before.inputs[0]], values[node.inputs[0]]
    back = values[takers[0].output]
    if outer.target != back.target or folded.rank != 3 or outer.rank < 2:
        return None
    if outer.target[0] != folded.target[0] or outer.shape[1] % folded.shape[1]:
        return None
    return before, takers[0]


def _per_channel(
    view: View, end: Node, op: str, shape: tuple[int, ...]
) -> tuple[Node, Constant] | None:
    """A Mul or Add with one number a channel, and the numbers."""
    takers = view.takers(end.output)
    if len(takers) != 1 or takers[0].op != op or not view.only_for(end.output, takers[0]):
        return None
    pair = view.with_constant(takers[0])
    if pair is None:
        return None
    value = pair[1].value
    full = (1,) * (len(shape) - value.ndim) + value.shape
    if full != (1, shape[1], *(1,) * (len(shape) - 2)):
        return None
    return takers[0], Constant(pair[1].name, value.reshape(-1), pair[1].trainable)
