"""Scaled dot-product attention: two products with a softmax between them are one operation.

    q ─ MatMul(kᵀ) ─ Mul scale ─ Add bias ─ Softmax ─ MatMul(v) ─▶   ▷   Attention(q, k, v, bias)

The scale may stand on the scores, on q and on k; the bias may be a mask. Source: Vaswani et al.,
Attention Is All You Need (2017), section 3.2.1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from converters.onnx_to_keras.fuse.pattern import View, replaced, sources
from converters.onnx_to_keras.graph import Graph, Node, Value

_SWAP = [0, 1, 3, 2]


@dataclass
class _Scores:
    """The left half of an attention: what comes before the softmax."""

    query: str
    key: str  # transposed: (batch, heads, depth, tokens)
    bias: str
    scale: float
    parts: list[Node]


def fuse_attention(graph: Graph) -> Graph:
    """Every attention of rank 4 whose weights nobody else asks for becomes one node."""
    view = View(graph)
    changes: dict[int, Node] = {}
    before: dict[int, list[Node]] = {}
    values: dict[str, Value] = {}
    for node in graph.nodes:
        if node.op != "MatMul" or node.domain or graph.values[node.output].rank != 4:
            continue
        softmax = view.made_by(node.inputs[0], "Softmax")
        if softmax is None or softmax.attributes.get("axis") != 3:
            continue
        if not view.only_for(softmax.output, node):
            continue
        found = _scores(view, softmax)
        if found is None or not _fits(view, found, node):
            continue
        key, extra = _untransposed(view, found.key)
        if extra is not None:
            before[id(node)] = [extra]
            values[key] = graph.values[found.key].permuted(_SWAP)
        changes[id(node)] = Node(
            "Attention",
            (found.query, key, node.inputs[1], found.bias),
            node.outputs,
            {"scale": found.scale},
            node.name,
            "",
            sources((*found.parts, softmax, node)),
            node.scope,
        )
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.extend(before.get(id(node), ()))
        nodes.append(node)
    merged = {**graph.values, **values}
    return replaced(replace(graph, nodes=tuple(nodes), values=merged), changes)


def _scores(view: View, softmax: Node) -> _Scores | None:
    """Walks up from the softmax: a bias, scales, the product."""
    name, bias, scale = softmax.inputs[0], "", 1.0
    parts: list[Node] = []
    taker = softmax
    while True:
        node = view.made_by(name, "Add", "Mul", "Div", "MatMul")
        if node is None or not view.only_for(name, taker):
            return None
        parts.append(node)
        if node.op == "MatMul":
            break
        pair = view.with_number(node)
        if node.op == "Add":
            if bias or pair is not None or scale != 1.0:
                return None
            product = next((n for n in node.inputs if _leads_to_product(view, n)), None)
            if product is None:
                return None
            bias = next(n for n in node.inputs if n != product)
            name = product
        elif pair is None or (node.op == "Div" and (node.inputs[0] != pair[0] or pair[1] == 0)):
            return None
        else:
            scale *= pair[1] if node.op == "Mul" else 1 / pair[1]
            name = pair[0]
        taker = node
    query, factor_q = _unscaled(view, node.inputs[0], node)
    key, factor_k = _unscaled(view, node.inputs[1], node)
    return _Scores(query, key, bias, scale * factor_q * factor_k, parts)


def _leads_to_product(view: View, name: str) -> bool:
    for _ in range(3):
        node = view.made_by(name, "Mul", "Div", "MatMul")
        if node is None:
            return False
        if node.op == "MatMul":
            return True
        pair = view.with_number(node)
        if pair is None:
            return False
        name = pair[0]
    return False


def _unscaled(view: View, name: str, taker: Node) -> tuple[str, float]:
    """The value before a multiplication with one number, and the number."""
    node = view.made_by(name, "Mul", "Div")
    pair = view.with_number(node) if node is not None else None
    if node is None or pair is None or not view.only_for(name, taker):
        return name, 1.0
    if node.op == "Mul":
        return pair[0], pair[1]
    return (pair[0], 1 / pair[1]) if node.inputs[0] == pair[0] and pair[1] else (name, 1.0)


def _fits(view: View, found: _Scores, end: Node) -> bool:
    """Whether the three values are tensors of the same batch and heads, the bias of four axes."""
    graph = view.graph
    names = (found.query, found.key, end.inputs[1])
    if any(name in graph.constants or graph.values[name].rank != 4 for name in names):
        return False
    query, key, value = (graph.values[name].shape for name in names)
    if query[:2] != key[:2] or query[:2] != value[:2]:
        return False
    if not found.bias:
        return True
    if found.bias in graph.constants:
        bias = graph.constants[found.bias].value.shape
    else:
        bias = graph.values[found.bias].shape
    full = (query[0], query[1], query[2], key[3])
    return len(bias) == 4 and all(b in (1, f) for b, f in zip(bias, full, strict=True))


def _untransposed(view: View, name: str) -> tuple[str, Node | None]:
    """The key as (batch, heads, tokens, depth), by a transpose that costs nothing."""
    made = view.made_by(name, "Transpose")
    if made is not None and made.attributes["perm"] == _SWAP:
        return made.inputs[0], None
    new = f"{name}/key"
    return new, Node("Transpose", (name,), (new,), {"perm": _SWAP}, f"{name}_key")
