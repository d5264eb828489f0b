"""A frozen graph (`.pb`: a GraphDef whose variables are constants) → ONNX."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from converters.errors import ReadError
from converters.tf_to_keras.graphs.freeze import Frozen, inline
from converters.tf_to_keras.graphs.onnx_model import to_onnx
from converters.tf_to_keras.graphs.saved_model import set_shapes
from converters.tf_to_keras.graphs.source.read import read_graph_def
from converters.tf_to_keras.graphs.source.variables import VARIABLES, Variable

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef

_NO_OUTPUT = {"Const", "Placeholder", "NoOp", "Assert", "PlaceholderWithDefault"}


def frozen_to_onnx(
    path: str | Path,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    allow_ops: Collection[str] = (),
) -> onnx.ModelProto:
    """ONNX network of a `.pb` graph: from its placeholders to the nodes that nobody takes.

    Example::

        proto = frozen_to_onnx("mobilenet_frozen.pb")
    """
    frozen = read_frozen(path, input_shapes=input_shapes, allow_ops=allow_ops)
    return to_onnx(frozen, Path(path).stem)


def read_frozen(
    path: str | Path,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    allow_ops: Collection[str] = (),
) -> Frozen:
    """The flat graph of a `.pb` file, its float constants taken out as weights."""
    graph = read_graph_def(path, allow_ops)
    if unfrozen := [node.name for node in graph.node if node.op in VARIABLES]:
        raise ReadError(
            f"Expected a graph whose variables are constants, got {len(unfrozen)} variables in "
            f"'{path}', '{unfrozen[0]}' among them. Freeze it, or give the SavedModel's folder."
        )
    outputs = _outputs(graph, str(path))
    flat = inline(graph, [], [f"{name}:0" for name in outputs])
    inputs = [node.name for node in flat.node if node.op == "Placeholder"]
    if not inputs:
        raise ReadError(f"Expected an input (a Placeholder), got none in '{path}'.")
    named = {name: f"{name}:0" for name in inputs}
    set_shapes(flat, named, input_shapes or {})
    weights = _take_weights(flat)
    return Frozen(flat, named, {name: f"{name}:0" for name in outputs}, weights)


def _outputs(graph: "GraphDef", label: str) -> list[str]:
    taken = {entry.lstrip("^").split(":")[0] for node in graph.node for entry in node.input}
    found = [
        node.name for node in graph.node if node.name not in taken and node.op not in _NO_OUTPUT
    ]
    if not found:
        raise ReadError(f"Expected an output, got a graph without one in {label}. Export it again.")
    return found


def _take_weights(graph: "GraphDef") -> dict[str, Variable]:
    """Float constants of rank 1 or more become placeholders that carry their values."""
    from tensorflow.core.framework import types_pb2
    from tensorflow.python.framework import tensor_util

    floats = {types_pb2.DT_FLOAT, types_pb2.DT_HALF, types_pb2.DT_DOUBLE, types_pb2.DT_BFLOAT16}
    weights = {}
    for node in graph.node:
        if node.op != "Const" or node.attr["dtype"].type not in floats:
            continue
        try:
            value = tensor_util.MakeNdarray(node.attr["value"].tensor)
        except (TypeError, ValueError) as err:
            raise ReadError(f"Expected numbers in the constant '{node.name}', got: {err}.") from err
        if value.ndim == 0 or value.size < 2:
            continue
        dtype = node.attr["dtype"].type
        weights[node.name] = Variable(node.name, value, not _is_statistic(node.name))
        node.op = "Placeholder"
        node.attr.clear()
        node.attr["dtype"].type = dtype
        for size in value.shape:
            node.attr["shape"].shape.dim.add(size=size)
    return weights


def _is_statistic(name: str) -> bool:
    return any(step.startswith(("moving_mean", "moving_var")) for step in name.split("/"))
