"""A swap of the last two axes, written with the leading ones merged for its duration.

(n, h, t, d) ─ Reshape (n*h, t, d) ─ Transpose ─ Reshape (n, h, d, t) ─▶   ▷   Transpose(0, 1, 3, 2)
"""

from __future__ import annotations

from converters.onnx_to_keras.fuse.pattern import View, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node


def fuse_swap(graph: Graph) -> Graph:
    """Reshape, swap and reshape back become one transpose, which costs nothing."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        if node.op != "Reshape" or node.domain:
            continue
        swap = view.made_by(node.inputs[0], "Transpose")
        merge = view.made_by(swap.inputs[0], "Reshape") if swap is not None else None
        if swap is None or merge is None or swap.attributes["perm"] != [0, 2, 1]:
            continue
        if merge.inputs[0] in graph.constants:
            continue
        before, after = graph.values[merge.inputs[0]], graph.values[node.output]
        middle = graph.values[merge.output]
        turned = (*range(before.rank - 2), before.rank - 1, before.rank - 2)
        if before.permuted(turned).shapes != after.shapes:
            continue
        if middle.target[1:] != before.target[-2:]:
            continue
        changes[id(node)] = Node(
            "Transpose",
            merge.inputs[:1],
            node.outputs,
            {"perm": list(turned)},
            node.name,
            "",
            sources((merge, swap, node)),
            node.scope,
        )
    return replaced(graph, changes)
