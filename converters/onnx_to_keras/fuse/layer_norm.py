"""Layer normalisation that is written out in its steps, as exporters below opset 17 do.

x ─ Sub mean ─ ÷ √(mean of squares + epsilon) ─ Mul gamma ─ Add beta ─▶
▷   LayerNormalization(gamma, beta; epsilon)
"""

from __future__ import annotations

from converters.onnx_to_keras.fuse.pattern import View, near, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node


def fuse_layer_norm(graph: Graph) -> Graph:
    """Normalisation over the last axes, with its scale and offset, becomes one node."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        core = _core(view, node) if node.op == "Div" and not node.domain else None
        if core is None:
            continue
        x, axes, epsilon, parts = core
        end, scale, offset = node, "", ""
        shape = tuple(graph.values[x].shape[axis] for axis in axes)
        for op in ("Mul", "Add"):
            takers = view.takers(end.output)
            if len(takers) != 1 or takers[0].op != op or not view.only_for(end.output, takers[0]):
                break
            pair = view.with_constant(takers[0])
            if pair is None or pair[1].value.shape != shape:
                break
            name = next(n for n in takers[0].inputs if n != end.output)
            scale, offset = (name, offset) if op == "Mul" else (scale, name)
            end = takers[0]
            parts.append(end)
        changes[id(end)] = Node(
            "LayerNormalization",
            (x, scale, offset),
            end.outputs,
            {"axes": axes, "epsilon": epsilon},
            node.name,
            "",
            sources(parts),
            node.scope,
        )
    return replaced(graph, changes)


def _core(view: View, div: Node) -> tuple[str, list[int], float, list[Node]] | None:
    """x, axes and epsilon of (x - mean) / sqrt(mean((x - mean)²) + epsilon)."""
    root = view.made_by(div.inputs[1], "Sqrt", "Pow")
    if root is None or (root.op == "Pow" and not near(view.number(root.inputs[1]), 0.5)):
        return None
    shifted = view.made_by(root.inputs[0], "Add")
    pair = view.with_number(shifted) if shifted is not None else None
    variance = view.made_by(pair[0], "ReduceMean") if pair is not None else None
    if shifted is None or pair is None or variance is None or not variance.attributes["keepdims"]:
        return None
    square = view.made_by(variance.inputs[0], "Pow", "Mul")
    if square is None or (square.op == "Pow" and not near(view.number(square.inputs[1]), 2.0)):
        return None
    centred = view.made_by(square.inputs[0], "Sub")
    top = view.made_by(div.inputs[0], "Sub")
    if centred is None or top is None or (square.op == "Mul" and len(set(square.inputs)) > 1):
        return None
    mean = view.made_by(centred.inputs[1], "ReduceMean")
    same = centred is top or centred.inputs == top.inputs
    if mean is None or not same or mean.inputs[0] != centred.inputs[0]:
        return None
    axes = mean.attributes["axes"]
    rank = view.graph.values[mean.inputs[0]].rank
    if axes != variance.attributes["axes"] or not isinstance(axes, list):
        return None
    if axes != list(range(rank - len(axes), rank)):
        return None
    parts = [mean, centred, square, variance, shifted, root, div]
    return mean.inputs[0], axes, pair[1], parts
