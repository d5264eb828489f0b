"""A file, bytes or a model in memory → an ONNX model that is safe to work on.

    size ─ wire ─ parse ─ versions ─ counts ─ external files ─ weights' bytes
         ─ functions put in place ─ sparse weights made dense ─ nodes ─ names ─ order

Nothing after this sees a path, a cycle, a function, or a weight of another size than it says.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from converters.errors import MissingExtraError, ReadError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.depth import check_depth
from converters.onnx_to_keras.read.external import is_external, load_external
from converters.onnx_to_keras.read.functions import inline_functions
from converters.onnx_to_keras.read.sparse import densify
from converters.onnx_to_keras.read.structure import (
    check_nodes,
    check_size,
    check_versions,
    sorted_nodes,
)
from converters.onnx_to_keras.read.tensors import check_tensors
from converters.onnx_to_keras.read.walk import graphs, tensors
from converters.onnx_to_keras.read.wire import check_wire

if TYPE_CHECKING:
    import onnx

__all__ = ["read"]

_OTHER_FILES = {
    b"version https://git-lfs": "the pointer that Git LFS leaves in place of a file: fetch it "
    "with 'git lfs pull'",
    b"PK\x03\x04": "a zip archive, perhaps of PyTorch or Keras: use torch_to_keras or keras",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file: use tf_to_keras",
    b"<!": "a web page: the download gave an error page",
    b"<html": "a web page: the download gave an error page",
}


def read(source: str | Path | bytes | onnx.ModelProto) -> onnx.ModelProto:
    """An ONNX model with everything inside it, checked; the given one is never changed.

    Weights in other files are loaded, from inside the model's own folder only. Nodes are in
    an order in which they can be computed, functions are inlined, sparse weights made dense.

    Args:
        source: path of an `.onnx` file, its bytes, or a model in memory.

    Raises:
        ReadError: not an ONNX model, damaged, of a newer version, or beyond the limits.
        UnsafeFileError: it names a file outside its own folder.
        MissingExtraError: the package onnx is not installed.

    Example::

        model = read("resnet50.onnx")
        print(len(model.graph.node))
    """
    model, folder = _opened(source)
    check_versions(model)
    check_size(model)
    if model is source and _will_change(model):
        model = _copy(model)
    model.ClearField("training_info")
    load_external(model, folder)
    check_tensors(model)
    model = inline_functions(model)
    densify(model)
    check_nodes(model)
    if sorted_nodes(model) and model is source:
        model = _copy(model)
    for graph, order in reversed(sorted_nodes(model)):  # inner graphs before those around them
        nodes = [graph.node[position].SerializeToString() for position in order]
        for node, content in zip(graph.node, nodes, strict=True):
            node.ParseFromString(content)
    check_depth(model)
    return model


def _opened(source: str | Path | bytes | onnx.ModelProto) -> tuple[onnx.ModelProto, Path | None]:
    """The parsed model, and the folder that its external weights may be in."""
    try:
        import onnx
    except ImportError as err:
        raise MissingExtraError("onnx", "convert", "Reading an ONNX model") from err

    if isinstance(source, onnx.ModelProto):
        return source, None
    if isinstance(source, (bytes, bytearray, memoryview)):
        return _parse(bytes(source), "these bytes", onnx), None
    if isinstance(source, (str, os.PathLike)):
        path = Path(source)
        return _parse(_content(path), f"'{path}'", onnx), path.parent
    raise ReadError(
        f"Expected the path of an .onnx file, its bytes or an onnx.ModelProto, got "
        f"{type(source).__name__}. For a PyTorch module use converters.torch_to_keras."
    )


def _content(path: Path) -> bytes:
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode) and found.st_size <= limits.FILE_BYTES:
            return path.read_bytes()
    except (OSError, ValueError) as err:  # ValueError: a NUL in the name
        reason = getattr(err, "strerror", None) or str(err)
        raise ReadError(
            f"Expected an .onnx file at {str(path)!r}, but: {reason}. Check the path."
        ) from err
    if stat.S_ISREG(found.st_mode):
        raise ReadError(
            f"Expected a file of at most {limits.FILE_BYTES} bytes, got '{path}' with "
            f"{found.st_size}. Save it with its weights in a file beside it."
        )
    raise ReadError(
        f"Expected an .onnx file, got '{path}', which is "
        f"{'a folder' if stat.S_ISDIR(found.st_mode) else 'no regular file'}. Name the file itself."
    )


def _parse(content: bytes, place: str, onnx: ModuleType) -> onnx.ModelProto:
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

    for start, what in _OTHER_FILES.items():
        if content[:32].lower().startswith(start.lower()):
            raise ReadError(f"Expected an ONNX model in {place}, got {what}.")
    if len(content) > limits.FILE_BYTES:
        raise ReadError(
            f"Expected at most {limits.FILE_BYTES} bytes, got {len(content)}. Save the model with "
            "its weights in a file beside it, and give the path."
        )
    check_wire(content)
    try:
        return onnx.ModelProto.FromString(content)
    except DecodeError as err:
        raise ReadError(
            f"Expected an ONNX model in {place}, got {len(content)} bytes that are none. The file "
            "is something else, or cut short: download or export it again."
        ) from err


def _will_change(model: onnx.ModelProto) -> bool:
    return bool(
        model.training_info
        or any(is_external(tensor) for tensor, _ in tensors(model))
        or any(len(graph.sparse_initializer) for graph, _ in graphs(model) if _is_graph(graph))
    )


def _is_graph(graph: onnx.GraphProto | onnx.FunctionProto) -> bool:
    return hasattr(graph, "sparse_initializer")


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = type(model)()
    copy.CopyFrom(model)
    return copy
