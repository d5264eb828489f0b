"""Quantise-dequantise pairs: simulated rounding goes, the float network stays.

x ─ QuantizeLinear(s, z) ─ DequantizeLinear(s, z) ─▶   ▷   x
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.onnx_to_keras.fuse.pattern import View, replaced
from converters.onnx_to_keras.graph import Graph, Node


def drop_rounding(graph: Graph) -> Graph:
    """Every pair of the same scale and zero point becomes an identity."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        if node.op != "DequantizeLinear" or node.domain:
            continue
        quantise = view.made_by(node.inputs[0], "QuantizeLinear")
        if quantise is None or len(quantise.inputs) != len(node.inputs):
            continue
        pairs = zip(quantise.inputs[1:], node.inputs[1:], strict=True)
        if all(_equal(view, a, b) for a, b in pairs):
            changes[id(node)] = replace(
                node, op="Identity", inputs=quantise.inputs[:1], attributes={}
            )
    return replaced(graph, changes)


def _equal(view: View, a: str, b: str) -> bool:
    first, second = view.constant(a), view.constant(b)
    if first is None or second is None:
        return a == b
    return np.array_equal(first.value, second.value)
