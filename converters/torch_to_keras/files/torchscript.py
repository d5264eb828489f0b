"""A TorchScript file, opened after its code has been looked through.

TorchScript is code, of a restricted kind: it reaches tensors, not Python. Two things are refused
all the same: operators that read or write files, and those of other libraries. What is left may
still take long, as any network may.
"""

import re
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ReadError, UnsafeFileError

if TYPE_CHECKING:
    import torch

UNSAFE_CODE = re.compile(
    r"\b(from_file|unpickle|load_library)\b|\btorch\.(save|load)\b"
    r"|\bops\.(?!aten\.|prim\.|prims\.|quantized\.|torchvision\.)\w+\.\w+"
)


def load_torchscript(path: Path) -> "torch.jit.ScriptModule":
    """The network in the file on the CPU; UnsafeFileError where its code reaches further."""
    import torch

    try:
        text = _sources(path)
    except Exception as err:  # each way of packing has errors of its own
        raise ReadError(
            f"Expected a whole TorchScript file, got the broken archive {path} ({err}). Download "
            "or save it again."
        ) from err
    found = sorted({match.group() for match in UNSAFE_CODE.finditer(text)})
    if found:
        raise UnsafeFileError(
            f"Expected TorchScript that works on tensors only, got {path} with {', '.join(found)}. "
            "It was not loaded. Give the nn.Module itself, or a .pt2 file of torch.export.save."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecated, and there are many such files
            return torch.jit.load(str(path), map_location="cpu")
    except Exception as err:  # torch raises whatever its parser raises
        raise ReadError(
            f"Expected a TorchScript file, got one that torch {torch.__version__} cannot load: "
            f"{path} ({err}). Write it again with torch.jit.save, or use torch.export.save."
        ) from err


def _sources(path: Path) -> str:
    """All source code in the file, whatever the case and suffix of its name."""
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.namelist() if "/code/" in f"/{m.casefold()}"]
        return "\n".join(archive.read(member).decode("utf-8", "replace") for member in members)
