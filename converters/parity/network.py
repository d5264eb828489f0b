"""Anything that can be run on arrays, in one form: name of its runtime, inputs, outputs, run.

ONNX file or model ─ torch module ─ .tflite ─ SavedModel ─ Keras model ─ function ──▶ Network
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError, ReadError
from converters.nested import packed
from converters.parity.inputs import InputSpec

if TYPE_CHECKING:
    import keras
    import torch

Arrays = Sequence[np.ndarray]


@dataclass(frozen=True)
class Network:
    """Something to run: `run` takes arrays in the order of `inputs` and gives a list.

    `inputs` is None when it says nothing of what it takes; `channels_first` tells that such
    a thing has its channels before its places, as torch does.
    """

    label: str
    run: Callable[[Arrays], list[np.ndarray]]
    inputs: tuple[InputSpec, ...] | None = None
    outputs: tuple[str, ...] = ()
    channels_first: bool = False

    @property
    def fixed_batch(self) -> int | None:
        """The only batch size that it takes, if all inputs have the same number there."""
        sizes = {spec.fixed_batch for spec in self.inputs or () if len(spec.shape) > 1}
        return sizes.pop() if len(sizes) == 1 else None


def open_network(source: object, allow_ops: Collection[str] = ()) -> Network:
    """The network behind a path, bytes, module, model or function.

    Args:
        source: any of these.
        allow_ops: operators of a SavedModel that the user insists on although they reach files.

    Raises:
        ReadError: a file of a kind that cannot be run here.
        ConversionError: something that cannot be called.
    """
    if isinstance(source, Network):
        return source
    if isinstance(source, (str, Path)):
        return _from_path(Path(source), allow_ops)
    known: Any = source  # told by its class's name, so that no framework is imported for it
    if isinstance(source, bytes) or type(source).__name__ == "ModelProto":
        from converters.parity.onnx_runs import onnx_network

        return onnx_network(known)
    if _is_a(source, "torch.nn.modules.module", "Module"):
        return _torch_network(known)
    if _is_a(source, "keras.src.models.model", "Model"):
        return keras_network(known)
    if callable(source):
        return _function_network(source)
    raise ConversionError(
        f"Expected a path, ONNX bytes or model, torch module, Keras model or a function of "
        f"arrays, got {type(source).__name__}. Give one of these."
    )


def _from_path(path: Path, allow_ops: Collection[str]) -> Network:
    suffix = path.suffix.lower()
    if path.is_dir() or suffix == ".tflite":
        from converters.parity.tf_runs import saved_model_network, tflite_network

        if path.is_dir():
            return saved_model_network(path, allow_ops)
        return tflite_network(path)
    if suffix in (".keras", ".h5"):
        from converters.doors.keras_file import open_keras

        return keras_network(open_keras(path))
    if suffix in (".onnx", ".ort", ""):
        from converters.parity.onnx_runs import onnx_network

        return onnx_network(path)
    if suffix in (".pt", ".pt2") and path.is_file():
        return _torch_file(path)
    raise ReadError(
        f"Expected an .onnx, .tflite, .keras, .pt2 or TorchScript .pt file or a SavedModel "
        f"folder to compare with, got '{path}'. Give the loaded network instead of the file."
    )


def _torch_file(path: Path) -> Network:
    """A `.pt2` program or TorchScript file, opened by the reader that checks it first."""
    from converters.torch_to_keras.files.opened import open_source

    opened = open_source(path, None)
    return _torch_network(opened.module, switches=path.suffix != ".pt2")


def _is_a(thing: object, module: str, name: str) -> bool:
    """Whether a class of this home is among a thing's own, without importing the package."""
    found = ((kind.__module__, kind.__name__) for kind in type(thing).__mro__)
    return any(home == module and kind == name for home, kind in found)


def keras_network(model: keras.Model) -> Network:
    """A Keras model in inference mode, inputs and outputs flat and in its own axis order."""
    import keras

    def run(arrays: Arrays) -> list[np.ndarray]:
        return as_arrays(called(model, arrays))

    flat = list(getattr(model, "inputs", None) or [])
    if not flat:
        return Network(f"Keras {keras.__version__}", lambda arrays: as_arrays(model(*arrays)))
    inputs = tuple(InputSpec(i.name, tuple(i.shape), str(i.dtype)) for i in flat)
    return Network(
        f"Keras {keras.__version__}", run, inputs, tuple(output.name for output in model.outputs)
    )


def called(model: keras.Model, arrays: Arrays) -> object:
    """What a Keras model answers in inference mode.

    Raises:
        ConversionError: it cannot be run on these, whatever the backend says about it.
    """
    try:
        return model(packed(model, [np.asarray(array) for array in arrays]), training=False)
    except Exception as err:  # each backend has exceptions of its own
        reason = " ".join(str(err).split())[:300] or type(err).__name__
        raise ConversionError(
            f"Expected that '{model.name}' can be run on inputs of the shapes "
            f"{[np.shape(array) for array in arrays]}, but: {reason}. Give inputs that fit it, or "
            "report this with the source's file."
        ) from err


def _torch_network(module: torch.nn.Module, switches: bool = True) -> Network:
    import torch

    def run(arrays: Arrays) -> list[np.ndarray]:
        modes = [(part, part.training) for part in module.modules()] if switches else []
        if switches:
            module.eval()
        try:
            with torch.no_grad():
                return as_arrays(module(*[torch.from_numpy(np.array(a)) for a in arrays]))
        finally:
            for part, training in modes:  # the caller's module stays as it was
                part.training = training

    return Network(f"PyTorch {torch.__version__}", run, channels_first=True)


def _function_network(function: Callable[..., object]) -> Network:
    name = getattr(function, "__name__", type(function).__name__)
    return Network(name, lambda arrays: as_arrays(function(*arrays)))


def as_arrays(result: object) -> list[np.ndarray]:
    """A flat list of arrays from whatever networks answer: tensors, tuples, dictionaries.

    >>> as_arrays({"a": [1.0, 2.0], "b": (np.zeros(2),)})[1]
    array([0., 0.])
    """
    if isinstance(result, Mapping):
        return [array for item in result.values() for array in as_arrays(item)]
    if hasattr(result, "detach"):
        return [result.detach().cpu().numpy()]
    if isinstance(result, (list, tuple)) and any(hasattr(item, "__array__") for item in result):
        return [array for item in result for array in as_arrays(item)]
    if isinstance(result, (list, tuple)) and result and isinstance(result[0], (list, tuple)):
        return [array for item in result for array in as_arrays(item)]
    return [np.asarray(result)]


def in_batches(network: Network, arrays: Arrays) -> list[np.ndarray]:
    """What a network answers, also to a multiple of the only batch size that it takes."""
    size = network.fixed_batch
    if not size or not arrays or arrays[0].shape[:1] in ((size,), ()):
        return network.run(arrays)
    total = len(arrays[0])
    parts = [
        network.run([a[start : start + size] if len(a) == total else a for a in arrays])
        for start in range(0, total, size)
    ]
    return [
        np.concatenate(answers) if np.ndim(answers[0]) else answers[0]
        for answers in zip(*parts, strict=True)
    ]


def with_inputs(network: Network, inputs: Sequence[InputSpec]) -> Network:
    """The network that is known to take these inputs."""
    return replace(network, inputs=tuple(inputs))
