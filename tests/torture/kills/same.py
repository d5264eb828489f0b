"""What a piece of work has left, in a form in which two runs of it are equal or not.

Arrays are compared bit by bit. Left out is only what says when and where: dates, seconds, and the
folder of the work.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np

from tests.torture.kills.whole import finished

_WHEN = (
    *("created", "date", "cost", "seconds", "sha256", "README.md"),
    "shared_object_id",  # of Keras: where the object lay in memory
)
"""Entries of JSON files that tell the time of the work, or repeat what is compared elsewhere."""
_NOT_COMPARED = ("README.md", "fingerprint.pb", "saved_model.pb", "variables.index")
"""The card has the date; TensorFlow numbers its nodes anew in each process."""


def results(out: Path) -> dict[str, str]:
    """A digest of every finished file below a folder, by its path there."""
    return {
        str(path.relative_to(out)): _digest(path, out)
        for path in finished(out)
        if path.name not in _NOT_COMPARED
    }


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Names of the files that only one has, or that differ."""
    return [
        name if name in expected and name in found else f"{name} is in one only"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]


def _digest(path: Path, out: Path) -> str:
    if path.name.startswith("variables.data"):
        return _variables(path)
    parts = _PARTS.get(path.suffix, _bytes)(path)
    where = str(out.parent).encode()
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.replace(where, b"PLACE"))
    return digest.hexdigest()


def _bytes(path: Path) -> list[bytes]:
    return [path.read_bytes()]


def _json(path: Path) -> list[bytes]:
    return [_plain(path.read_bytes())]


def _plain(content: bytes) -> bytes:
    return json.dumps(_timeless(json.loads(content)), sort_keys=True).encode()


def _timeless(content: object) -> object:
    if isinstance(content, dict):
        return {key: _timeless(value) for key, value in content.items() if key not in _WHEN}
    if isinstance(content, list):
        # Told only by a start that embeds pictures, with how fast that was.
        told = [entry for entry in content if not str(entry).startswith("embeddings by ")]
        return [_timeless(entry) for entry in told]
    return content


def _keras(path: Path) -> list[bytes]:
    """The configuration, and each array with its name; not the dates in the zip."""
    with zipfile.ZipFile(path) as archive:
        weights = io.BytesIO(archive.read("model.weights.h5"))
        return [_plain(archive.read("config.json")), *_hdf5(weights)]


def _hdf5(source: io.BytesIO | Path) -> list[bytes]:
    parts: list[bytes] = []

    def visit(name: str, node: h5py.Group | h5py.Dataset) -> None:
        if isinstance(node, h5py.Dataset):
            array = np.asarray(node[()])
            parts.append(f"{name} {array.dtype} {array.shape}".encode())
            parts.append(array.tobytes())

    with h5py.File(source, "r") as file:
        file.visititems(visit)
    return parts


def _onnx(path: Path) -> list[bytes]:
    """Operators, numbers and connections; names inside the graph only by where they come first.

    Keras numbers layers without a name by how many this process had before.
    """
    import onnx

    model = onnx.load(path)
    outside = [one.name for one in (*model.graph.input, *model.graph.output)]
    names = {name: name for name in ("", *outside, *(w.name for w in model.graph.initializer))}
    parts = [weight.SerializeToString() for weight in model.graph.initializer]
    for node in model.graph.node:
        ends = [names.setdefault(name, str(len(names))) for name in (*node.input, *node.output)]
        attributes = [one.SerializeToString() for one in node.attribute]
        parts += [f"{node.op_type} {ends}".encode(), *attributes]
    return [*parts, repr((outside, model.metadata_props)).encode()]


def _arrays(path: Path) -> list[bytes]:
    with np.load(path, allow_pickle=False) as file:
        return [name.encode() + file[name].tobytes() for name in sorted(file.files)]


def _variables(path: Path) -> str:
    """The numbers of a SavedModel, sorted: which of them comes first differs by process."""
    import tensorflow as tf

    folder = str(path.with_name("variables"))
    reader = tf.train.load_checkpoint(folder)
    shapes = reader.get_variable_to_shape_map()
    digests = sorted(
        hashlib.sha256(np.asarray(reader.get_tensor(name)).tobytes()).hexdigest()
        for name in shapes
        if not name.startswith("_CHECKPOINTABLE")
    )
    return hashlib.sha256("".join(digests).encode()).hexdigest()


_PARTS: dict[str, Callable[[Path], list[bytes]]] = {
    ".json": _json,
    ".keras": _keras,
    ".onnx": _onnx,
    ".h5": _hdf5,
    ".npz": _arrays,
}
