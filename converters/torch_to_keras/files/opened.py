"""Whatever the user gave, as a torch module that can be run and exported.

nn.Module ─ .pt2 ─ TorchScript ─ weights + architecture ──▶ Opened(module, example)
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import MissingExtraError, ReadError
from converters.torch_to_keras.example import Example
from converters.torch_to_keras.files.checkpoint import fill_architecture, read_state_dict
from converters.torch_to_keras.files.kinds import kind_of
from converters.torch_to_keras.files.pt2 import load_pt2
from converters.torch_to_keras.files.torchscript import load_torchscript

if TYPE_CHECKING:
    import torch
    from torch import nn


@dataclass(frozen=True)
class Opened:
    """A network to import: what to call it, and the input that its file brings along."""

    module: "nn.Module"
    label: str
    example: "Example | None" = None
    fixed_batch: bool = False


def open_source(
    source: "nn.Module | str | Path", architecture: "nn.Module | Callable[[], nn.Module] | None"
) -> Opened:
    """The network behind a module or file, in float32; the user's own module is not changed."""
    try:
        from torch import nn
    except ImportError as err:
        raise MissingExtraError("torch", "torch", "Importing a PyTorch network") from err
    if isinstance(source, nn.Module):
        if architecture is not None:
            raise TypeError(
                "Expected architecture= beside a file of weights, got it beside an nn.Module. "
                "Give the module alone: it has its weights."
            )
        return Opened(_in_float32(source), type(source).__name__)
    if not isinstance(source, str | Path):
        raise TypeError(
            f"Expected an nn.Module or the path of a .pt2, .pt, .pth or .safetensors file, got "
            f"{type(source).__name__}. A state_dict in memory goes into its own module: "
            "module.load_state_dict(state)."
        )
    path = Path(source)
    kind = kind_of(path)
    if kind == "pt2":
        return _open_pt2(path)
    if kind == "torchscript":
        return Opened(_in_float32(load_torchscript(path)), path.name)
    state = read_state_dict(path, safetensors=kind == "safetensors")
    return Opened(_in_float32(fill_architecture(architecture, state, path)), path.name)


def _open_pt2(path: Path) -> Opened:
    program = load_pt2(path)
    # Guards are Python source; what they ask for is held by the comparison with torch instead.
    module = program.module(check_guards=False)
    module._forward_pre_hooks.clear()  # they refuse any other batch than the one exported with
    network = _in_float32(module)
    values, keywords = program.example_inputs or ((), {})
    if not values and not keywords:
        return Opened(network, path.name)
    if values and keywords:
        raise ReadError(
            f"Expected a .pt2 file whose inputs are all positional or all named, got both: {path} "
            f"({len(values)} and {', '.join(keywords)}). Export it again with either kind."
        )
    example: Example = dict(keywords) if keywords else tuple(values)
    return Opened(network, path.name, example, not _takes_other_batches(network, values, keywords))


def _takes_other_batches(
    module: "nn.Module", values: "Sequence[torch.Tensor]", keywords: "Mapping[str, torch.Tensor]"
) -> bool:
    """Whether a network that was captured with one batch size also answers to another one."""
    import torch

    def twice(tensor: "torch.Tensor") -> "torch.Tensor":
        return torch.cat([tensor, tensor]) if tensor.ndim else tensor

    try:
        with torch.no_grad():
            one = module(*values, **keywords)
            two = module(*map(twice, values), **{n: twice(t) for n, t in keywords.items()})
    except RuntimeError:  # a view or an expand with the batch written into it
        return False
    return all(
        b.shape == (2 * a.shape[0], *a.shape[1:]) and torch.allclose(b[: len(a)], a, atol=1e-4)
        for a, b in zip(_leaves(one), _leaves(two), strict=True)
        if a.ndim
    )


def _leaves(value: object) -> "list[torch.Tensor]":
    import torch

    return [v for v in torch.utils._pytree.tree_leaves(value) if isinstance(v, torch.Tensor)]


def _in_float32(module: "nn.Module") -> "nn.Module":
    """The module itself, or a float32 copy where it has other floating numbers."""
    import torch

    tensors = [*module.parameters(), *module.buffers()]
    if all(t.dtype == torch.float32 or not t.is_floating_point() for t in tensors):
        return module
    return copy.deepcopy(module).float()
