"""What a file holds, told by its content: zip members and first bytes, nothing unpickled.

zip with models/*.json + archive_format   → pt2            torch.export.save
zip with constants.pkl + code/            → torchscript    torch.jit.save
zip with data.pkl alone, or old torch.save → checkpoint     torch.save
length + JSON header                      → safetensors
"""

import json
import zipfile
from pathlib import Path
from typing import Literal

from converters.errors import ReadError, UnsafeFileError

Kind = Literal["pt2", "torchscript", "checkpoint", "safetensors"]

# torch.save before 1.6 starts with this number as a pickle: torch/serialization.py, MAGIC_NUMBER.
OLD_TORCH_SAVE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# torch.save stores without compression; a file that grows this much when opened is an attack.
LARGEST_GROWTH = 20
SMALL_BYTES = 64 * 2**20


def kind_of(path: Path) -> Kind:
    """Which of the four formats that hold torch networks the file at `path` is."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise ReadError(
            f"Expected a file with a torch network, got {what} at {path}. "
            "Give a .pt2, .pt, .pth or .safetensors file, or the nn.Module itself "
            "(for a timm folder: converters.hub.hub_to_keras)."
        )
    if zipfile.is_zipfile(path):
        return _kind_of_zip(path)
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(OLD_TORCH_SAVE):
        return "checkpoint"
    if start[:1] == b"\x80":
        raise UnsafeFileError(
            f"Expected a file of torch.save, torch.export.save or safetensors, got a plain pickle: "
            f"{path}. Opening it would run whatever code it holds, so it was not opened. "
            "Where it was written, save `torch.save(module.state_dict(), path)` instead."
        )
    if _is_safetensors(path, start):
        return "safetensors"
    raise ReadError(
        f"Expected a .pt2, TorchScript, torch.save or safetensors file, got {path} "
        f"that begins with {start[:8]!r}. For ONNX use onnx_to_keras, for TensorFlow tf_to_keras."
    )


def _kind_of_zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, OSError) as err:
        raise ReadError(f"Expected a torch file, got a broken archive: {path} ({err}).") from err
    size = sum(entry.file_size for entry in entries)
    if size > SMALL_BYTES + LARGEST_GROWTH * path.stat().st_size:
        raise UnsafeFileError(
            f"Expected an archive that torch wrote (uncompressed), got one that would grow from "
            f"{path.stat().st_size} to {size} bytes: {path}. Save it again with torch.save."
        )
    # All members lie in one folder, named like the file was when it was saved.
    names = {entry.filename.partition("/")[2] for entry in entries}
    if "archive_format" in names or any(name.startswith("models/") for name in names):
        return "pt2"
    if "constants.pkl" in names and any(name.startswith("code/") for name in names):
        return "torchscript"
    if "data.pkl" in names:
        return "checkpoint"
    plain = {entry.filename for entry in entries}
    if "serialized_exported_program.json" in plain:
        raise ReadError(
            f"Expected a .pt2 of torch 2.8 or later, got the older layout: {path}. Export the "
            "nn.Module again with a newer torch: torch.export.export, torch.export.save."
        )
    hint = "keras.models.load_model opens it" if "config.json" in plain else "it holds no network"
    raise ReadError(f"Expected a torch file, got another kind of archive: {path}; {hint}.")


def _is_safetensors(path: Path, start: bytes) -> bool:
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{" or length > path.stat().st_size:
        return False
    with path.open("rb") as file:
        file.seek(8)
        try:
            return isinstance(json.loads(file.read(length)), dict)
        except ValueError:
            return False
