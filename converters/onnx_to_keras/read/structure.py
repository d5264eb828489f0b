"""Nodes, names and edges: each value made once, before it is used, by a node that ONNX knows.

Unknown operators are left in: they are told all together later, with what can be done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from converters.errors import ReadError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.sanity import odd_numbers
from converters.onnx_to_keras.read.walk import graphs, subgraphs

if TYPE_CHECKING:
    import onnx

_DEFAULT_DOMAINS = ("", "ai.onnx")
_SHOWN = 8

_Made = dict[str, int]


def check_versions(model: onnx.ModelProto) -> None:
    """Nothing when this onnx package knows the model's versions, else ReadError."""
    import onnx

    newest = onnx.defs.onnx_opset_version()
    opsets: dict[str, int] = {}
    for entry in model.opset_import:
        domain = "" if entry.domain in _DEFAULT_DOMAINS else str(entry.domain)
        if opsets.setdefault(domain, entry.version) != entry.version:
            raise ReadError(
                f"Expected one opset for the domain '{domain}', got {opsets[domain]} and "
                f"{entry.version}. The file is damaged: export it again."
            )
    if not model.HasField("graph") or not opsets:
        raise ReadError(
            "Expected an ONNX model, got a file without a graph or opset. It is something else, "
            "or cut short: download or export it again."
        )
    if not 3 <= model.ir_version <= onnx.IR_VERSION or not 1 <= opsets.get("", 1) <= newest:
        raise ReadError(
            f"Expected ONNX format 3 to {onnx.IR_VERSION} and opset 1 to {newest}, got format "
            f"{model.ir_version} and opset {opsets.get('', 'none')}. Install a newer onnx "
            "package, or export with an older opset."
        )


def check_size(model: onnx.ModelProto) -> None:
    """Nothing when counts and names are within the limits, else ReadError."""
    nodes = 0
    for graph, _ in graphs(model):
        nodes += len(graph.node)
        if nodes > limits.NODES:
            raise ReadError(
                f"Expected at most {limits.NODES} nodes, got more. Export a part of the network."
            )
        for text in _texts(graph):
            if not isinstance(text, str) or len(text) > limits.NAME_CHARACTERS:
                raise ReadError(
                    f"Expected names of at most {limits.NAME_CHARACTERS} characters of text, got "
                    f"{text[:40]!r}. The file is damaged: export it again."
                )
        for node in graph.node:
            _check_lists(node)


def _texts(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[str | bytes]:
    yield graph.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)
    if not hasattr(graph, "initializer"):
        yield from (*graph.input, *graph.output, *graph.attribute)
        return
    yield from (tensor.name for tensor in graph.initializer)
    yield from (tensor.values.name for tensor in graph.sparse_initializer)
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        if value.type.HasField("tensor_type"):
            yield from (dim.dim_param for dim in value.type.tensor_type.shape.dim)


def _check_lists(node: onnx.NodeProto) -> None:
    for attribute in node.attribute:
        longest = max(
            len(attribute.floats), len(attribute.ints), len(attribute.strings), len(attribute.s)
        )
        if longest > limits.ATTRIBUTE_VALUES:
            raise ReadError(
                f"Expected lists of at most {limits.ATTRIBUTE_VALUES} values, got {longest} in "
                f"attribute '{attribute.name}' of {node.op_type} '{node.name}'. Store it as an "
                "initializer."
            )


def check_nodes(model: onnx.ModelProto) -> None:
    """Nothing when each node of a known operator fits its definition, else ReadError."""
    from onnx import defs

    versions = {_domain(entry.domain): entry.version for entry in model.opset_import}
    wrong: list[str] = []
    for graph, _ in graphs(model):
        for node in graph.node:
            version = versions.get(_domain(node.domain))
            if version is None or not defs.has(node.op_type, version, _domain(node.domain)):
                continue
            schema = defs.get_schema(node.op_type, version, _domain(node.domain))
            found = (*_misfits(node, schema), *odd_numbers(node))
            wrong += [f"{node.op_type} '{node.name}': {what}" for what in found]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise ReadError(
            f"Expected nodes as ONNX defines them, got {'; '.join(wrong[:_SHOWN])}{more}. The "
            "file is damaged or its exporter has a fault: export the network again."
        )


def _domain(name: str) -> str:
    return "" if name in _DEFAULT_DOMAINS else name


def _misfits(node: onnx.NodeProto, schema: onnx.defs.OpSchema) -> Iterator[str]:
    if not schema.min_input <= len(node.input) <= schema.max_input:
        yield f"{len(node.input)} inputs, not {schema.min_input} to {schema.max_input}"
    if not schema.min_output <= len(node.output) <= schema.max_output:
        yield f"{len(node.output)} outputs, not {schema.min_output} to {schema.max_output}"
    for position, formal in enumerate(schema.inputs[: schema.min_input]):
        single = formal.option == type(formal.option).Single
        if single and position < len(node.input) and not node.input[position]:
            yield f"input '{formal.name}' is left out"
    seen: set[str] = set()
    for attribute in node.attribute:
        known = schema.attributes.get(attribute.name)
        if attribute.name in seen:
            yield f"attribute '{attribute.name}' twice"
        elif known is None:
            yield f"unknown attribute '{attribute.name}'"
        elif attribute.ref_attr_name:
            yield f"attribute '{attribute.name}' refers to a function's"
        elif attribute.type != known.type.value:  # type: ignore[attr-defined]
            yield f"attribute '{attribute.name}' is of another kind"
        seen.add(attribute.name)
    for name, known in schema.attributes.items():
        if known.required and name not in seen:
            yield f"attribute '{name}' is missing"


def sorted_nodes(model: onnx.ModelProto) -> list[tuple[onnx.GraphProto, list[int]]]:
    """For each graph whose nodes are not in order, the order in which they can be computed.

    Raises:
        ReadError: a value that is made twice, used but never made, or needs itself.
    """
    unsorted = []
    waiting: list[tuple[onnx.GraphProto, tuple[_Made, ...]]] = [(model.graph, ())]
    while waiting:
        graph, outer = waiting.pop()
        made = _made(graph)
        scopes = (*outer, made)
        _check_outputs(graph, made)
        uses = [_uses(node) for node in graph.node]
        used = set().union(*uses)
        missing = sorted(name for name in used if not any(name in scope for scope in scopes))
        if missing:
            raise ReadError(
                f"Expected each value to be an input, a weight or a node's output, got "
                f"{_listed(missing)}, made by none. The file is damaged: export it again."
            )
        order = _order(graph, uses, made)
        if order != list(range(len(order))):
            unsorted.append((graph, order))
        for node in graph.node:
            waiting += [(inner, scopes) for inner in subgraphs(node)]
    return unsorted


def _made(graph: onnx.GraphProto) -> _Made:
    """Name of each value of the graph → position of its node, -1 for inputs and weights."""
    given = [value.name for value in graph.input]
    weights = [tensor.name for tensor in graph.initializer]
    weights += [sparse.values.name for sparse in graph.sparse_initializer]
    twice = _repeated(given) + _repeated(weights)
    made = dict.fromkeys(given + weights, -1)  # an input with a default value is in both
    for position, node in enumerate(graph.node):
        for name in node.output:
            if name and name in made:
                twice.append(name)
            if name:
                made[name] = position
    if twice or "" in made:
        raise ReadError(
            f"Expected each value to be made once and to have a name, got "
            f"{_listed(twice or ['an empty name'])} more than once. The file is damaged: export "
            "it again."
        )
    return made


def _repeated(names: Sequence[str]) -> list[str]:
    seen: set[str] = set()
    return [name for name in names if name in seen or seen.add(name)]  # type: ignore[func-returns-value]


def _check_outputs(graph: onnx.GraphProto, made: _Made) -> None:
    missing = [value.name for value in graph.output if value.name not in made]
    if missing or not graph.output:
        raise ReadError(
            f"Expected the graph '{graph.name}' to make its outputs, got "
            f"{_listed(missing) if missing else 'a graph without outputs'}. The file is damaged "
            "or cut short: export it again."
        )


def _uses(node: onnx.NodeProto) -> set[str]:
    """Names that a node takes, also those that its subgraphs take from around them."""
    names = {name for name in node.input if name}
    waiting: list[tuple[onnx.GraphProto, tuple[_Made, ...]]]
    waiting = [(inner, ()) for inner in subgraphs(node)]
    while waiting:
        graph, outer = waiting.pop()
        scopes = (*outer, _made(graph))
        for inner_node in graph.node:
            taken = (name for name in inner_node.input if name)
            names.update(name for name in taken if not any(name in scope for scope in scopes))
            waiting += [(inner, scopes) for inner in subgraphs(inner_node)]
    return names


def _order(graph: onnx.GraphProto, uses: Sequence[set[str]], made: _Made) -> list[int]:
    """Positions of the nodes so that each comes after what it needs; the file's own if it can."""
    needs = [{made[name] for name in names if made.get(name, -1) >= 0} for names in uses]
    if all(max(need, default=-1) < position for position, need in enumerate(needs)):
        return list(range(len(needs)))
    followers: list[list[int]] = [[] for _ in needs]
    for position, need in enumerate(needs):
        for source in need:
            followers[source].append(position)
    left = [len(need) for need in needs]
    order = [position for position, count in enumerate(left) if count == 0]
    for position in order:  # grows while it is walked
        for follower in followers[position]:
            left[follower] -= 1
            if left[follower] == 0:
                order.append(follower)
    if len(order) < len(needs):
        ring = [graph.node[position] for position, count in enumerate(left) if count]
        names = [node.name or (node.output[0] if node.output else node.op_type) for node in ring]
        raise ReadError(
            f"Expected a graph without cycles, got {_listed(names)}, which need one another. The "
            "file is damaged: export it again."
        )
    return order


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(f"'{name[:80]}'" for name in names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
