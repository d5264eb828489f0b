"""What kind of network a file or folder holds, told by its content before its suffix.

zip, HDF5, TensorFlow Lite, safetensors and pickle by their first bytes; the two protobuf formats
by their first field; folders by what is in them. Nothing is unpickled and no framework loaded.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Literal

from converters.doors.archives import check_archive
from converters.doors.json_text import MOST_BYTES, first_bytes, read_json
from converters.errors import ReadError

Kind = Literal[
    "onnx", "pt2", "torchscript", "state_dict", "safetensors", "saved_model", "frozen_graph",
    "tflite", "keras", "keras2", "keras2_h5", "weights_h5", "tfjs", "hub",
]  # fmt: skip

_HDF5 = b"\x89HDF\r\n\x1a\n"
_FIRST_NUMBER, _FIRST_BYTES = (
    0x08,
    0x0A,
)  # field 1 on the wire: a number in ONNX, a node in GraphDef
_METADATA_BYTES = 1 << 16
_TORCH = {"pt2": "pt2", "torchscript": "torchscript", "checkpoint": "state_dict"}


def kind_of(path: str | Path) -> Kind:
    """The kind of network at `path`.

    Raises:
        ReadError: nothing there, or something that holds no network known here.

    Example::

        kind_of("model.onnx")       # "onnx"
        kind_of("teachable/")       # "tfjs"
    """
    path = Path(path)
    if path.is_dir():
        return _kind_of_folder(path)
    if not path.is_file():
        raise ReadError(
            f"Expected a file or folder with a network, got '{path}', which is not there. Check "
            "the path."
        )
    if path.name in ("saved_model.pb", "saved_model.pbtxt"):
        return "saved_model"
    start = first_bytes(path, 64)
    if start[4:8] == b"TFL3":
        return "tflite"
    if start.startswith(_HDF5):
        return _kind_of_hdf5(path)
    if start.startswith(b"PK"):
        return _kind_of_zip(path)
    if start.lstrip()[:1] == b"{":
        return _kind_of_json(path)
    if path.suffix.lower() == ".onnx":
        return "onnx"
    if path.suffix.lower() in (".pt", ".pth", ".pt2", ".bin", ".ckpt", ".safetensors"):
        return _kind_of_torch(path)
    if start[:1] == bytes([_FIRST_BYTES]):
        return "frozen_graph"
    if start[:1] == bytes([_FIRST_NUMBER]):
        return "onnx"
    return _kind_of_torch(path)


def _kind_of_folder(folder: Path) -> Kind:
    try:
        inside = {entry.name for entry in folder.iterdir()}
    except OSError as err:
        raise ReadError(
            f"Expected a folder that can be read, got '{folder}': {err.strerror}. Check its "
            "permissions."
        ) from err
    if {"saved_model.pb", "saved_model.pbtxt"} & inside:
        return "saved_model"
    if "model.json" in inside:
        return "tfjs"
    if "config.json" in inside and any(n.endswith((".safetensors", ".h5", ".bin")) for n in inside):
        return "hub"
    raise ReadError(
        f"Expected a SavedModel, TF.js, KerasHub or timm folder, got '{folder}' with "
        f"{', '.join(sorted(inside)[:5]) or 'nothing'}. Name the file of the network itself."
    )


def _kind_of_hdf5(path: Path) -> Kind:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return "keras2_h5" if "model_config" in file.attrs else "weights_h5"
    except OSError as err:
        raise ReadError(
            f"Expected an HDF5 file, got '{path}', which does not open ({err}). It is cut short: "
            "download or save it again."
        ) from err


def _kind_of_zip(path: Path) -> Kind:
    names = {member.filename for member in check_archive(path, f"'{path}'")}
    if not {"config.json", "metadata.json"} <= names:
        return _kind_of_torch(path)
    try:
        with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as file:
            said = read_json(file.read(_METADATA_BYTES), "metadata.json")
    except Exception as err:  # each way of packing has errors of its own
        raise ReadError(
            f"Expected a .keras or torch file, got the broken archive '{path}' ({err}). Download "
            "or save it again."
        ) from err
    version = str(said.get("keras_version", "")) if isinstance(said, dict) else ""
    return "keras2" if version.startswith(("0", "1", "2")) else "keras"


def _kind_of_json(path: Path) -> Kind:
    content = read_json(first_bytes(path, MOST_BYTES + 1), f"'{path}'")
    if isinstance(content, dict) and "modelTopology" in content:
        return "tfjs"
    raise ReadError(
        f"Expected the model.json of a TF.js model, got '{path}' without 'modelTopology'. Name "
        "the file of the network itself."
    )


def _kind_of_torch(path: Path) -> Kind:
    from converters.torch_to_keras.files.kinds import kind_of as torch_kind

    found: str = torch_kind(path)
    return _TORCH.get(found, found)  # type: ignore[return-value]
