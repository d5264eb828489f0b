"""One form for every opset: parameters that came as inputs or differed by version → attributes.

    Slice(x, starts, ends, axes, steps)    ─▶   Slice(x; starts, ends, axes, steps)
    Squeeze, Unsqueeze, Flatten, Reshape   ─▶   Reshape(x; shape)
    Upsample, Resize of any version        ─▶   Resize(x; sizes | scales over the spatial axes)

Axes are non-negative after this, a size that follows the batch is -1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from converters.errors import NodeError
from converters.onnx_to_keras.graph import Graph, Node

Rewrite = Callable[[Graph, Node], Node]
RULES: dict[str, Rewrite] = {}
REWRITTEN = ("Flatten", "Identity", "Scatter", "Squeeze", "Unsqueeze", "Upsample")
"""Operators that have no function because another takes their place."""


def normalise(graph: Graph) -> Graph:
    """The graph with each node in the form of its newest opset, parameters as attributes."""
    nodes = []
    for node in graph.nodes:
        rule = RULES.get(node.op) if not node.domain else None
        nodes.append(rule(graph, node) if rule is not None else node)
    return replace(graph, nodes=tuple(nodes)).without_dead()


def _rule(*names: str) -> Callable[[Rewrite], Rewrite]:
    def enter(function: Rewrite) -> Rewrite:
        RULES.update(dict.fromkeys(names, function))
        return function

    return enter


def _with(node: Node, inputs: int, **attributes: object) -> Node:
    """The node with its first `inputs` inputs and these attributes added; None removes one."""
    merged = {**node.attributes, **attributes}
    kept = {name: value for name, value in merged.items() if value is not None}
    return replace(node, inputs=node.inputs[:inputs], attributes=kept)


def _array(graph: Graph, node: Node, index: int) -> np.ndarray | None:
    """The constant that a node takes at a place; None where it takes none."""
    if index >= len(node.inputs) or not node.inputs[index]:
        return None
    name = node.inputs[index]
    if name in graph.constants:
        return graph.constants[name].value
    if name in graph.symbolic:
        return np.array(graph.symbolic[name].parameter(), dtype=np.int64)
    raise NodeError(
        f"Expected a fixed parameter at input {index} of {node}, got '{name}', which is computed "
        "while the network runs. Export the network with fixed sizes (and a free batch)."
    )


def _ints(graph: Graph, node: Node, index: int, attribute: str) -> list[int] | None:
    """A parameter that is an input in newer opsets and an attribute in older ones."""
    value = node.attributes.get(attribute)
    if isinstance(value, list):
        return [int(n) for n in value]
    found = _array(graph, node, index)
    return None if found is None else [int(n) for n in found.ravel()]


def _rank(graph: Graph, node: Node) -> int:
    return len(_shape(graph, node.inputs[0]))


def _shape(graph: Graph, name: str) -> tuple[int, ...]:
    if name in graph.constants:
        return graph.constants[name].value.shape
    return graph.values[name].target


@_rule("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def _reshape(graph: Graph, node: Node) -> Node:
    shape = list(graph.values[node.output].target)
    return Node(
        "Reshape", node.inputs[:1], node.outputs, {"shape": shape}, node.name, "", node.source
    )


@_rule("Slice")
def _slice(graph: Graph, node: Node) -> Node:
    starts, ends = _ints(graph, node, 1, "starts") or [], _ints(graph, node, 2, "ends") or []
    rank = _rank(graph, node)
    axes = [axis % rank for axis in _ints(graph, node, 3, "axes") or range(len(starts))]
    steps = _ints(graph, node, 4, "steps") or [1] * len(starts)
    for index in (1, 2):  # an end at the batch itself takes everything
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name in graph.symbolic:
            follows = graph.symbolic[name].slope.ravel()
            numbers = starts if index == 1 else ends
            for place in np.flatnonzero(follows):
                whole = index == 2 and follows[place] == 1 and axes[place] == 0
                if not whole or graph.symbolic[name].offset.ravel()[place]:
                    raise NodeError(
                        f"Expected fixed bounds for {node}, got ones that follow the batch. "
                        "Export the network with a fixed batch, or without this slice."
                    )
                numbers[place] = 2**31 - 1
    return _with(node, 1, starts=starts, ends=ends, axes=axes, steps=steps)


@_rule("Pad")
def _pad(graph: Graph, node: Node) -> Node:
    rank = _rank(graph, node)
    pads = _ints(graph, node, 1, "pads") or _ints(graph, node, 1, "paddings") or [0] * (2 * rank)
    fill = _array(graph, node, 2)
    value = node.attributes.get("value", 0.0) if fill is None else fill.ravel()[0].item()
    given = _array(graph, node, 3)
    axes = range(len(pads) // 2) if given is None else [int(a) % rank for a in given.ravel()]
    before, after = [0] * rank, [0] * rank
    for place, axis in enumerate(axes):
        before[axis], after[axis] = pads[place], pads[place + len(pads) // 2]
    mode = node.attributes.get("mode", "constant")
    return _with(
        node, 1, pads=None, paddings=None, before=before, after=after, value=value, mode=mode
    )


@_rule(
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2",
    "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare",
)  # fmt: skip
def _reduce(graph: Graph, node: Node) -> Node:
    rank = _rank(graph, node)
    axes = _ints(graph, node, 1, "axes")
    if not axes:
        if node.attributes.get("noop_with_empty_axes"):
            return _with(replace(node, op="Identity", attributes={}), 1)
        axes = list(range(rank))
    keepdims = node.attributes.get("keepdims", 1)
    axes = sorted({axis % rank for axis in axes}) if rank else []
    return _with(node, 1, axes=axes, keepdims=keepdims, noop_with_empty_axes=None)


@_rule("ArgMax", "ArgMin")
def _arg(graph: Graph, node: Node) -> Node:
    axis = node.attributes.get("axis", 0)
    assert isinstance(axis, int)
    return _with(
        node,
        1,
        axes=[axis % _rank(graph, node)],
        axis=None,
        keepdims=node.attributes.get("keepdims", 1),
    )


@_rule("Split")
def _split(graph: Graph, node: Node) -> Node:
    axis = node.attributes.get("axis", 0)
    assert isinstance(axis, int)
    axis %= _rank(graph, node)
    sizes = [_shape(graph, name)[axis] for name in node.outputs if name]
    return _with(node, 1, axis=axis, sizes=sizes, split=None, num_outputs=None)


@_rule("Clip")
def _clip(graph: Graph, node: Node) -> Node:
    bounds = {}
    for index, key in ((1, "min"), (2, "max")):
        name = node.inputs[index] if index < len(node.inputs) else ""
        if name and name not in graph.constants:
            return node
        if name:
            bounds[key] = graph.constants[name].value.ravel()[0].item()
        else:
            bounds[key] = node.attributes.get(key)
    return _with(node, 1, **bounds)


@_rule("Expand")
def _expand(graph: Graph, node: Node) -> Node:
    return _with(node, 1, shape=list(graph.values[node.output].target))


@_rule("Tile")
def _tile(graph: Graph, node: Node) -> Node:
    if node.inputs[1] in graph.symbolic:  # repeats up to the batch: the sizes say it all
        before = _shape(graph, node.inputs[0])
        after = graph.values[node.output].target
        if all(a in (b, 1) for a, b in zip(before, after, strict=True)):
            return _with(replace(node, op="Expand"), 1, shape=list(after))
    return _with(node, 1, repeats=_ints(graph, node, 1, "repeats"))


@_rule("TopK")
def _top_k(graph: Graph, node: Node) -> Node:
    k = _ints(graph, node, 1, "k")
    value = node.attributes.get("k") if k is None else k[0]
    axis = node.attributes.get("axis", -1)
    assert isinstance(axis, int)
    defaults = {"largest": 1, "sorted": 1}
    return _with(
        node,
        1,
        k=value,
        axis=axis % _rank(graph, node),
        **{**defaults, **{key: node.attributes[key] for key in defaults if key in node.attributes}},
    )


@_rule("OneHot")
def _one_hot(graph: Graph, node: Node) -> Node:
    depth = _array(graph, node, 1)
    rank = graph.values[node.output].rank
    axis = node.attributes.get("axis", -1)
    assert isinstance(axis, int)
    assert depth is not None
    changed = _with(node, 1, depth=int(depth.ravel()[0]), axis=axis % rank)
    return replace(changed, inputs=(node.inputs[0], node.inputs[2]))


@_rule("CumSum")
def _cumsum(graph: Graph, node: Node) -> Node:
    axis = _ints(graph, node, 1, "axis")
    return _with(node, 1, axis=(axis or [0])[0] % _rank(graph, node))


@_rule("QuantizeLinear", "DequantizeLinear")
def _quantise(graph: Graph, node: Node) -> Node:
    axis = node.attributes.get("axis", 1)
    assert isinstance(axis, int)
    return _with(node, len(node.inputs), axis=axis % max(_rank(graph, node), 1))


@_rule("MeanVarianceNormalization")
def _mean_variance(graph: Graph, node: Node) -> Node:
    axes = node.attributes.get("axes") or [0, 2, 3]
    assert isinstance(axes, list)
    rank = _rank(graph, node)
    return _with(node, 1, axes=sorted({axis % rank for axis in axes}))


@_rule("Attention")
def _attention(graph: Graph, node: Node) -> Node:
    """The file's own, with all its options; the plain one is what fuse/attention.py finds."""
    return replace(node, op="FullAttention")


@_rule("Trilu")
def _trilu(graph: Graph, node: Node) -> Node:
    k = _ints(graph, node, 1, "k")
    return _with(node, 1, k=k[0] if k else 0, upper=node.attributes.get("upper", 1))


@_rule("Softmax", "LogSoftmax", "Hardmax")
def _softmax(graph: Graph, node: Node) -> Node:
    """Before opset 13 all axes from `axis` on are one; the same where the others are of size 1."""
    rank = _rank(graph, node)
    default = 1 if graph.opset < 13 else -1
    axis = node.attributes.get("axis", default)
    assert isinstance(axis, int)
    axis %= max(rank, 1)
    if graph.opset >= 13:
        return _with(node, 1, axis=axis)
    return _with(node, 1, axis=None, axes=list(range(axis, rank)))


@_rule("Concat", "Gather", "GatherElements", "ScatterElements", "Scatter")
def _axis(graph: Graph, node: Node) -> Node:
    default = 1 if node.op == "Concat" else 0
    axis = node.attributes.get("axis", default)
    assert isinstance(axis, int)
    op = "ScatterElements" if node.op == "Scatter" else node.op
    changed = _with(node, len(node.inputs), axis=axis % max(_rank(graph, node), 1))
    return replace(changed, op=op)


@_rule("LpNormalization")
def _lp(graph: Graph, node: Node) -> Node:
    axis = node.attributes.get("axis", -1)
    assert isinstance(axis, int)
    return _with(node, 1, axis=axis % _rank(graph, node))


@_rule("LayerNormalization", "RMSNormalization")
def _layer_norm(graph: Graph, node: Node) -> Node:
    rank = _rank(graph, node)
    axis = node.attributes.get("axis", -1)
    assert isinstance(axis, int)
    return _with(node, len(node.inputs), axis=None, axes=list(range(axis % rank, rank)))


@_rule("Transpose")
def _transpose(graph: Graph, node: Node) -> Node:
    perm = node.attributes.get("perm") or list(range(_rank(graph, node)))[::-1]
    return _with(node, 1, perm=perm)


@_rule("Resize", "Upsample")
def _resize(graph: Graph, node: Node) -> Node:
    """Sizes and scales of the spatial axes; a roi only for tf_crop_and_resize."""
    old = node.op == "Upsample" or graph.opset < 11
    scales = node.attributes.get("scales")
    if scales is None:
        found = _array(graph, node, 1 if old else 2)
        scales = [] if found is None else found.ravel().tolist()
    before, after = _shape(graph, node.inputs[0]), graph.values[node.output].target
    if before[:2] != after[:2]:
        raise NodeError(
            f"Expected {node} to resize the spatial axes, got {before} to {after}. Transpose "
            "before it, so that batch and channels are the first two axes."
        )
    attributes: dict[str, object] = {"sizes": list(after[2:]), "scales": None, "axes": None}
    if isinstance(scales, list) and scales:
        given = node.attributes.get("axes")
        axes = list(range(len(before))) if not isinstance(given, list) else given
        by_axis = {axis % len(before): scale for axis, scale in zip(axes, scales, strict=True)}
        attributes["scales"] = [float(by_axis.get(axis, 1.0)) for axis in range(2, len(before))]
    if old:
        attributes |= {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    if node.attributes.get("coordinate_transformation_mode") == "tf_crop_and_resize":
        attributes["roi"] = _spatial_roi(graph, node, len(before))
    return _with(replace(node, op="Resize"), 1, **attributes)


def _spatial_roi(graph: Graph, node: Node, rank: int) -> list[float] | None:
    """Starts and then ends over all axes, 0 and 1 where the file names fewer."""
    roi = _array(graph, node, 1)
    if roi is None:
        return None
    given = node.attributes.get("axes")
    axes = given if isinstance(given, list) else list(range(rank))
    starts, ends = [0.0] * rank, [1.0] * rank
    for place, axis in enumerate(axes):
        starts[axis % rank] = float(roi.ravel()[place])
        ends[axis % rank] = float(roi.ravel()[place + len(axes)])
    return [*starts, *ends]
