"""Operators with a rule of their own: what moves axes, and what multiplies along them."""

from __future__ import annotations

from dataclasses import replace
from string import ascii_lowercase

import numpy as np

from converters.onnx_to_keras.graph import Node
from converters.onnx_to_keras.layout.orders import (
    Group,
    carried,
    channels_last,
    groups,
    identity,
    moved,
    without,
)
from converters.onnx_to_keras.layout.rules import Rule, aligned, axis, fixed, spatial
from converters.onnx_to_keras.layout.state import Layout, Placed

_HEADS = (0, 2, 1, 3)  # ONNX (batch, heads, tokens, depth) as Keras has it


def transpose(state: Layout, node: Node) -> None:
    """Costs nothing: the tensor stays, its order changes."""
    perm = node.attributes["perm"]
    assert isinstance(perm, list)
    placed = state.where(node.inputs[0])
    state.placed[node.output] = Placed(placed.name, moved(placed.order, perm))


def reshape(state: Layout, node: Node) -> None:
    """As the tensor lies, where each run of axes lies together; else from ONNX's order."""
    source = node.inputs[0]
    placed = state.placed[source]
    if placed.flat is not None and state.target(source) == state.target(node.output):
        state.placed[node.output] = placed
        return
    placed = state.where(source)
    target = state.target(node.output)
    if target.count(-1) > 1:
        raise state.fail(
            node,
            f"a shape with one size that follows the batch, not {target},",
            "Give the sizes that are not the batch with input_shapes.",
        )
    parts = _same_groups(state, node)
    order = carried(placed.order, state.shape(source), parts) if parts else None
    if order is None and parts and _flatten(state, node, placed, parts):
        return
    if order is None:
        order = identity(len(target))
        placed = Placed(state.need(source, identity(state.rank(source))), order)
    shape = [target[a] for a in order]
    state.emit(node, [placed.name], order, {"shape": shape}, op="Reshape")


def _same_groups(state: Layout, node: Node) -> list[Group] | None:
    """Groups of axes, if they are the same at both batch sizes."""
    before, after = state.graph.values[node.inputs[0]], state.graph.values[node.output]
    found = [groups(a, b) for a, b in zip(before.shapes, after.shapes, strict=True)]
    return found[0] if found[0] == found[1] else None


def _flatten(state: Layout, node: Node, placed: Placed, parts: list[Group]) -> bool:
    """(n, h, w, c) → (n, h*w*c) with a note of the shuffle, which Dense takes into its rows."""
    axes, into = parts[-1]
    rank = state.rank(node.output)
    width = len(axes)
    if into != (rank - 1,) or sorted(placed.order[-width:]) != list(axes):
        return False
    if placed.order[:-width] != identity(len(placed.order) - width):
        return False
    if (
        carried(identity(len(placed.order) - width), state.shape(node.inputs[0]), parts[:-1])
        is None
    ):
        return False
    sizes = [state.shape(node.inputs[0])[a] for a in axes]
    inner = [a - axes[0] for a in placed.order[-width:]]
    flat = np.arange(int(np.prod(sizes))).reshape(sizes).transpose(inner).ravel()
    unflat = tuple(state.target(node.inputs[0])[a] for a in placed.order)
    state.emit(
        node,
        [placed.name],
        identity(rank),
        {"shape": list(state.target(node.output))},
        op="Reshape",
    )
    state.placed[node.output] = Placed(node.output, identity(rank), flat, (unflat, placed.order))
    return True


def slice_(state: Layout, node: Node) -> None:
    """Each axis turned with the input; the lists stay side by side."""
    placed = state.where(node.inputs[0])
    axes = node.attributes["axes"]
    assert isinstance(axes, list)
    turned = [placed.order.index(a) for a in axes]
    state.emit(node, [placed.name], placed.order, {"axes": turned})


def per_axis(state: Layout, node: Node) -> None:
    """Pad, Expand, Tile: lists with one number an axis, turned with the input."""
    rank = state.rank(node.output)
    if state.is_constant(node.inputs[0]) or state.rank(node.inputs[0]) != rank:
        order = identity(rank)
        name = node.inputs[0]
    else:
        placed = state.where(node.inputs[0])
        order, name = placed.order, placed.name
    changes: dict[str, object] = {}
    for key in ("before", "after", "shape", "repeats"):
        numbers = node.attributes.get(key)
        if isinstance(numbers, list):
            changes[key] = [numbers[a] for a in order]
    if not state.is_constant(node.inputs[0]) and state.rank(node.inputs[0]) != rank:
        name = state.need(node.inputs[0], identity(state.rank(node.inputs[0])))
    state.emit(node, [name], order, changes)


def gather(state: Layout, node: Node) -> None:
    """With fixed places along one axis as the tensor lies; otherwise in ONNX's order."""
    data, places = node.inputs
    if state.is_constant(data) or not state.is_constant(places) or state.rank(places) > 1:
        return fixed(state, node)
    placed = state.where(data)
    along = node.attributes["axis"]
    assert isinstance(along, int)
    order = placed.order if state.rank(places) else without(placed.order, [along])
    state.emit(node, [placed.name, places], order, {"axis": placed.order.index(along)})
    return None


def batch_norm(state: Layout, node: Node) -> None:
    """Over maps channels-last; over vectors with the shuffle of a flatten taken along."""
    if state.rank(node.inputs[0]) > 2:
        return spatial(state, node)
    placed = state.placed[node.inputs[0]]
    if placed.flat is None:
        inputs = [state.need(node.inputs[0], (0, 1)), *node.inputs[1:]]
        return state.emit(node, inputs, (0, 1))
    flat = placed.flat
    statistics = [
        state.constant(f"{n}/shuffled", state.constants[n].value[flat], n) for n in node.inputs[1:]
    ]
    state.emit(node, [placed.name, *statistics], placed.order)
    state.placed[node.output] = replace(placed, name=node.output)
    return None


def dense(state: Layout, node: Node) -> None:
    """Along the last axis a Dense layer, along any other an EinsumDense: never a transpose."""
    placed = state.placed[node.inputs[0]]
    rank = state.rank(node.inputs[0])
    if placed.flat is not None and placed.order[-1] == rank - 1:
        kernel = node.inputs[1]
        rows = state.constants[kernel].value[placed.flat]
        inputs = [placed.name, state.constant(f"{kernel}/rows", rows, kernel), *node.inputs[2:]]
        return state.emit(node, inputs, placed.order)
    placed = state.where(node.inputs[0])
    if placed.order[-1] == rank - 1:
        return state.emit(node, [placed.name, *node.inputs[1:]], placed.order)
    letters = ascii_lowercase[:rank]
    place = placed.order.index(rank - 1)
    result = letters[:place] + "z" + letters[place + 1 :]
    equation = f"{letters},{letters[place]}z->{result}"
    inputs = [placed.name, *node.inputs[1:]]
    return state.emit(
        node, inputs, placed.order, {"equation": equation, "bias_axes": "z"}, "EinsumDense"
    )


def matmul(state: Layout, node: Node) -> None:
    """Two tensors: as they lie, with an einsum that knows where each axis is."""
    a, b = node.inputs
    shapes = [state.shape(n) for n in node.inputs]
    plain = [
        state.is_constant(n) or state.where(n).order == identity(state.rank(n)) for n in (a, b)
    ]
    same_batch = shapes[0][:-2] == shapes[1][:-2] and len(shapes[0]) > 1
    wanted = _wanted(state, node)
    if not same_batch or (all(plain) and wanted == identity(len(shapes[0]))):
        return fixed(state, node)
    rank = len(shapes[0])
    batch = ascii_lowercase[: rank - 2]
    names, terms = [], []
    for name, letters in ((a, batch + "xk"), (b, batch + "ky")):
        order = identity(rank) if state.is_constant(name) else state.where(name).order
        names.append(name if state.is_constant(name) else state.where(name).name)
        terms.append("".join(letters[i] for i in order))
    result = "".join((batch + "xy")[i] for i in wanted)
    equation = f"{terms[0]},{terms[1]}->{result}"
    return state.emit(node, names, wanted, {"equation": equation}, "Einsum")


def _wanted(state: Layout, node: Node) -> tuple[int, ...]:
    """ONNX's order, or the one that a Transpose right behind asks for."""
    rank = state.rank(node.output)
    consumers = state.consumers.get(node.output, [])
    if len(consumers) == 1 and consumers[0].op == "Transpose":
        perm = consumers[0].attributes["perm"]
        assert isinstance(perm, list)
        return tuple(perm)
    return identity(rank)


def einsum(state: Layout, node: Node) -> None:
    """The letters of each term follow the order of its tensor."""
    equation = str(node.attributes["equation"]).replace(" ", "")
    if "." in equation or "->" not in equation:
        return fixed(state, node)
    left, result = equation.split("->")
    terms, names = [], []
    for term, name in zip(left.split(","), node.inputs, strict=True):
        order = identity(len(term)) if state.is_constant(name) else state.where(name).order
        names.append(name if state.is_constant(name) else state.where(name).name)
        terms.append("".join(term[a] for a in order))
    changed = f"{','.join(terms)}->{result}"
    return state.emit(node, names, identity(len(result)), {"equation": changed})


def attention(state: Layout, node: Node) -> None:
    """Queries, keys and values as (batch, tokens, heads, depth), the bias in ONNX's order."""
    heads = [state.need(name, _HEADS) for name in node.inputs[:3]]
    bias = [state.need(n, identity(state.rank(n))) if n else "" for n in node.inputs[3:]]
    state.emit(node, [*heads, *bias], _HEADS)


def norm_over_channels(state: Layout, node: Node) -> None:
    """Instance and group normalisation: channels last, whatever the rank."""
    rank = state.rank(node.inputs[0])
    first = state.need(node.inputs[0], channels_last(rank))
    state.emit(node, [first, *node.inputs[1:]], channels_last(rank))


def p_relu(state: Layout, node: Node) -> None:
    """The slope is spread over the input's axes and lies as they do."""
    placed = state.where(node.inputs[0])
    slope = aligned(state, node.inputs[1], placed.order)
    state.emit(node, [placed.name, slope], placed.order)


OWN: dict[str, Rule] = {
    "Attention": attention,
    "BatchNormalization": batch_norm,
    "Dense": dense,
    "Einsum": einsum,
    "Expand": per_axis,
    "Gather": gather,
    "GroupNormalization": norm_over_channels,
    "InstanceNormalization": norm_over_channels,
    "MatMul": matmul,
    "PRelu": p_relu,
    "Pad": per_axis,
    "Reshape": reshape,
    "Slice": slice_,
    "Softmax": axis,
    "Split": axis,
    "Tile": per_axis,
    "Transpose": transpose,
}
