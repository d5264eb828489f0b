"""A graph with variables and function calls → a flat graph whose weights are inputs.

    VarHandleOp "conv1/kernel" ─▶ StatefulPartitionedCall(…) ─▶ ReadVariableOp ─▶ Conv2D
    becomes    Placeholder "conv1/kernel" ─▶ Conv2D

Weights as inputs rather than constants: nothing can then be folded into anything else, so a
BatchNorm stays one, and each weight keeps its name.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ReadError, UnsupportedError
from converters.tf_to_keras.graphs.source.variables import VARIABLES, Variable

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

_READS = ("ReadVariableOp", "DisableCopyOnRead")
_PASSING = ("Identity", "Enter")
_CALLS = (
    "StatefulPartitionedCall",
    "PartitionedCall",
    "While",
    "If",
    "StatelessWhile",
    "StatelessIf",
)


@dataclass(frozen=True)
class Frozen:
    """A flat graph; `weights` maps its placeholders of weights to what they hold."""

    graph: "GraphDef"
    inputs: Mapping[str, str]  # name for the caller → tensor, "x:0"
    outputs: Mapping[str, str]
    weights: Mapping[str, Variable]


def freeze(
    graph: "GraphDef",
    inputs: Mapping[str, str],
    outputs: Mapping[str, str],
    variables: Mapping[str, Variable],
) -> Frozen:
    """The part of the graph between inputs and outputs, functions inlined, weights as inputs."""
    flat = inline(graph, list(inputs.values()), list(outputs.values()))
    nodes = {node.name: node for node in flat.node}
    weights: dict[str, Variable] = {}
    for node in flat.node:
        if node.op in VARIABLES:
            variable = variables.get(node.name)
            if variable is None:
                raise ReadError(
                    f"Expected a value for every variable, got none for '{node.name}' in the "
                    "checkpoint. Save the model again, or copy the whole folder."
                )
            weights[node.name] = variable
    _read_directly(flat, nodes, weights)
    return Frozen(flat, inputs, outputs, weights)


def inline(graph: "GraphDef", inputs: Sequence[str], outputs: Sequence[str]) -> "GraphDef":
    """The graph with its calls replaced by what they call, and all else that is not needed gone."""
    import tensorflow as tf
    from tensorflow.core.protobuf.config_pb2 import ConfigProto
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.rewriter_config_pb2 import RewriterConfig
    from tensorflow.python.grappler import tf_optimizer

    needed = needed_part(graph, outputs)
    if needed.library.function:
        for function in needed.library.function:
            # Alternative versions of an LSTM for other devices would be swapped in.
            function.attr.pop("api_implements", None)
            for node in function.node_def:
                node.attr.pop("_lower_using_switch_merge", None)
        for node in needed.node:
            node.attr.pop("_lower_using_switch_merge", None)
        config = ConfigProto()
        config.graph_options.rewrite_options.min_graph_nodes = -1
        config.graph_options.rewrite_options.optimizers.append("function")
        config.graph_options.rewrite_options.function_optimization = RewriterConfig.AGGRESSIVE
        meta = MetaGraphDef(graph_def=needed)
        fetches = meta.collection_def["train_op"].node_list.value
        fetches.extend([*inputs, *outputs])
        try:
            needed = needed_part(tf_optimizer.OptimizeGraph(config, meta), outputs)
        except (tf.errors.OpError, ValueError) as err:
            raise ReadError(f"Expected a graph that TensorFlow can read, got: {err}.") from err
    return needed


def needed_part(graph: "GraphDef", outputs: Sequence[str]) -> "GraphDef":
    """The nodes that outputs depend on, without order among effects: there are none left."""
    from tensorflow.core.framework.graph_pb2 import GraphDef

    nodes = {node.name: node for node in graph.node}
    waiting, seen = [name.split(":")[0] for name in outputs], set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        if name not in nodes:
            raise ReadError(f"Expected a node '{name}', got none of that name in the graph.")
        seen.add(name)
        waiting += [entry.split(":")[0] for entry in nodes[name].input if entry[:1] != "^"]
    part = GraphDef()
    part.versions.CopyFrom(graph.versions)
    part.library.CopyFrom(graph.library)
    for node in graph.node:
        if node.name in seen:
            kept = part.node.add()
            kept.CopyFrom(node)
            data = [entry for entry in node.input if entry[:1] != "^"]
            del kept.input[:]
            kept.input.extend(data)
    if not any(node.op in _CALLS or "f" in node.attr for node in part.node):
        part.ClearField("library")
    return part


def _read_directly(
    graph: "GraphDef", nodes: Mapping[str, "NodeDef"], weights: Mapping[str, Variable]
) -> None:
    """Variables become placeholders, and what reads them passes them on."""
    handles = set(weights)
    for node in graph.node:  # handles that go through an Identity are handles still
        if node.op in _PASSING and node.input and origin(node.name, nodes) in handles:
            if node.attr["T"].type == _resource():
                node.op = "Identity"
                node.attr["T"].type = _type_number(weights[origin(node.name, nodes)].value)
        elif node.op in _READS and origin(node.name, nodes) in handles:
            kind = _type_number(weights[origin(node.name, nodes)].value)
            node.op = "Identity"
            _only(node, T=kind)
        elif node.op in _CALLS:
            _refuse_handles(node, nodes, handles)
    _gather_directly(graph, nodes, handles)
    for name, variable in weights.items():
        node = nodes[name]
        node.op = "Placeholder"
        del node.input[:]
        _only(node, dtype=_type_number(variable.value))
        for size in variable.value.shape:
            node.attr["shape"].shape.dim.add(size=size)
        node.attr["shape"].shape.SetInParent()


def _refuse_handles(
    node: "NodeDef", nodes: Mapping[str, "NodeDef"], handles: Collection[str]
) -> None:
    for entry in node.input:
        name = entry.split(":")[0]
        while name in nodes and nodes[name].op in _PASSING:
            name = nodes[name].input[0].split(":")[0]
        if name in handles:
            raise UnsupportedError(
                f"Expected weights that are read outside of loops, got '{plain_step(node.name)}', "
                f"a {node.op} whose body reads '{name}' (a recurrent layer, as Keras 3 exports "
                "it). Convert the model's .keras or .h5 file, or export it with unroll=True.",
                {node.op: [node.name]},
            )


def _gather_directly(
    graph: "GraphDef", nodes: Mapping[str, "NodeDef"], handles: Collection[str]
) -> None:
    """Rows that are looked up in a variable are looked up in the weight (an embedding)."""
    from tensorflow.core.framework.types_pb2 import DT_INT32

    lookups = [node for node in graph.node if node.op == "ResourceGather"]
    for node in lookups:
        if origin(node.input[0].split(":")[0], nodes) not in handles or node.attr["batch_dims"].i:
            continue
        axis = graph.node.add(name=f"{node.name}/axis", op="Const")
        axis.attr["dtype"].type = DT_INT32
        axis.attr["value"].tensor.dtype = DT_INT32
        axis.attr["value"].tensor.tensor_shape.SetInParent()
        axis.attr["value"].tensor.int_val.append(0)
        types = {"Tparams": node.attr["dtype"].type, "Tindices": node.attr["Tindices"].type}
        node.op = "GatherV2"
        node.input.append(axis.name)
        _only(node, Taxis=DT_INT32, **types)


def origin(name: str, nodes: Mapping[str, "NodeDef"]) -> str:
    """The node whose value this one passes on."""
    for _ in range(64):
        node = nodes.get(name)
        if node is None or node.op not in (*_PASSING, *_READS) or not node.input:
            return name
        name = node.input[0].split(":")[0]
    return name


def _only(node: "NodeDef", **types: int) -> None:
    node.attr.clear()
    for key, number in types.items():
        node.attr[key].type = number


def _resource() -> int:
    from tensorflow.core.framework.types_pb2 import DT_RESOURCE

    return int(DT_RESOURCE)


def _type_number(array: np.ndarray) -> int:
    import tensorflow as tf

    return int(tf.as_dtype(array.dtype).as_datatype_enum)


def plain_step(name: str) -> str:
    """A node's name without the calls that it was inlined from."""
    steps = [
        step
        for step in name.split("/")
        if not re.fullmatch(r"(Stateful)?PartitionedCall(_\d+)?", step)
    ]
    return "/".join(steps) or name
