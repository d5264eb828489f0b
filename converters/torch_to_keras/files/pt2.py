"""A .pt2 file is read only after everything in it that could run code has been ruled out.

`torch.export.load` unpickles what the file marks as pickled, falls back to unpickling for sample
inputs, evaluates shape expressions and guards as Python, and calls any function below `torch` that
the graph names. All of these lie in JSON members, which are checked here first, by allow-lists.
"""

import io
import json
import re
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converters.doors.json_text import read_json
from converters.errors import ReadError, UnsafeFileError

if TYPE_CHECKING:
    from torch.export import ExportedProgram

# Operators of tensors and of sizes; anything else that `torch.` reaches could be a system call.
SAFE_TARGET = re.compile(
    r"torch\.ops\.(aten|prims)\.\w+(\.\w+)?"
    r"|torch\.ops\.higher_order\.(wrap_with_set_grad_enabled|wrap_with_autocast|cond|scan)"
    r"|torch\.(sym_\w+|_sym_sqrt)"
    r"|_operator\.(getitem|add|sub|mul|floordiv|truediv|mod|neg|pow|and_|or_|eq|ne|lt|le|gt|ge)"
    r"|math\.(ceil|floor|trunc|sqrt|log2)"
)
# These write or read files, or never end, although they are operators of tensors.
UNSAFE_OPERATOR = re.compile(r"from_file|\bsave\b|_print\b|_load\b")
IDENTIFIER = re.compile(r"[\w.]*")
EXPRESSION = re.compile(
    r"(?:Symbol\('\w+'(?:, \w+=(?:True|False))*\)"
    r"|\b(?:Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|IntTrueDiv|ModularIndexing|Eq|Ne|Integer)\b"
    r"|\b[suz]\d+\b|\d+|[\s+\-*/(),<>=])*"
)
CONTAINERS = {None, "builtins.tuple", "builtins.list", "builtins.dict", "collections.OrderedDict"}
# Text for people: kept as strings by torch, never evaluated.
FREE_TEXT = {"metadata", "as_string", "as_strings", "torch_version", "verifiers", "type"}


def load_pt2(path: Path) -> "ExportedProgram":
    """The exported program in the file; UnsafeFileError where it holds more than a graph."""
    import torch

    try:
        with zipfile.ZipFile(path) as archive:
            findings = list(_findings(archive))
    except Exception as err:  # a broken member, or JSON of another shape than a program's
        raise ReadError(
            f"Expected a .pt2 file, got one that cannot be read: {path} ({str(err)[:200]}). Export "
            "it again with torch.export.save."
        ) from err
    if findings:
        raise UnsafeFileError(
            f"Expected a .pt2 file that holds a graph and tensors only, got {path} with:\n  "
            + "\n  ".join(sorted(set(findings))[:20])
            + "\nLoading it could run code, so it was not loaded. Export the nn.Module again with "
            "torch.export.export and torch.export.save, or give the nn.Module itself."
        )
    try:
        return torch.export.load(io.BytesIO(path.read_bytes()))
    except Exception as err:  # torch raises whatever its parsers raise
        raise ReadError(
            f"Expected a .pt2 file, got one that torch {torch.__version__} cannot load: {path} "
            f"({err}). Export it again with this version of torch."
        ) from err


def _findings(archive: zipfile.ZipFile) -> Iterator[str]:
    for member in archive.namelist():
        name = member.casefold().partition("/")[2]  # libtorch finds names of either case
        folder, _, file = name.rpartition("/")
        if name.startswith("data/aotinductor"):
            yield "compiled machine code (AOTInductor)"
        elif folder == "data/sample_inputs" and file.endswith(".pt"):
            yield from _pickle_findings(archive.read(member), "sample inputs")
        elif file.endswith("_config.json"):
            yield from _config_findings(read_json(archive.read(member), member))
        elif folder == "models" and file.endswith(".json"):
            yield from _graph_findings(read_json(archive.read(member), member))
        elif folder in {"data/weights", "data/constants"} and file.endswith(".pt"):
            yield f"weights of the older, pickled layout ({name})"


def _pickle_findings(content: bytes, what: str) -> Iterator[str]:
    import pickle

    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a pickle that torch did not write
            torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError):
        yield f"{what} that are more than tensors"


def _config_findings(config: Any) -> Iterator[str]:
    for name, payload in config["config"].items():
        file = str(payload["path_name"])
        if payload["use_pickle"]:
            yield f"a pickled tensor or object ({name})"
        elif not re.fullmatch(r"(weight|tensor)_\d+", file):
            yield f"a constant that is no tensor ({name}: {file})"


def _graph_findings(value: Any, key: str = "") -> Iterator[str]:
    """What could be evaluated below `value`, which stands under `key`."""
    if key in FREE_TEXT:
        return
    if isinstance(value, dict):
        for name, item in value.items():
            if name in {"as_custom_obj", "custom_obj"} and item:
                yield "a custom object"
            if not IDENTIFIER.fullmatch(name) and key not in {"range_constraints"}:
                yield f"a name that is none: {name[:60]!r}"
            yield from _graph_findings(item, name)
    elif isinstance(value, list):
        for item in value:
            yield from _graph_findings(item, key)
    elif isinstance(value, str) and not _is_safe(value, key):
        yield f"{key or 'text'} {value[:80]!r}"


def _is_safe(text: str, key: str) -> bool:
    if key in {"target", "as_operator"}:
        return bool(SAFE_TARGET.fullmatch(text)) and not UNSAFE_OPERATOR.search(text)
    if key == "expr_str":
        return bool(EXPRESSION.fullmatch(text))
    if key == "guards_code":
        return True  # never evaluated: the network is taken out with check_guards=False
    if key in {"in_spec", "out_spec"}:
        spec = read_json(text, key)
        return isinstance(spec, list) and all(_is_plain(part) for part in spec[1:])
    return bool(IDENTIFIER.fullmatch(text))


def _is_plain(spec: Any) -> bool:
    return (
        isinstance(spec, dict)
        and spec["type"] in CONTAINERS
        and "__enum__" not in json.dumps(spec["context"])
        and all(_is_plain(child) for child in spec["children_spec"])
    )
