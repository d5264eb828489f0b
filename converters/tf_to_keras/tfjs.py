"""TensorFlow.js layers models → Keras 3, among them what Teachable Machine exports.

model.json  modelTopology (Keras 2 config) + weightsManifest (names, shapes, quantisation)
*.bin       the arrays, one after the other, cut into shards
metadata.json, beside them: labels and picture size of a Teachable Machine export
"""

import math
from pathlib import Path
from typing import Any

import keras
import numpy as np

from converters.errors import ReadError, UnsafeFileError, UnsupportedError
from converters.tf_to_keras import keras_files
from converters.tf_to_keras.found import Found, Preprocessing
from converters.tf_to_keras.keras2 import one_message, source_names
from converters.tf_to_keras.keras2.build import build
from converters.tf_to_keras.keras2.parse import parse
from converters.tf_to_keras.keras2.weights import place_by_name

DTYPES = {
    "float32": "<f4",
    "float16": "<f2",
    "int32": "<i4",
    "uint8": "u1",
    "uint16": "<u2",
    "bool": "?",
}
# https://github.com/googlecreativelab/teachablemachine-community: pictures come as [-1, 1]
TEACHABLE_MACHINE = "@teachablemachine/image"


def tfjs_to_keras(path: str | Path, *, name: str | None = None) -> keras.Model:
    """A trainable Keras 3 model from a TensorFlow.js layers model: model.json or its folder.

    Weights quantised to 8 or 16 bits become the float32 that TensorFlow.js computes with. Raises
    ReadError for broken or missing shards, UnsupportedError for graph models and unknown layers.

    Example::

        model = tfjs_to_keras("my_model/model.json")
    """
    return load(path, name=name)[0]


def load(path: str | Path, *, name: str | None = None) -> tuple[keras.Model, Found]:
    """The model, and the labels and preprocessing found beside it."""
    path = Path(path)
    path = path / "model.json" if path.is_dir() else path
    with one_message(path.name):
        said = keras_files.read_json(_bytes(path), path.name)
        topology = said.get("modelTopology")
        if not isinstance(topology, dict):
            raise ReadError(
                f"Expected 'modelTopology' in {path.name}, got {sorted(said)[:5]}. "
                "Give the model.json of a TensorFlow.js layers model."
            )
        if said.get("format") == "graph-model" or "node" in topology:
            raise UnsupportedError(
                f"Expected a TensorFlow.js layers model, got a graph model in {path.name}, which "
                "was frozen for inference. Convert the SavedModel that it was made from."
            )
        network = parse(topology.get("model_config", topology))
        stored = read_weights(said.get("weightsManifest") or [], path.parent)
        model, warnings = build(network, sum(array.size for _, array in stored), name)
        place_by_name(network, stored, path.name)
        labels, preprocessing = _metadata(path.parent, model)
        return model, Found(labels, preprocessing, source_names(network), warnings)


def read_weights(manifest: list[dict[str, Any]], folder: Path) -> list[tuple[str, np.ndarray]]:
    """Name and array of every weight, dequantised; shards are read only within the folder."""
    found = []
    for group in manifest:
        data = b"".join(_bytes(_inside(folder, name)) for name in group["paths"])
        need = sum(_byte_count(weight) for weight in group["weights"])
        if need != len(data):
            raise ReadError(
                f"Expected {need} bytes in {', '.join(group['paths'][:3])}, got {len(data)}. "
                "Download all shards again."
            )
        start = 0
        for weight in group["weights"]:
            stop = start + _byte_count(weight)
            found.append((str(weight["name"]), _array(weight, data[start:stop])))
            start = stop
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise ReadError(
            f"Expected the file {path.name} of a TensorFlow.js model, got {err.strerror}. "
            "Keep model.json and all its shards in one folder."
        ) from err


def _inside(folder: Path, name: str) -> Path:
    """The shard's path; raises UnsafeFileError when it leads out of the model's folder."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()) or (path.exists() and not path.is_file()):
        raise UnsafeFileError(
            f"Expected shards beside model.json, got '{name}', which leads elsewhere. "
            "Put the shard into the folder and name it without a path."
        )
    return path


def _stored_dtype(weight: dict[str, Any]) -> np.dtype:
    quantised = weight.get("quantization") or {}
    dtype = quantised.get("dtype", weight["dtype"])
    if dtype not in DTYPES:
        raise ReadError(
            f"Expected weights of {', '.join(DTYPES)}, got {dtype!r} for '{weight['name']}'. "
            "Export the model again without it."
        )
    return np.dtype(DTYPES[dtype])


def _byte_count(weight: dict[str, Any]) -> int:
    shape = weight["shape"]
    if not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ReadError(
            f"Expected whole sizes, got {shape} for '{weight['name']}'. Export the model again."
        )
    return math.prod(shape) * _stored_dtype(weight).itemsize


def _array(weight: dict[str, Any], data: bytes) -> np.ndarray:
    array = np.frombuffer(data, _stored_dtype(weight)).reshape(weight["shape"])
    quantised = weight.get("quantization") or {}
    if "scale" in quantised:
        # in float32 and in this order, as TensorFlow.js does
        scale, low = np.float32(quantised["scale"]), np.float32(quantised["min"])
        array = array.astype(np.float32) * scale + low
    return array.astype(weight["dtype"])


def _metadata(folder: Path, model: keras.Model) -> tuple[tuple[str, ...], Preprocessing | None]:
    path = folder / "metadata.json"
    if not path.is_file():
        return (), None
    said = keras_files.read_json(_bytes(path), path.name)
    labels = tuple(str(label) for label in said.get("labels") or ())
    if said.get("packageName") != TEACHABLE_MACHINE:
        return labels, None
    size = said.get("imageSize")
    channels = model.inputs[0].shape[-1]
    return labels, Preprocessing(
        scale=1 / 127.5,
        offset=-1.0,
        source=f"{path.name} of Teachable Machine {said.get('tmVersion', '')}".rstrip(),
        image_size_px=size if isinstance(size, int) else None,
        channels=channels if isinstance(channels, int) else None,
    )
