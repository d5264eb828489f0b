"""A SavedModel that Keras 2 wrote → Keras 3 layer by layer, from its config and its checkpoint.

    keras_metadata.pb ─▶ config            object graph ─▶ layer → variables, in Keras' order
The functions in the folder are not needed, so whatever they do is not run.
"""

import logging
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.doors.json_text import read_json
from converters.errors import ConversionError, ReadError
from converters.tf_to_keras.graphs.source.read import read_bytes, read_saved_model
from converters.tf_to_keras.graphs.source.variables import Variable, read_variables

if TYPE_CHECKING:
    import keras
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef

    from converters.tf_to_keras.found import Found

METADATA = "keras_metadata.pb"
_LOG = logging.getLogger(__name__)
_NETWORKS = ("_tf_keras_network", "_tf_keras_sequential", "_tf_keras_model")


def load_layers(
    folder: Path, name: str | None = None, allow_ops: Collection[str] = ()
) -> "tuple[keras.Model, Found] | None":
    """The model and what was found beside it; None where the folder does not say its layers."""
    from converters.tf_to_keras.found import Found
    from converters.tf_to_keras.keras2 import one_message, source_names
    from converters.tf_to_keras.keras2.build import build
    from converters.tf_to_keras.keras2.parse import parse
    from converters.tf_to_keras.keras2.weights import place_by_group

    if not (folder / METADATA).is_file():
        return None
    graph = read_saved_model(folder, allow_ops)
    try:
        with one_message(folder.name):
            config, layers = _config(folder)
            groups = _groups(graph, layers, read_variables(folder, graph))
            network = parse(config)
            numbers = sum(array.size for stored in groups.values() for _, array in stored)
            model, warnings = build(network, numbers, name)
            place_by_group(network, groups, folder.name, "2")
    except ConversionError as err:
        # The graph has it all, if not as layers.
        _LOG.info("%s is converted from its graph: %s", folder.name, err)
        return None
    return model, Found(source_names=source_names(network), warnings=warnings)


def _config(folder: Path) -> tuple[dict[str, Any], dict[int, str]]:
    """The model's config, and the name of the layer at each node of the object graph."""
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped,unused-ignore]
    from tensorflow.python.keras.protobuf.saved_metadata_pb2 import SavedMetadata

    metadata = SavedMetadata()
    try:
        metadata.ParseFromString(read_bytes(folder / METADATA))
    except DecodeError as err:
        raise ReadError(f"Expected Keras metadata in '{folder / METADATA}', got: {err}.") from err
    root, layers = None, {}
    for node in metadata.nodes:
        said = read_json(node.metadata, METADATA)
        if not isinstance(said, dict):
            continue
        if node.node_path == "root" and node.identifier in _NETWORKS:
            root = said
        elif node.node_path.count(".") == 1 and "name" in said:
            layers[node.node_id] = str(said["name"])
    if root is None or not isinstance(root.get("config"), dict):
        raise ReadError("Expected the config of a network, got a model of the author's own class.")
    return {"class_name": root["class_name"], "config": root["config"]}, layers


def _groups(
    graph: "MetaGraphDef", layers: dict[int, str], variables: dict[str, Variable]
) -> dict[str, list[tuple[str, np.ndarray]]]:
    """Layer → its arrays: trainable ones first, each in the layer's own order."""
    values: dict[str, np.ndarray] = {}
    for variable in variables.values():
        if variable.name in values:
            raise ReadError(f"Expected one variable '{variable.name}', got several.")
        values[variable.name] = variable.value
    nodes = graph.object_graph_def.nodes
    groups = {}
    for number, name in layers.items():
        children = {child.local_name: child.node_id for child in nodes[number].children}
        if "variables" not in children:
            continue
        listed = sorted(nodes[children["variables"]].children, key=lambda c: int(c.local_name))
        found = [nodes[child.node_id].variable for child in listed]
        groups[name] = [(one.name, values[one.name]) for one in found if one.name in values]
        if len(groups[name]) != len(found):
            raise ReadError(f"Expected every variable of '{name}' in the checkpoint.")
    return groups
