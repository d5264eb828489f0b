"""Tensors out of PyTorch's files and safetensors: numbers by name, no code is run."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import MissingExtraError, WeightsError

if TYPE_CHECKING:
    import torch

PICKLED = (".pth", ".pt", ".bin", ".tar")
SUFFIXES = (*PICKLED, ".safetensors")

# What training programs call the state_dict inside a checkpoint.
_NESTED = ("state_dict", "model_state_dict", "state_dict_ema", "model", "net")


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """Float32 arrays by name, in the order of the file; integers stay as they are.

    Raises:
        WeightsError: a file that is broken, or holds a whole network instead of tensors.
        MissingExtraError: torch (for `.pth`, `.pt`, `.bin`) or safetensors is not installed.

    Example::

        read_tensors(Path("resnet18-f37072fd.pth"))["conv1.weight"].shape   # (64, 3, 7, 7)
    """
    read = _read_safetensors if path.suffix == ".safetensors" else _read_pickled
    tensors = read(path)
    return {key: _float32(tensor) for key, tensor in tensors.items()}


def require_reader(path: Path) -> None:
    """Raises MissingExtraError when what reads files of that suffix is not installed.

    Example::

        require_reader(Path("resnet18.pth"))        # before it is downloaded
    """
    package = "safetensors" if path.suffix == ".safetensors" else "torch"
    try:
        __import__(package)
    except ImportError as err:
        raise MissingExtraError(package, "torch", f"Reading {path.name}") from err


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    require_reader(path)
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, KeyError, ValueError) as err:
        raise WeightsError(
            f"Expected a safetensors file, got {path}, which cannot be read ({err}). It is cut "
            "short or something else: download or save it again."
        ) from err


def _read_pickled(path: Path) -> dict[str, np.ndarray]:
    require_reader(path)
    import torch

    from converters import ReadError
    from converters.torch_to_keras.files.checkpoint import check_strides

    if _kind(path) == "safetensors":
        return _read_safetensors(path)
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = _tensors(content)
        check_strides(found, path)
        tensors = {key: _array(tensor) for key, tensor in found.items()}
    except ReadError as err:
        raise WeightsError(str(err)) from err
    # Unpickling, zip, runtime, end of file, attribute …: as many kinds as ways to be broken.
    except Exception as err:
        reason = (str(err).strip() or type(err).__name__).splitlines()[0].split(". ")[0]
        raise WeightsError(
            f"Expected a file of tensors, got {path}, which does not open as one ({reason[:120]}). "
            "Either it is cut short, or it holds Python objects, which are not opened because "
            "that would run code from the file: in the program that made it call "
            "torch.save(model.state_dict(), 'weights.pth') and give that file."
        ) from err
    if not tensors:
        raise WeightsError(
            f"Expected a state_dict, got {path} with {_described(content)}. Save one with "
            "torch.save(model.state_dict(), 'weights.pth')."
        )
    return tensors


def _kind(path: Path) -> str:
    """What the file is by its content, once its archive was looked through."""
    from converters import ReadError
    from converters.torch_to_keras.files.kinds import kind_of

    try:
        kind: str = kind_of(path)
    except ReadError as err:
        raise WeightsError(
            f"Expected a file of tensors, got {path}, which is cut short or something else. {err} "
            "Give a file of torch.save(model.state_dict(), 'weights.pth')."
        ) from err
    if kind in ("torchscript", "pt2"):
        # torch.load would warn first and then advise to switch its safety off.
        what = "a TorchScript program" if kind == "torchscript" else "an exported program"
        raise WeightsError(
            f"Expected a file of tensors, got {path}, {what}. Save its weights with "
            "torch.save(program.state_dict(), 'weights.pth')."
        )
    return kind


def _tensors(content: object) -> dict[str, "torch.Tensor"]:
    import torch

    if not isinstance(content, Mapping):
        return {}
    for key in _NESTED:
        if isinstance(content.get(key), Mapping):
            return _tensors(content[key])
    return {str(k): v.detach() for k, v in content.items() if isinstance(v, torch.Tensor)}


def _array(tensor: "torch.Tensor") -> np.ndarray:
    tensor = tensor.dequantize() if tensor.is_quantized else tensor
    return (tensor.float() if tensor.is_floating_point() else tensor).numpy()


def _described(content: object) -> str:
    if isinstance(content, Mapping):
        return f"the entries {', '.join(map(repr, list(content)[:5]))} and no tensors"
    return f"one {type(content).__name__}"


def _float32(tensor: np.ndarray) -> np.ndarray:
    # bfloat16 and float8 come as types of their own, of the kind "V".
    return tensor.astype("float32") if tensor.dtype.kind in "fV" else tensor
