"""Global pooling to a vector: the two sizes of one that are kept and then dropped.

(n, c, h, w) ─ GlobalAveragePool (n, c, 1, 1) ─ Flatten (n, c) ─▶
▷   ReduceMean(axes=[2, 3], keepdims=0)
"""

from __future__ import annotations

from converters.onnx_to_keras.fuse.pattern import View, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node

_REDUCTIONS = {
    "GlobalAveragePool": "ReduceMean",
    "GlobalMaxPool": "ReduceMax",
    "ReduceMean": "ReduceMean",
    "ReduceMax": "ReduceMax",
}


def fuse_global_pool(graph: Graph) -> Graph:
    """Pooling over all of space and the flatten behind it become one reduction."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        pool = view.made_by(node.inputs[0], *_REDUCTIONS) if node.op == "Reshape" else None
        if pool is None or not view.only_for(pool.output, node):
            continue
        before, after = graph.values[pool.inputs[0]], graph.values[node.output]
        space = list(range(2, before.rank))
        if before.rank < 3 or after.target != before.target[:2]:
            continue
        if pool.op.startswith("Reduce") and pool.attributes["axes"] != space:
            continue
        changes[id(node)] = Node(
            _REDUCTIONS[pool.op],
            pool.inputs[:1],
            node.outputs,
            {"axes": space, "keepdims": 0},
            pool.name,
            "",
            sources((pool, node)),
            pool.scope,
        )
    return replaced(graph, changes)
