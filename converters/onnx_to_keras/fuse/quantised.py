"""Quantise-dequantise pairs: the rounding goes, the range that it clips to stays.

x ─ QuantizeLinear(s, z) ─ DequantizeLinear(s, z) ─▶   ▷   x ─ Clip((qmin - z)s, (qmax - z)s) ─▶

The clipping has to stay: quantisers drop a ReLU6 whose work the range does.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.onnx_to_keras.fuse.pattern import View, replaced
from converters.onnx_to_keras.graph import Graph, Node


def drop_rounding(graph: Graph) -> Graph:
    """Every pair of the same scale and zero point becomes a Clip to its range."""
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
                node, op="Clip", inputs=quantise.inputs[:1], attributes=_range(view, quantise)
            )
    return replaced(graph, changes)


def _equal(view: View, a: str, b: str) -> bool:
    first, second = view.constant(a), view.constant(b)
    if first is None or second is None:
        return a == b
    return np.array_equal(first.value, second.value)


def _range(view: View, quantise: Node) -> dict[str, float]:
    """The real numbers that the integers reach; nothing for scales that differ by channel."""
    scale = view.number(quantise.inputs[1])
    info = np.iinfo(view.graph.values[quantise.output].dtype)
    zero = view.number(quantise.inputs[2]) if len(quantise.inputs) > 2 else 0.0
    if scale is None or zero is None:
        return {}
    return {"min": (info.min - zero) * scale, "max": (info.max - zero) * scale}
