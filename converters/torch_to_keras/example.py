"""The input that a network is traced with: named tensors, a batch of two.

A batch of one is taken for a constant by the exporters and then burnt into the graph, so that
one picture is doubled. Where nothing is given, the size is deduced only when it is certain
enough: from a timm module's own settings, or from a first convolution over 1 or 3 channels.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import nn

Array: TypeAlias = "np.ndarray | torch.Tensor"
Example: TypeAlias = "Array | Sequence[Array] | Mapping[str, Array]"

PICTURE_PX = 224
BATCH = 2


@dataclass(frozen=True)
class Inputs:
    """Tensors by the names of forward's arguments, and which of their axes may vary."""

    tensors: "dict[str, torch.Tensor]"
    dynamic: dict[str, tuple[int, ...]]
    by_keyword: bool = False

    @property
    def values(self) -> "tuple[torch.Tensor, ...]":
        """The tensors in the order of the arguments."""
        return tuple(self.tensors.values())

    def fixed(self) -> "Inputs":
        """The same with no axis that may vary."""
        return replace(self, dynamic={})


def make_inputs(
    module: "nn.Module",
    example: "Example | None",
    input_shapes: Mapping[str, Sequence[int | None]] | None,
    *,
    double: bool = True,
) -> Inputs:
    """Inputs of batch two for tracing `module`, from what the user gave or from its first layer."""
    import torch

    if example is None:
        shapes = dict(input_shapes or _deduced_shapes(module))
        rng = np.random.default_rng(0)
        example = {name: _random(name, shape, rng) for name, shape in shapes.items()}
        example = example if _takes_keywords(module, example) else tuple(example.values())
        names = list(shapes)
    else:
        names = []
    by_keyword = isinstance(example, Mapping)
    if isinstance(example, Mapping):
        named = dict(example)
    else:
        values = [example] if isinstance(example, np.ndarray | torch.Tensor) else list(example)
        named = dict(zip(names or _argument_names(module, len(values)), values, strict=True))
    tensors = {name: _as_tensor(name, value) for name, value in named.items()}
    batches = {len(t) for t in tensors.values() if t.ndim}
    if batches == {1} and double:
        tensors = {name: _doubled(tensor) for name, tensor in tensors.items()}
    return Inputs(_on_device_of(module, tensors), _dynamic(tensors, input_shapes), by_keyword)


def _random(name: str, shape: Sequence[int | None], rng: np.random.Generator) -> np.ndarray:
    if any(size is None for size in shape[1:]):
        raise ValueError(
            f"Expected an example_input to trace with, got input_shapes['{name}'] = {tuple(shape)} "
            "alone, which leaves sizes open. Give example_input= too; input_shapes then says "
            "which of its sizes may vary."
        )
    sizes = [BATCH, *(int(size) for size in shape[1:] if size is not None)]
    return rng.normal(size=sizes).astype(np.float32)


def _takes_keywords(module: "nn.Module", named: Mapping[str, object]) -> bool:
    try:
        arguments = inspect.signature(module.forward).parameters
    except (TypeError, ValueError):
        return False
    return len(named) > 1 and set(named) <= set(arguments)


def _argument_names(module: "nn.Module", count: int) -> list[str]:
    """Names of forward's first arguments; input_0, input_1, … where forward has only *args."""
    try:
        parameters = list(inspect.signature(module.forward).parameters.values())
    except (TypeError, ValueError):  # a ScriptModule's forward may have none
        parameters = []
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    names = [p.name for p in parameters if p.kind in kinds and p.name != "self"][:count]
    if len(names) == count:
        return names
    return ["input"] if count == 1 else [f"input_{number}" for number in range(count)]


def _as_tensor(name: str, value: object) -> "torch.Tensor":
    import torch

    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
    if not isinstance(value, torch.Tensor):
        raise TypeError(
            f"Expected arrays or tensors as example_input, got {type(value).__name__} for "
            f"'{name}'. Wrap the module in one whose forward takes tensors only."
        )
    value = value.detach()
    # Cloned, since some networks work on their input in place.
    return value.float() if value.dtype in {torch.float64, torch.float16} else value.clone()


def _doubled(tensor: "torch.Tensor") -> "torch.Tensor":
    return tensor.repeat(BATCH, *[1] * (tensor.ndim - 1)) if tensor.ndim else tensor


def _on_device_of(
    module: "nn.Module", tensors: "dict[str, torch.Tensor]"
) -> "dict[str, torch.Tensor]":
    first = next(iter(module.parameters()), None)
    return tensors if first is None else {n: t.to(first.device) for n, t in tensors.items()}


def _dynamic(
    tensors: "Mapping[str, torch.Tensor]",
    input_shapes: Mapping[str, Sequence[int | None]] | None,
) -> dict[str, tuple[int, ...]]:
    """Axes that may vary: the batch, and those that input_shapes leaves open."""
    shapes = input_shapes or {}
    wrong = {n for n in shapes if n not in tensors or len(shapes[n]) != tensors[n].ndim}
    if wrong:
        raise ValueError(
            f"Expected input_shapes for {', '.join(tensors)} with one size an axis, "
            f"got { ({n: tuple(shapes[n]) for n in wrong}) }. "
            f"The example has { ({n: tuple(t.shape) for n, t in tensors.items()}) }."
        )
    return {
        name: (0, *(a for a, size in enumerate(shapes.get(name, ())) if size is None and a))
        for name, tensor in tensors.items()
        if tensor.ndim
    }


def _deduced_shapes(module: "nn.Module") -> dict[str, tuple[int | None, ...]]:
    from torch import nn

    name = _argument_names(module, 1)[0]
    settings = getattr(module, "pretrained_cfg", None) or getattr(module, "default_cfg", None) or {}
    if isinstance(settings, Mapping) and len(settings.get("input_size") or ()) == 3:
        return {name: (None, *map(int, settings["input_size"]))}
    first = next(
        (m for m in module.modules() if next(m.parameters(recurse=False), None) is not None), None
    )
    if isinstance(first, nn.Conv2d) and first.in_channels in {1, 3}:
        return {name: (None, first.in_channels, PICTURE_PX, PICTURE_PX)}
    found = f"its first layer with weights is {first}" if first is not None else "it has no weights"
    raise ValueError(
        f"Expected example_input, got none, and the input of {type(module).__name__} cannot be "
        f"told from its layers ({found}). Give a tensor of the right shape, batch first: "
        "torch_to_keras(module, torch.zeros(2, 3, 224, 224)), or input_shapes="
        f"{{'{name}': (None, …)}}."
    )
