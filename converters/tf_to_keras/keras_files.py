"""Keras 2 files → config and weights: whole-model HDF5, zip archives, and HDF5 of weights alone."""

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from converters.doors import json_text
from converters.doors.archives import check_archive
from converters.errors import ReadError
from converters.tf_to_keras import h5

MAX_EXPANSION = 200
FREE_BYTES = 1 << 24
ZIP_WEIGHTS = "model.weights.h5"
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    RuntimeError,
    NotImplementedError,
    EOFError,
    ValueError,
)


@dataclass(frozen=True)
class KerasFile:
    """What one file holds; `groups` for HDF5 of Keras 2, `paths` for the zip archive.

    groups: layer name → its (weight name, array) pairs; paths: path in the model → array.
    """

    keras_version: str
    config: dict[str, Any] | None = None
    groups: dict[str, list[tuple[str, np.ndarray]]] = field(default_factory=dict)
    paths: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def numbers(self) -> int:
        """How many numbers are stored."""
        total = sum(array.size for stored in self.groups.values() for _, array in stored)
        return total + sum(array.size for array in self.paths.values())


def read_json(data: bytes | str, label: str) -> dict[str, Any]:
    """A JSON object; raises ReadError for anything else, or for one of absurd size or depth."""
    found = json_text.read_json(data, label)
    if not isinstance(found, dict):
        raise ReadError(
            f"Expected a JSON object in {label}, got {type(found).__name__}. Give a Keras file."
        )
    return found


def read_h5(path: Path) -> KerasFile:
    """Config, if there is one, and weights of an HDF5 file of Keras 1 or 2."""
    with h5.open_h5(path, path.name) as file:
        config = file.attrs.get("model_config")
        group = file.get("model_weights", file)
        if not isinstance(group, h5py.Group) or not _has_names(group):
            raise ReadError(
                f"Expected Keras weights with 'layer_names' in {path.name}, got groups "
                f"{sorted(file)[:5]}. Give a file that Keras 2 saved."
            )
        version = group.attrs.get("keras_version", file.attrs.get("keras_version", "1"))
        backend = h5.text(group.attrs.get("backend", "tensorflow"))
        if backend in ("theano", "cntk"):
            raise ReadError(
                f"Expected weights of the TensorFlow backend, got {backend}'s in {path.name}, "
                "whose convolutions are flipped. Save them again with the TensorFlow backend."
            )
        return KerasFile(
            h5.text(version),
            None if config is None else read_json(h5.text(config), path.name),
            {name: _weights(group, name) for name in h5.names(group, "layer_names")},
        )


def read_zip(path: Path) -> KerasFile:
    """Config and weights of a .keras archive."""
    with _opened(path) as archive:
        metadata = read_json(_member(archive, "metadata.json", path), path.name)
        config = read_json(_member(archive, "config.json", path), path.name)
        weights = _member(archive, ZIP_WEIGHTS, path)
    found: dict[str, np.ndarray] = {}
    with h5.open_h5(BytesIO(weights), f"{path.name}/{ZIP_WEIGHTS}") as file:

        def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
            if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub":
                found[name.replace("\\", "/")] = h5.array(file, name)

        file.visititems(visit)
    return KerasFile(str(metadata.get("keras_version", "2")), config, paths=found)


def version(path: Path, *, zipped: bool) -> str:
    """The Keras version that wrote a file; "weights" for HDF5 of Keras 3's weights alone."""
    if zipped:
        with _opened(path) as archive:
            metadata = read_json(_member(archive, "metadata.json", path), path.name)
            return str(metadata.get("keras_version", "2"))
    with h5.open_h5(path, path.name) as file:
        group = file.get("model_weights", file)
        if not _has_names(group) and "model_config" not in file.attrs:
            return "weights"
        return h5.text(file.attrs.get("keras_version", group.attrs.get("keras_version", "1")))


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    check_archive(path, path.name)
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except _ZIP_ERRORS as err:
        if isinstance(err, ReadError):
            raise
        raise ReadError(
            f"Expected a whole .keras archive, got {path.name}, which zip cannot read: {err}. "
            "Download or save the file again."
        ) from err


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    if name not in archive.namelist():
        raise ReadError(
            f"Expected '{name}' in {path.name}, got {archive.namelist()[:5]}. "
            "Give an archive that Keras saved."
        )
    info = archive.getinfo(name)
    if info.file_size > FREE_BYTES + MAX_EXPANSION * info.compress_size:
        raise ReadError(
            f"Expected '{name}' to unpack to at most {MAX_EXPANSION} times its size, got "
            f"{info.file_size} bytes from {info.compress_size} in {path.name}. "
            "The file is made to exhaust memory."
        )
    return archive.read(info)


def _has_names(group: h5py.Group) -> bool:
    return "layer_names" in group.attrs or "layer_names0" in group.attrs


def _weights(group: h5py.Group, name: str) -> list[tuple[str, np.ndarray]]:
    layer = group.get(name)
    if not isinstance(layer, h5py.Group):
        raise ReadError(
            f"Expected the weights of layer '{name}', got nothing in the file. "
            "Download or save the file again."
        )
    return [(weight, h5.array(layer, weight)) for weight in h5.names(layer, "weight_names")]
