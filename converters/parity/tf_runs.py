"""TensorFlow Lite files and SavedModel folders as something to run and compare with."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import MissingExtraError, ReadError
from converters.parity.inputs import InputSpec
from converters.parity.network import Arrays, Network

if TYPE_CHECKING:
    from types import ModuleType

_SIGNATURES = ("serving_default", "serve", "serving")


def tflite_network(path: Path, *, trusted: bool = False) -> Network:
    """A `.tflite` file run by its interpreter; quantised inputs and outputs as real numbers.

    A file from elsewhere is read and checked first; one that was made here need not be, and may
    have several graphs.
    """
    from converters.tf_to_keras.tflite.read import read_bytes, read_network

    content = read_bytes(path)
    if not trusted:
        read_network(content, path.name)  # what is damaged would crash the interpreter
    interpreter_class, label = _interpreter()
    try:
        interpreter = interpreter_class(model_content=content)
    except (OSError, ValueError, RuntimeError) as err:
        raise ReadError(f"Expected a .tflite file, got '{path}': {err}. Check the path.") from err
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()

    def run(arrays: Arrays) -> list[np.ndarray]:
        for detail, array in zip(inputs, arrays, strict=True):
            interpreter.resize_tensor_input(detail["index"], array.shape)
        interpreter.allocate_tensors()
        for detail, array in zip(inputs, arrays, strict=True):
            interpreter.set_tensor(detail["index"], _quantised(array, detail))
        interpreter.invoke()
        return [_real(interpreter.get_tensor(detail["index"]), detail) for detail in outputs]

    specs = [InputSpec(d["name"], _shape(d), _real_kind(d)) for d in inputs]
    return Network(label, run, tuple(specs), tuple(str(d["name"]) for d in outputs))


def _interpreter() -> tuple[type, str]:
    try:
        from ai_edge_litert import interpreter as litert  # type: ignore[import-not-found,import-untyped,unused-ignore]

        return litert.Interpreter, "LiteRT"
    except ImportError:
        tensorflow = _tensorflow("Running a .tflite file")
        return tensorflow.lite.Interpreter, f"TensorFlow Lite {tensorflow.__version__}"


def _tensorflow(purpose: str) -> ModuleType:
    try:
        import tensorflow
    except ImportError as err:
        raise MissingExtraError("tensorflow", "convert", purpose) from err
    return tensorflow


def _shape(detail: dict[str, np.ndarray]) -> tuple[int | None, ...]:
    # An exporter that knows no batch writes 1; the interpreter takes others all the same.
    signature = detail.get("shape_signature", detail["shape"])
    sizes = [None if size < 0 else int(size) for size in signature]
    return (None, *sizes[1:]) if len(sizes) > 1 else tuple(sizes)


def _scale(detail: dict[str, tuple[float, int]]) -> tuple[float, int]:
    scale, zero = detail["quantization"]
    return float(scale), int(zero)


def _real_kind(detail: dict) -> str:
    return "float32" if _scale(detail)[0] else np.dtype(detail["dtype"]).name


def _quantised(array: np.ndarray, detail: dict) -> np.ndarray:
    scale, zero = _scale(detail)
    if not scale:
        return array.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.round(array / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _real(array: np.ndarray, detail: dict) -> np.ndarray:
    scale, zero = _scale(detail)
    return (array.astype(np.float32) - zero) * np.float32(scale) if scale else array


def saved_model_network(folder: Path, allow_ops: Collection[str] = ()) -> Network:
    """A SavedModel's serving signature, of a graph that was checked for what reaches files."""
    tensorflow = _tensorflow("Running a SavedModel")
    from converters.tf_to_keras.graphs.source.read import read_saved_model

    read_saved_model(folder, allow_ops)  # its graph is a program, and is run below
    try:
        loaded = tensorflow.saved_model.load(str(folder))
    except (OSError, ValueError, RuntimeError) as err:
        raise ReadError(f"Expected a SavedModel, got '{folder}': {err}. Check the path.") from err
    name = next((name for name in _SIGNATURES if name in loaded.signatures), None)
    if name is None:
        raise ReadError(
            f"Expected a SavedModel with the signature '{_SIGNATURES[0]}', got "
            f"{sorted(loaded.signatures)} in '{folder}'. Save it with one."
        )
    signature = loaded.signatures[name]
    described = signature.structured_input_signature[1]
    specs = tuple(
        InputSpec(key, tuple(spec.shape.as_list()), spec.dtype.name)
        for key, spec in described.items()
    )

    def run(arrays: Arrays) -> list[np.ndarray]:
        feeds = {
            spec.name: tensorflow.constant(array, dtype=spec.dtype)
            for spec, array in zip(specs, arrays, strict=True)
        }
        answers = signature(**feeds)
        return [answers[key].numpy() for key in sorted(answers)]

    outputs = tuple(sorted(signature.structured_outputs))
    return Network(f"TensorFlow {tensorflow.__version__}", run, specs, outputs)
