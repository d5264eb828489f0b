"""The values of a SavedModel's variables, read from its checkpoint without running its graph.

restore node ─▶ function: RestoreV2(tensor_names)[k] ─▶ AssignVariableOp(argument j)
so variable j of the restore node has the value that the checkpoint keeps under name k
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from converters.errors import ReadError, UnsupportedError

if TYPE_CHECKING:
    from tensorflow.core.framework.node_def_pb2 import NodeDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"


@dataclass(frozen=True)
class Variable:
    """One variable: its name in the program that made it, and its value."""

    name: str
    value: np.ndarray
    trainable: bool = True


class Checkpoint(Protocol):
    """What tf.train.load_checkpoint gives."""

    def get_tensor(self, name: str) -> np.ndarray | bytes:
        """The value under a key."""

    def get_variable_to_shape_map(self) -> Mapping[str, Sequence[int]]:
        """Key → shape."""

    def get_variable_to_dtype_map(self) -> Mapping[str, object]:
        """Key → TensorFlow's type."""


def read_variables(folder: Path, graph: "MetaGraphDef") -> dict[str, Variable]:
    """Name of each variable's node in the graph → its Variable."""
    nodes = [node for node in graph.graph_def.node if node.op in VARIABLES]
    if not nodes:
        return {}
    checkpoint = _open(folder)
    keys = dict(_restored(graph))
    names = _full_names(checkpoint)
    frozen = _frozen_names(graph)
    known = checkpoint.get_variable_to_shape_map()
    found = {}
    for node in nodes:
        key = keys.get(node.name)
        if key is None:
            shared = node.attr["shared_name"].s.decode(errors="replace")
            key = shared if shared in known else node.name
        if key in known:
            value = np.asarray(checkpoint.get_tensor(key))  # a scalar comes as a number
            if value.dtype.kind in "fiub":
                name = names.get(key, key)
                found[node.name] = Variable(name, value, name not in frozen)
    return found


def _open(folder: Path) -> Checkpoint:
    import tensorflow as tf

    prefix = folder / "variables" / "variables"
    files = list(prefix.parent.glob("variables.data-*")) if prefix.parent.is_dir() else []
    try:
        checkpoint: Checkpoint = tf.train.load_checkpoint(str(prefix))
        shapes, types = (
            checkpoint.get_variable_to_shape_map(),
            checkpoint.get_variable_to_dtype_map(),
        )
    except (tf.errors.OpError, ValueError, RuntimeError, UnicodeDecodeError) as err:
        raise ReadError(
            f"Expected the variables of the SavedModel at '{prefix}.index', got: "
            f"{str(err).splitlines()[0] if str(err) else err!r}. Copy the whole folder again."
        ) from err
    stored = sum(path.stat().st_size for path in files)
    claimed = sum(
        int(np.prod(shape, dtype=np.float64)) * getattr(types[name], "size", 1)
        for name, shape in shapes.items()
        if name != _OBJECTS
    )
    if claimed > stored:
        raise ReadError(
            f"Expected {claimed:,} bytes of variables beside '{prefix}.index', got {stored:,}. "
            "Copy the whole folder again."
        )
    return checkpoint


def _restored(graph: "MetaGraphDef") -> Iterator[tuple[str, str]]:
    """(variable's node, key in the checkpoint) for each one that the graph restores."""
    nodes = {node.name: node for node in graph.graph_def.node}
    restore = nodes.get(graph.saver_def.restore_op_name.split(":")[0])
    functions = {f.signature.name: f for f in graph.graph_def.library.function}
    called = restore.attr["f"].func.name if restore is not None else ""
    if restore is None or called not in functions:
        yield from _assigned(nodes)
        return
    function = functions[called]
    arguments = {
        argument.name: source.split(":")[0]
        for argument, source in zip(function.signature.input_arg, restore.input, strict=False)
    }
    for variable, key in _assigned({node.name: node for node in function.node_def}):
        if variable in arguments:
            yield arguments[variable], key


def _assigned(nodes: Mapping[str, "NodeDef"]) -> Iterator[tuple[str, str]]:
    for node in nodes.values():
        if node.op not in ("AssignVariableOp", "Assign") or len(node.input) < 2:
            continue
        source = node.input[1]
        for _ in range(4):  # Identity, Reshape or Cast stand between
            maker = nodes.get(source.split(":")[0])
            if maker is None or maker.op == "RestoreV2" or not maker.input:
                break
            source = maker.input[0]
        maker = nodes.get(source.split(":")[0])
        if maker is not None and maker.op == "RestoreV2" and len(maker.input) > 2:
            place = source.rsplit(":", 1)[-1] if ":" in source else "0"
            keys = _strings(nodes.get(maker.input[1].split(":")[0]))
            slices = _strings(nodes.get(maker.input[2].split(":")[0]))
            if place.isdigit() and int(place) < len(keys):
                if int(place) < len(slices) and slices[int(place)]:
                    raise UnsupportedError(
                        f"Expected whole variables, got a slice of '{keys[int(place)]}'. Save "
                        "the model again without partitioned variables."
                    )
                yield node.input[0].split(":")[0], keys[int(place)]


def _strings(node: "NodeDef | None") -> list[str]:
    from tensorflow.python.framework import tensor_util

    if node is None or node.op != "Const":
        return []
    values = tensor_util.MakeNdarray(node.attr["value"].tensor).ravel()
    return [value.decode(errors="replace") for value in values if isinstance(value, bytes)]


def _full_names(checkpoint: Checkpoint) -> dict[str, str]:
    """Key in the checkpoint → name of the variable, as the checkpoint's own table says."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    if _OBJECTS not in checkpoint.get_variable_to_shape_map():
        return {}
    objects = TrackableObjectGraph()
    try:
        raw = checkpoint.get_tensor(_OBJECTS)
        objects.ParseFromString(raw if isinstance(raw, bytes) else bytes(raw))
    except (DecodeError, TypeError) as err:
        raise ReadError(f"Expected a table of objects in the checkpoint, got: {err}.") from err
    return {
        entry.checkpoint_key: entry.full_name
        for node in objects.nodes
        for entry in node.attributes
        if entry.full_name
    }


def _frozen_names(graph: "MetaGraphDef") -> set[str]:
    """Names of the variables that training does not change (moving statistics, counters)."""
    nodes = graph.object_graph_def.nodes
    variables = [node.variable for node in nodes if node.WhichOneof("kind") == "variable"]
    if variables:
        return {variable.name for variable in variables if not variable.trainable}
    from tensorflow.core.framework.variable_pb2 import VariableDef

    names: dict[str, set[str]] = {"variables": set(), "trainable_variables": set()}
    for kind, found in names.items():
        for raw in graph.collection_def[kind].bytes_list.value:
            found.add(VariableDef.FromString(raw).variable_name.split(":")[0])
    return names["variables"] - names["trainable_variables"]
