"""Weights that stand beside the model: looked at first, opened only inside its folder.

    location ─ realpath ─ inside the folder? ─ regular file? ─ offset + length fit? ─▶ raw_data

onnx follows a link inside the folder, ONNX Runtime follows `../` as well; so nothing with a
location is handed on: after this the model names no file any more.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ReadError, UnsafeFileError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.tensors import EXTERNAL, expected_bytes
from converters.onnx_to_keras.read.walk import tensors

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class _Span:
    tensor: onnx.TensorProto
    file: Path
    offset: int
    length: int


def is_external(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor's values are said to be in another file."""
    return tensor.data_location == EXTERNAL or len(tensor.external_data) > 0


def load_external(model: onnx.ModelProto, folder: Path | None) -> None:
    """Put the values of every external tensor into `model`, in place.

    All locations are checked before the first file is opened.

    Raises:
        UnsafeFileError: a location outside `folder`, or something that is no regular file.
        ReadError: a missing file, a span beyond its end, or more bytes than the limit.
    """
    outside = [(tensor, place) for tensor, place in tensors(model) if is_external(tensor)]
    if not outside:
        return
    if folder is None:
        raise ReadError(
            f"Expected a model with its weights inside, got one whose {outside[0][1]} is in "
            f"another file ('{_entries(outside[0][0]).get('location', '')[:200]}'). Give the path "
            "of the .onnx file, so that its folder is known."
        )
    spans = [_span(tensor, place, folder) for tensor, place in outside]
    if sum(span.length for span in spans) > limits.TENSOR_BYTES:
        raise ReadError(
            f"Expected at most {limits.TENSOR_BYTES} bytes of external weights, got "
            f"{sum(span.length for span in spans)}. Models of this size are beyond this converter."
        )
    for span in spans:
        span.tensor.raw_data = _read(span)
        span.tensor.ClearField("external_data")
        span.tensor.ClearField("data_location")


def _entries(tensor: onnx.TensorProto) -> dict[str, str]:
    return {_text(entry.key): _text(entry.value) for entry in tensor.external_data}


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


def _span(tensor: onnx.TensorProto, place: str, folder: Path) -> _Span:
    entries = _entries(tensor)
    file = _inside(entries.get("location", ""), place, folder)
    size = file.stat().st_size
    offset = _number(entries, "offset", 0, place)
    length = _number(entries, "length", size - offset, place)
    wanted = expected_bytes(tensor, place)
    if offset + length > size or length != wanted:
        raise ReadError(
            f"Expected {wanted} bytes for {place} in '{file.name}', got {length} at {offset} of a "
            f"file of {size} bytes. The files do not belong together, or one is cut short: "
            "download or export both again."
        )
    return _Span(tensor, file, offset, length)


def _number(entries: dict[str, str], key: str, default: int, place: str) -> int:
    text = entries.get(key)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise ReadError(
            f"Expected {place} to have a whole number as its {key}, got '{text[:40]}'. The file "
            "is damaged: export it again."
        )
    return int(text)


def _inside(location: str, place: str, folder: Path) -> Path:
    """The real path of a location, once it is known to be a regular file in the folder."""
    home = Path(os.path.realpath(folder))
    odd = "\0" in location or "\\" in location or Path(location).is_absolute() or not location
    real = None if odd else Path(os.path.realpath(home / location))
    if real is None or not real.is_relative_to(home) or len(location) > limits.NAME_CHARACTERS:
        raise UnsafeFileError(
            f"Expected {place} to be in a file inside the model's own folder, got location "
            f"{location[:200]!r}, which is outside it. If you trust this model, copy the file "
            "into the folder and write the model again with onnx.save."
        )
    try:
        found = real.stat()
    except OSError as err:
        raise ReadError(
            f"Expected {place} in '{location[:200]}' beside the model, which is not there "
            f"({err.strerror}). Download the file of weights too, into the same folder."
        ) from err
    if not stat.S_ISREG(found.st_mode):
        raise UnsafeFileError(
            f"Expected {place} in a regular file, got '{location[:200]}', which is none. Replace "
            "it by the file of weights."
        )
    _check_links(found, location)
    return real


def _check_links(found: os.stat_result, location: str) -> None:
    """A hard link is a file of somewhere else, as a symbolic one is; realpath cannot tell."""
    if found.st_nlink > 1:
        raise UnsafeFileError(
            f"Expected weights in a file of their own, got '{location[:200]}', which has "
            f"{found.st_nlink} names and may be any file of this disk. If you trust this model, "
            "copy the file (not with a link) and put the copy in its place."
        )


def _read(span: _Span) -> bytes:
    # The path was checked a moment ago; a link or a pipe put there since is not followed.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        handle = os.open(span.file, flags | getattr(os, "O_BINARY", 0))
        with open(handle, "rb") as file:
            opened = os.fstat(handle)
            _check_links(opened, span.file.name)
            if not stat.S_ISREG(opened.st_mode):
                raise UnsafeFileError(
                    f"Expected a regular file, got '{span.file.name}', which was replaced while "
                    "it was read. Try again with files that nobody changes."
                )
            file.seek(span.offset)
            content = file.read(span.length)
    except OSError as err:
        raise ReadError(
            f"Expected to read the weights in '{span.file}', but: {err}. Check the permissions."
        ) from err
    if len(content) != span.length:
        raise ReadError(
            f"Expected {span.length} bytes in '{span.file.name}', got {len(content)}: it was cut "
            "while it was read. Try again."
        )
    return content
