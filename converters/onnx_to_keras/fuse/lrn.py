"""Local response normalisation, which torch exports as an average over padded channels.

x² ─ Reshape (n, 1, c, h, w) ─ Pad ─ AveragePool ─ Reshape ─ Mul alpha ─ Add k ─ Pow beta ─┐
x ────────────────────────────────────────────────────────────────────────────────────── Div ─▶
▷   LRN(size, alpha, beta, bias=k)

Source: Krizhevsky and others, ImageNet Classification with Deep Convolutional Neural Networks
(2012), section 3.3.
"""

from __future__ import annotations

from converters.onnx_to_keras.fuse.pattern import View, near, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node

_UNPADDED, _ONES = [0] * 6, [1] * 3


def fuse_lrn(graph: Graph) -> Graph:
    """Division by a power of the mean square of neighbouring channels becomes one node."""
    view = View(graph)
    changes: dict[int, Node] = {}
    for node in graph.nodes:
        found = _parts(view, node) if node.op == "Div" and not node.domain else None
        if found is None:
            continue
        attributes, parts = found
        changes[id(node)] = Node(
            "LRN",
            node.inputs[:1],
            node.outputs,
            attributes,
            node.name,
            "",
            sources((*parts, node)),
            node.scope,
        )
    return replaced(graph, changes)


def _parts(view: View, div: Node) -> tuple[dict[str, float], list[Node]] | None:
    x = div.inputs[0]
    if x in view.graph.constants or view.graph.values[x].rank != 4:
        return None
    power = view.made_by(div.inputs[1], "Pow")
    shifted = view.made_by(power.inputs[0], "Add") if power is not None else None
    scaled = _with_number(view, shifted)
    times = view.made_by(scaled[0], "Mul") if scaled is not None else None
    mean = _with_number(view, times)
    beta = view.number(power.inputs[1]) if power is not None else None
    if power is None or shifted is None or scaled is None or times is None or mean is None:
        return None
    found = _neighbours(view, mean[0], x)
    if beta is None or found is None:
        return None
    size, parts = found
    attributes = {"size": size, "alpha": mean[1], "beta": beta, "bias": scaled[1]}
    return attributes, [*parts, times, shifted, power]


def _with_number(view: View, node: Node | None) -> tuple[str, float] | None:
    return view.with_number(node) if node is not None else None


def _neighbours(view: View, name: str, x: str) -> tuple[int, list[Node]] | None:
    """Size of the window over channels whose mean square of x this value is."""
    parts: list[Node] = []
    while (back := view.made_by(name, "Reshape")) is not None:
        parts.append(back)
        name = back.inputs[0]
    pool = view.made_by(name, "AveragePool")
    pad = view.made_by(pool.inputs[0], "Pad") if pool is not None else None
    split = view.made_by(pad.inputs[0], "Reshape") if pad is not None else None
    square = view.made_by(split.inputs[0], "Mul", "Pow") if split is not None else None
    if pool is None or pad is None or split is None or square is None:
        return None
    window = pool.attributes.get("kernel_shape")
    channels = view.graph.values[x].shape[1]
    is_square = set(square.inputs) == {x} or (
        square.op == "Pow" and square.inputs[0] == x and near(view.number(square.inputs[1]), 2.0)
    )
    if not is_square or not isinstance(window, list) or window[0] % 2 == 0:
        return None
    half = window[0] // 2
    zeros = [0, 0, half, 0, 0]
    fits = (
        window[1:] == [1, 1]
        and view.graph.values[split.output].shape[1:3] == (1, channels)
        and pad.attributes["before"] == pad.attributes["after"] == zeros
        and pool.attributes.get("pads", _UNPADDED) == _UNPADDED
        and pool.attributes.get("strides", _ONES) == _ONES
        and not pad.attributes["value"]
    )
    return (window[0], [*parts, pool, pad, split, square]) if fits else None
