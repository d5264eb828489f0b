"""Weights from a file, and the network they belong to, joined.

    checkpoint ─find the tensors─▶ {name: tensor} ─strip prefixes─▶ load into the architecture

Nothing is unpickled but tensors and plain containers: `weights_only=True`, always.
"""

import argparse
import copy
import difflib
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import (
    ArchitectureNeededError,
    MissingExtraError,
    ReadError,
    UnsafeFileError,
)
from converters.torch_to_keras.files.families import guess_family

if TYPE_CHECKING:
    import torch
    from torch import nn

# Where training scripts keep the weights, the most usual first.
PLACES = (
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "weights",
    "module",
    "params",
    "ema_state_dict",
    "state_dict_ema",
    "model_ema",
)
# What wrappers put before each name: DataParallel, torch.compile, Lightning and the like.
PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.", "backbone.", "encoder.")
SHOWN = 12
FREE_BYTES, LARGEST_VIEW = 64 << 20, 4  # how much larger than its storage a tensor may look


def read_state_dict(path: Path, *, safetensors: bool = False) -> dict[str, "torch.Tensor"]:
    """The tensors of a file of weights by name, on the CPU; nothing in the file is run.

    A checkpoint with an epoch, an optimizer and so on is searched for its weights: the usual
    places first (`state_dict`, `model`, …), then the mapping with the most tensors.
    """
    content = _read_safetensors(path) if safetensors else _read_checkpoint(path)
    if not isinstance(content, Mapping):
        raise ReadError(
            f"Expected a state_dict in {path}, got {type(content).__name__}. "
            "Save `module.state_dict()` with torch.save."
        )
    found = _find_tensors(content)
    if not found:
        raise ReadError(
            f"Expected a state_dict in {path}, got a checkpoint without tensors: "
            f"{', '.join(map(str, list(content)[:SHOWN])) or 'empty'}. "
            "Save `module.state_dict()` with torch.save."
        )
    check_strides(found, path)
    return found


def check_strides(tensors: Mapping[str, "torch.Tensor"], path: Path) -> None:
    """Nothing for tensors that have about as many numbers as are stored, else UnsafeFileError.

    A tensor may be a view with steps of zero: four bytes that show as terabytes once copied.
    """
    import torch

    for name, tensor in tensors.items():
        if tensor.layout != torch.strided or tensor.is_meta:
            continue
        shown = tensor.numel() * tensor.element_size()
        if shown > FREE_BYTES + LARGEST_VIEW * tensor.untyped_storage().nbytes():
            raise UnsafeFileError(
                f"Expected tensors that hold their numbers, got '{name[:100]}' "
                f"{tuple(tensor.shape)} in {path}, which shows {shown:,} bytes and stores "
                f"{tensor.untyped_storage().nbytes():,}: it is made to exhaust memory. Do not use "
                "it; ask for the weights as safetensors."
            )


def fill_architecture(
    architecture: "nn.Module | Callable[[], nn.Module] | None",
    state: Mapping[str, "torch.Tensor"],
    path: Path,
) -> "nn.Module":
    """A copy of the architecture with the tensors in it; all that does not fit is told at once."""
    if architecture is None:
        raise ArchitectureNeededError(_missing_architecture(state, path))
    module = make_architecture(architecture)
    expected = module.state_dict()
    fitting = _strip_prefix(state, expected)
    problems = list(_differences(expected, fitting))
    if problems:
        family = guess_family(list(state))
        raise ArchitectureNeededError(
            f"Expected the tensors of {type(module).__name__}, got other ones in {path} "
            f"({len(fitting)} tensors, {len(expected)} expected):\n  "
            + "\n  ".join(problems)
            + "\nGive the architecture that these weights were trained with"
            + (f"; their names look like {family}." if family else ".")
        )
    module.load_state_dict({name: fitting.get(name, value) for name, value in expected.items()})
    return module


def make_architecture(architecture: "nn.Module | Callable[[], nn.Module]") -> "nn.Module":
    """A network of our own: a copy of the module, or what the callable returns."""
    from torch import nn

    module = copy.deepcopy(architecture) if isinstance(architecture, nn.Module) else architecture()
    if not isinstance(module, nn.Module):
        raise TypeError(
            "Expected architecture= to be an nn.Module or a function without arguments that "
            f"returns one, got {type(module).__name__} from {architecture!r}."
        )
    return module


def _read_checkpoint(path: Path) -> object:
    import torch

    # Both are plain data that training scripts often leave beside the weights.
    harmless = [argparse.Namespace, *_numpy_scalars()]
    try:
        with torch.serialization.safe_globals(harmless), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of other pickle protocols, of old storages
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as err:
        names = _foreign_names(path, str(err))
        raise UnsafeFileError(
            f"Expected tensors and plain containers, got a file that needs Python code to open: "
            f"{path}{names}. It was not opened: such a file can run anything. Where it was "
            "written, save `torch.save(module.state_dict(), path)` and give architecture=, or "
            "export it with torch.export.save."
        ) from err
    except Exception as err:  # a broken file: torch raises RuntimeError, EOFError, KeyError, …
        raise ReadError(
            f"Expected a file of torch.save, got one that cannot be read: {path} ({err}). "
            "Download or save it again."
        ) from err


def _numpy_scalars() -> list[Callable[..., object] | tuple[Callable[..., object], str]]:
    """What a NumPy number (the best accuracy so far, say) is pickled with."""
    import numpy as np

    scalar: Callable[..., object] = np.float32(0).__reduce__()[0]  # type: ignore[assignment]
    homes = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # NumPy 1 and 2
    kinds = {type(np.dtype(code)) for code in "?bBhHiIlLqQefd"}
    return [np.dtype, *kinds, *((scalar, home) for home in homes)]


def _foreign_names(path: Path, message: str) -> str:
    """The classes and functions that the pickle wants, for the message; read, not imported."""
    import torch

    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(str(path))
    except Exception:  # the old format has no such look-up; torch's own message names one
        names = [part.split()[0] for part in message.split("GLOBAL ")[1:2]]
    return f" (it asks for {', '.join(sorted(names)[:5])})" if names else ""


def _read_safetensors(path: Path) -> Mapping[str, "torch.Tensor"]:
    try:
        import safetensors.torch
    except ImportError as err:
        raise MissingExtraError("safetensors", "hub", "Reading .safetensors files") from err
    try:
        return safetensors.torch.load_file(path)
    except Exception as err:  # safetensors_rust.SafetensorError has no stable home
        raise ReadError(
            f"Expected a safetensors file, got one that cannot be read: {path} ({err}). "
            "Download or save it again."
        ) from err


def _find_tensors(content: Mapping[object, object]) -> dict[str, "torch.Tensor"]:
    """The tensors of the likeliest mapping in a checkpoint: itself, a usual place, the largest."""
    own = _tensors(content)
    inner = {name: _tensors(part) for name, part in content.items() if isinstance(part, Mapping)}
    for place in PLACES:
        if inner.get(place) and len(inner[place]) >= len(own):
            return inner[place]
    return max([own, *inner.values()], key=len)


def _tensors(content: Mapping[object, object]) -> dict[str, "torch.Tensor"]:
    import torch

    return {str(name): t for name, t in content.items() if isinstance(t, torch.Tensor)}


def _strip_prefix(
    state: Mapping[str, "torch.Tensor"], expected: Mapping[str, object]
) -> dict[str, "torch.Tensor"]:
    """The tensors under the names that meet the expected ones most often."""
    forms = [dict(state)]
    for form in forms:  # grows while it is walked: prefixes may be stacked
        for prefix in PREFIXES:
            inside = {n.removeprefix(prefix): t for n, t in form.items() if n.startswith(prefix)}
            if inside and len(forms) < 20:
                forms.append(inside)
    return max(forms, key=lambda form: sum(name in expected for name in form))


def _differences(
    expected: Mapping[str, "torch.Tensor"], got: Mapping[str, "torch.Tensor"]
) -> Iterator[str]:
    # Old checkpoints lack this count, and inference does not read it.
    missing = [n for n in expected if n not in got and not n.endswith("num_batches_tracked")]
    unexpected = [name for name in got if name not in expected]
    for title, names, others in (
        ("missing", missing, unexpected),
        ("unexpected", unexpected, missing),
    ):
        for name in names[:SHOWN]:
            close = difflib.get_close_matches(name, others, n=1, cutoff=0.7)
            yield f"{title}: {name}" + (f" (close: {close[0]})" if close else "")
        if len(names) > SHOWN:
            yield f"{title}: {len(names) - SHOWN} more"
    for name, value in expected.items():
        if name in got and got[name].shape != value.shape:
            yield f"shape of {name}: {tuple(value.shape)} expected, {tuple(got[name].shape)} given"


def _missing_architecture(state: Mapping[str, "torch.Tensor"], path: Path) -> str:
    names = list(state)
    family = guess_family(names)
    count = sum(value.numel() for value in state.values())
    return (
        f"Expected a network, got weights alone: {path} holds {len(names)} tensors with {count:,} "
        f"numbers, from '{names[0]}' {tuple(state[names[0]].shape)} to '{names[-1]}' "
        f"{tuple(state[names[-1]].shape)}. "
        + (f"The names look like {family}. " if family else "")
        + "How they are joined is not in the file: give architecture=, the nn.Module they belong "
        "to or a function that returns it (torch_to_keras(path, architecture=MyNet)), or a .pt2 "
        "file of torch.export.save. The catalogue of tlkeras has backbones of its own "
        "(tlkeras backbones lists them)."
    )
