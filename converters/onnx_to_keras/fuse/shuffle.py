"""Channel shuffle: two reshapes around a transpose are one change of the channels' sequence.

(n, c, h, w) ─ Reshape (n, g, c/g, h, w) ─ Transpose ─ Reshape (n, c, h, w) ─▶
▷   ChannelShuffle(g)
"""

from __future__ import annotations

from converters.onnx_to_keras.fuse.pattern import View, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node


def fuse_shuffle(graph: Graph) -> Graph:
    """Reshape, swap of the two channel axes and reshape back become one node."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        if node.op != "Reshape" or node.domain:
            continue
        swap = view.made_by(node.inputs[0], "Transpose")
        split = view.made_by(swap.inputs[0], "Reshape") if swap is not None else None
        if swap is None or split is None or split.inputs[0] in graph.constants:
            continue
        before, after = graph.values[split.inputs[0]], graph.values[node.output]
        middle = graph.values[split.output]
        if before.target != after.target or middle.rank != before.rank + 1 or before.rank < 3:
            continue
        swapped = [0, 2, 1, *range(3, middle.rank)]
        same_rest = middle.target[3:] == before.target[2:] and middle.target[0] == before.target[0]
        if swap.attributes["perm"] != swapped or not same_rest:
            continue
        if middle.shape[1] * middle.shape[2] != before.shape[1]:
            continue
        changes[id(node)] = Node(
            "ChannelShuffle",
            (split.inputs[0],),
            node.outputs,
            {"groups": middle.shape[1]},
            node.name,
            "",
            sources((split, swap, node)),
            node.scope,
        )
    return replaced(graph, changes)
