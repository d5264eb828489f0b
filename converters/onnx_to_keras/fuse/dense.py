"""Dense: a product with a matrix of weights, and the bias added to it.

x ─ MatMul(W) ─ Add(b) ─▶        ▷   x ─ Dense(W, b) ─▶
x ─ Gemm(W, b; transB=1) ─▶      ▷   x ─ Dense(Wᵀ, b) ─▶
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from converters.onnx_to_keras.fuse.pattern import View, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node
from converters.onnx_to_keras.registry import Constant


def fuse_dense(graph: Graph) -> Graph:
    """Gemm and MatMul with constant weights become Dense, with the bias that follows."""
    view = View(graph)
    changes: dict[int, Node] = {}
    constants: dict[str, Constant] = {}
    for node in graph.nodes:
        if node.domain:
            continue
        if node.op == "Gemm":
            found = _from_gemm(view, node)
        elif node.op == "MatMul":
            found = _from_matmul(view, node)
        else:
            continue
        if found is None:
            continue
        dense, kernel = found
        constants[dense.inputs[1]] = kernel
        changes[id(node)] = dense
        if len(dense.inputs) == 2:
            _take_bias(view, node, dense, kernel, changes)
    return replaced(graph, changes, constants)


def _from_gemm(view: View, node: Node) -> tuple[Node, Constant] | None:
    x, weights, *bias = node.inputs
    kernel = view.constant(weights)
    defaults = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **node.attributes}
    if kernel is None or defaults["transA"] or x in view.graph.constants:
        return None
    value = kernel.value.T if defaults["transB"] else kernel.value
    if defaults["alpha"] != 1.0:
        value = value * np.asarray(defaults["alpha"], np.float32)
    inputs = [x, f"{weights}/in_out"]
    if bias and bias[0]:
        offset = view.constant(bias[0])
        if offset is None or offset.value.shape != (value.shape[1],) or defaults["beta"] != 1.0:
            return None
        inputs.append(bias[0])
    dense = replace(node, op="Dense", inputs=tuple(inputs), attributes={})
    return dense, replace(kernel, value=value)


def _from_matmul(view: View, node: Node) -> tuple[Node, Constant] | None:
    x, weights = node.inputs
    kernel = view.constant(weights)
    if kernel is None or kernel.value.ndim != 2 or x in view.graph.constants:
        return None
    if view.graph.values[x].rank < 2:
        return None
    dense = replace(node, op="Dense", inputs=(x, weights), attributes={})
    return dense, kernel


def _take_bias(
    view: View, node: Node, dense: Node, kernel: Constant, changes: dict[int, Node]
) -> None:
    """Lets the Dense end where the Add of its bias did."""
    takers = view.takers(node.output)
    if len(takers) != 1 or takers[0].op != "Add" or not view.only_for(node.output, takers[0]):
        return
    add = takers[0]
    pair = view.with_constant(add)
    if pair is None or pair[1].value.shape != (kernel.value.shape[1],):
        return
    name = next(n for n in add.inputs if n != node.output)
    changes[id(add)] = replace(
        dense,
        inputs=(*dense.inputs, name),
        outputs=add.outputs,
        source=sources((node, add)),
    )
    del changes[id(node)]
