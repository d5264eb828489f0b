"""A SavedModel folder → ONNX: its signature's graph, the values from its checkpoint."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from converters.errors import ConversionError, ReadError, UnsupportedError
from converters.tf_to_keras.graphs.freeze import Frozen, freeze
from converters.tf_to_keras.graphs.onnx_model import to_onnx
from converters.tf_to_keras.graphs.source.read import read_saved_model
from converters.tf_to_keras.graphs.source.variables import read_variables

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef, SignatureDef

_FIRST = ("serving_default", "serve", "predict", "default")


def saved_model_to_onnx(
    folder: str | Path,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    allow_ops: Collection[str] = (),
) -> onnx.ModelProto:
    """ONNX network of a SavedModel's serving signature; nothing of the folder is run.

    Example::

        proto = saved_model_to_onnx("flowers/1")
    """
    frozen = frozen_saved_model(folder, input_shapes=input_shapes, allow_ops=allow_ops)
    return to_onnx(frozen, Path(folder).name)


def frozen_saved_model(
    folder: str | Path,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    allow_ops: Collection[str] = (),
) -> Frozen:
    """The flat graph of the serving signature with its weights beside it."""
    graph = read_saved_model(folder, allow_ops)
    signature = _signature(graph, str(folder))
    inputs = {name: info.name for name, info in sorted(signature.inputs.items())}
    outputs = {name: info.name for name, info in sorted(signature.outputs.items())}
    variables = read_variables(Path(folder), graph)
    set_shapes(graph.graph_def, inputs, input_shapes or {})
    return freeze(graph.graph_def, inputs, outputs, variables)


def _signature(graph: "MetaGraphDef", label: str) -> "SignatureDef":
    found = {
        name: signature
        for name, signature in graph.signature_def.items()
        if signature.inputs and signature.outputs and not name.startswith("__")
    }
    for name in _FIRST:
        if name in found:
            return found[name]
    if len(found) != 1:
        raise ReadError(
            f"Expected a signature 'serving_default', got {sorted(found)} in {label}. Save the "
            "model again with signatures={'serving_default': …}."
        )
    return next(iter(found.values()))


def set_shapes(
    graph: "GraphDef",
    inputs: Mapping[str, str],
    input_shapes: Mapping[str, Sequence[int | None]],
) -> None:
    """Writes given sizes into the graph's inputs, in place; checks that inputs hold numbers."""
    from tensorflow.core.framework import types_pb2

    nodes = {node.name: node for node in graph.node}
    names = {name: nodes.get(tensor.split(":")[0]) for name, tensor in inputs.items()}
    unknown = set(input_shapes) - set(names)
    if unknown:
        raise ConversionError(
            f"Expected names of inputs in input_shapes, got {sorted(unknown)}. The inputs are "
            f"{sorted(names)}."
        )
    for name, node in names.items():
        if node is None:
            raise ReadError(f"Expected an input '{name}' in the graph, got none. Export it again.")
        if node.attr["dtype"].type == types_pb2.DT_STRING:
            raise UnsupportedError(
                f"Expected inputs of numbers, got '{name}', which takes text or the bytes of a "
                "file. Export the network once more without its decoding."
            )
        given = input_shapes.get(name)
        if given is None:
            continue
        shape = node.attr["shape"].shape
        shape.Clear()
        for size in given:
            shape.dim.add(size=-1 if size in (None, -1) else int(size or 0))
        node.attr.pop("_output_shapes", None)
