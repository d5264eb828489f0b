"""What a file holds, told by its content: zip members and first bytes, nothing unpickled.

zip with models/*.json + archive_format   → pt2            torch.export.save
zip with constants.pkl + code/            → torchscript    torch.jit.save
zip with data.pkl alone, or old torch.save → checkpoint     torch.save
length + JSON header                      → safetensors
"""

from pathlib import Path
from typing import Literal

from converters.doors.archives import START, check_archive
from converters.doors.json_text import first_bytes
from converters.errors import ReadError, UnsafeFileError

Kind = Literal["pt2", "torchscript", "checkpoint", "safetensors"]

# torch.save before 1.6 starts with this number as a pickle: torch/serialization.py, MAGIC_NUMBER.
OLD_TORCH_SAVE = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
# torch.save stores without compression; a file that grows this much when opened is an attack.
LARGEST_GROWTH = 20
SMALL_BYTES = 64 * 2**20
SAFETENSORS_HEADER = 100_000_000  # bytes; safetensors itself takes no more


def kind_of(path: Path) -> Kind:
    """Which of the four formats that hold torch networks the file at `path` is."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise ReadError(
            f"Expected a file with a torch network, got {what} at {path}. "
            "Give a .pt2, .pt, .pth or .safetensors file, or the nn.Module itself "
            "(for a timm folder: converters.hub.hub_to_keras)."
        )
    start = first_bytes(path, 16)
    if start.startswith(START):
        return _kind_of_zip(path)
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
    entries = check_archive(path, str(path), growth=LARGEST_GROWTH, free_bytes=SMALL_BYTES)
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
    # The header is read by safetensors itself, which bounds its size and depth.
    length = int.from_bytes(start[:8], "little")
    return start[8:9] == b"{" and length <= min(path.stat().st_size - 8, SAFETENSORS_HEADER)
