"""A Keras model to a ModelProto without its weights, and the weights to be written into it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.errors import ConversionError
from converters.exported import input_names, output_names
from converters.keras_to_onnx import layers, operations
from converters.keras_to_onnx.graph import Graph, Parameter
from converters.keras_to_onnx.value import Value, as_written, channels_first, straight
from converters.keras_to_onnx.walk import traced_model, walk
from converters.nested import graph_of

__all__ = ["assemble", "layers", "operations"]  # the last two register their writers

_PRODUCER = "converters"


def assemble(
    model: Any,
    *,
    opset: int,
    batch: int | None,
    first: bool,
    inputs: Sequence[np.ndarray] | None,
) -> tuple[Any, list[Parameter], dict[str, list[str]]]:
    """The model's nodes, its weights, and the layers that could not be written."""
    function = graph_of(model)
    if function is None:
        if inputs is None:
            raise ConversionError(
                f"Expected a Functional or Sequential model, came '{model.name}', whose layers "
                "are called from code. Give inputs=, an example for each input."
            )
        function = traced_model(model, inputs)
    g = Graph(opset)
    names_in, names_out = input_names(function), output_names(function)
    fed = []
    for name, tensor in zip(names_in, function.inputs, strict=True):
        rank = len(tensor.shape)
        order = channels_first(rank) if first and rank > 3 else straight(rank)
        name = g.reserve(name)
        fed.append(Value(name, tuple(tensor.shape), as_written(str(tensor.dtype)), order))
    names_out = [g.reserve(name) for name in names_out]
    made = walk(g, function, fed)
    with g.scoped("outputs"):
        made = [
            g.cast(g.plain(value), as_written(str(tensor.dtype)))
            for value, tensor in zip(made, function.outputs, strict=True)
        ]
    _name_outputs(g, made, names_out)
    nodes = _needed(g.nodes, names_out)
    used = {name for node in nodes for name in node.input}
    parameters = [parameter for parameter in g.parameters if parameter.name in used]
    proto = _proto(g, nodes, fed, made, names_out, batch)
    if not g.unwritten:
        _check(proto, parameters)
    return proto, parameters, g.unwritten


def _name_outputs(g: Graph, made: list[Value], names: list[str]) -> None:
    """The outputs under their names; a node is added only for an input or a shared one."""
    from onnx import helper

    producers = {name for node in g.nodes for name in node.output}
    renamed: dict[str, str] = {}
    for value, name in zip(made, names, strict=True):
        if value.name in producers and value.name not in renamed:
            renamed[value.name] = name
        else:
            source = renamed.get(value.name, value.name)
            g.nodes.append(helper.make_node("Identity", [source], [name], name=f"{name}/Identity"))
    for node in g.nodes:
        for names_of in (node.input, node.output):
            for place, name in enumerate(names_of):
                names_of[place] = renamed.get(name, name)


def _needed(nodes: Sequence[Any], outputs: Sequence[str]) -> list[Any]:
    """The nodes that an output depends on."""
    wanted, kept = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _proto(
    g: Graph,
    nodes: Sequence[Any],
    fed: Sequence[Value],
    made: Sequence[Value],
    names: Sequence[str],
    batch: int | None,
) -> Any:
    from onnx import helper

    graph = helper.make_graph(
        nodes,
        "keras",
        [_declared(value.name, value, batch) for value in fed],
        [_declared(name, value, batch) for name, value in zip(names, made, strict=True)],
    )
    opset = helper.make_opsetid("", g.opset)
    return helper.make_model(
        graph,
        producer_name=_PRODUCER,
        opset_imports=[opset],
        ir_version=helper.find_min_ir_version_for([opset]),
    )


def _declared(name: str, value: Value, batch: int | None) -> Any:
    from onnx import helper

    sizes: list[int | str] = []
    for place, size in enumerate(value.stored_shape):
        if size is not None:
            sizes.append(size)
        elif place == 0:
            sizes.append("batch" if batch is None else batch)
        else:
            sizes.append(f"{name}_{place}")
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(value.dtype))
    return helper.make_tensor_value_info(name, kind, sizes)


def _check(proto: Any, parameters: Sequence[Parameter]) -> None:
    """onnx's own checker on the graph, the weights declared as inputs: they stay unread."""
    from onnx import checker, helper

    whole = type(proto)()
    whole.CopyFrom(proto)
    for parameter in parameters:
        kind = helper.np_dtype_to_tensor_dtype(parameter.dtype)
        whole.graph.input.append(
            helper.make_tensor_value_info(parameter.name, kind, parameter.shape)
        )
    checker.check_model(whole)
