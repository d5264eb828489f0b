"""The door to PyTorch: the suffix says what is written."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ArchitectureNeededError, ConversionError, MissingExtraError
from converters.exported import check_has_graph, staged
from converters.nested import leaf_layers

if TYPE_CHECKING:
    import keras
    import torch
    from torch import nn

SUFFIXES = (".pt", ".pth", ".safetensors", ".pt2")


def keras_to_torch(
    model: "keras.Model", path: str | Path, *, module: "nn.Module | None" = None
) -> Path:
    """The path of the file with the model's weights for torch, or with the model as a program.

    `.pt`, `.pth` and `.safetensors` hold a `state_dict` in torch's own names and layouts. For a
    model that torch_to_keras made in this process, or one with its layers, names come from the
    import; for another (one loaded from a file, say) from `module`, whose names have to be like
    the layers' (`layer1.0.conv1.weight` and `layer1_0_conv1`). The weights are loaded into a copy
    of the module, strictly, and torch has to give the same answers, except that a softmax or
    sigmoid that the model has at its end may be missing in the module.

    `.pt2` holds any Keras model as a program of torch.export, with any batch size and the model's
    own axis order (pictures channels last). Sizes that the model leaves open stay open; where a
    size changes how a network pads, torch refuses it ("Guard failed"): pictures for networks that
    halve them five times have sides that are multiples of 32. It is made in a process of its own,
    where Keras runs on torch, and has to give the same answers there, at two sizes.

    Args:
        model: a built Functional or Sequential model; models inside it are written too.
        path: what to write; an existing file is replaced once the new one is complete.
        module: the torch network that takes the weights; not changed. Needed for a model that was
            not imported in this process, and for one whose head is another than the original.

    Raises:
        ArchitectureNeededError: the names are not known without `module`.
        ConversionError: weights that have no place in the module, all at once; a program that
            torch can make for one size only, of a model that leaves it open.
        MismatchError: torch answers differently.

    Example::

        converters.keras_to_torch(model, "tuned.pth", module=ResNet18(classes=3))
        module.load_state_dict(torch.load("tuned.pth", weights_only=True))
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise ValueError(
            f"Expected a path that ends with {', '.join(SUFFIXES)}, got '{target.name}'. "
            "The first three hold weights, .pt2 a program."
        )
    if not target.parent.is_dir():
        raise FileNotFoundError(
            f"Expected a path in an existing folder, got '{target}'. Create '{target.parent}'."
        )
    try:
        import torch  # noqa: F401
    except ImportError as err:
        raise MissingExtraError("torch", "torch", "Writing files for PyTorch") from err
    check_has_graph(model)
    if target.suffix == ".pt2":
        from converters.keras_to_torch.program import write_program

        return _whole(target, lambda fresh: write_program(model, fresh))
    from converters.keras_to_torch.check import check_answers, filled
    from converters.keras_to_torch.state import find_state

    network = module if module is not None else _origin_module(model)
    state = find_state(model, network)
    check_answers(model, filled(network, state))
    return _whole(target, lambda fresh: _save(state, fresh))


def _origin_module(model: "keras.Model") -> "nn.Module":
    from converters.torch_to_keras.origin import origin_of

    origins = map(origin_of, leaf_layers(model))
    modules = {id(origin.module): origin.module for origin in origins if origin is not None}
    if len(modules) != 1:
        found = "layers of several torch networks" if modules else "no layer that came from torch"
        raise ArchitectureNeededError(
            f"Expected a model that torch_to_keras made in this process, got '{model.name}' with "
            f"{found}. Give the torch network that takes the weights as module=, or a path that "
            "ends with .pt2 for a program."
        )
    return modules.popitem()[1]


def _save(state: "dict[str, torch.Tensor]", path: Path) -> None:
    import torch

    if path.suffix != ".safetensors":
        torch.save(state, path)
        return
    try:
        import safetensors.torch
    except ImportError as err:
        raise MissingExtraError("safetensors", "hub", "Writing .safetensors files") from err
    # The format has no views of one storage; tied weights are written twice.
    apart = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    safetensors.torch.save_file(apart, path, metadata={"format": "pt"})


def _whole(target: Path, write: Callable[[Path], None]) -> Path:
    """What `write` makes, moved to its place once it is complete."""
    with staged(target) as fresh:
        write(fresh)
        if not fresh.is_file():
            raise ConversionError(f"Expected {target.name} to be written, got nothing. Try again.")
    return target
