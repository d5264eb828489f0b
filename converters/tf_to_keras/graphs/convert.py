"""SavedModel folders, frozen graphs and TensorFlow Lite files → Keras, by way of ONNX."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import MissingExtraError, ReadError

if TYPE_CHECKING:
    import keras
    import onnx

_KINDS = {".pb": "frozen graph", ".tflite": "TensorFlow Lite", ".lite": "TensorFlow Lite"}
Shapes = Mapping[str, Sequence[int | None]]


def graph_to_keras(
    path: str | Path,
    *,
    input_shapes: Shapes | None = None,
    ops: Mapping[str, Callable[..., object]] | None = None,
    placeholders: bool = False,
    allow_mismatch: bool = False,
    allow_ops: Collection[str] = (),
    name: str | None = None,
) -> "keras.Model":
    """Trainable Keras model of a SavedModel folder, a frozen `.pb` or a `.tflite` file.

    Weights keep the names of their layers, BatchNorm stays BatchNorm, a quantised network comes
    in real numbers, and nothing of the file is run.

    Args:
        path: a folder with saved_model.pb in it, a `.pb` or a `.tflite` file.
        input_shapes: name of an input → its shape, for sizes that the file leaves open.
        ops: name of an operator → function that builds it, for those without a converter.
        placeholders: leaves layers that do nothing where an operator has no converter.
        allow_mismatch: returns the model even if its answers differ from the source's.
        allow_ops: operators by name that may be in a TensorFlow graph although they reach files,
            devices or other programs; while it is converted they may run.
        name: of the model.

    Raises:
        ReadError: no such file, or a damaged one.
        UnsafeFileError: a graph that can reach files or other programs.
        UnsupportedError: operators without a converter, all of them.

    Example::

        model = graph_to_keras("mobilenet_v2.tflite")
    """
    from converters.onnx_to_keras import onnx_to_keras

    folder = _saved_model(Path(path))
    if folder is not None and not (ops or placeholders or input_shapes):
        from converters.tf_to_keras.graphs.keras_layers import load_layers

        layered = load_layers(folder, name, allow_ops)
        if layered is not None:
            from converters.tf_to_keras.certificate import recorded

            return recorded(*layered, folder, "SavedModel of Keras 2")
    proto = graph_to_onnx(
        path,
        input_shapes=input_shapes,
        ops=tuple(ops or ()),
        placeholders=placeholders,
        allow_ops=allow_ops,
    )
    model = onnx_to_keras(
        proto, ops=ops, placeholders=placeholders, allow_mismatch=allow_mismatch, name=name
    )
    from converters.report import import_report, record

    kind = "SavedModel" if folder is not None else _KINDS[Path(path).suffix.lower()]
    record(model, replace(import_report(model), source=Path(path).name, kind=kind))
    return model


def graph_to_onnx(
    path: str | Path,
    *,
    input_shapes: Shapes | None = None,
    ops: Sequence[str] = (),
    placeholders: bool = False,
    allow_ops: Collection[str] = (),
) -> "onnx.ModelProto":
    """ONNX network of the same files: float32, real weight names, its batch free.

    Example::

        proto = graph_to_onnx("saved_model_folder")
    """
    try:
        import onnx  # noqa: F401
    except ImportError as err:
        raise MissingExtraError("onnx", "convert", "Converting a TensorFlow network") from err
    path = Path(path)
    folder = _saved_model(path)
    if folder is not None:
        from converters.tf_to_keras.graphs.saved_model import saved_model_to_onnx

        return saved_model_to_onnx(folder, input_shapes=input_shapes, allow_ops=allow_ops)
    if path.suffix.lower() == ".pb":
        from converters.tf_to_keras.graphs.frozen import frozen_to_onnx

        return frozen_to_onnx(path, input_shapes=input_shapes, allow_ops=allow_ops)
    from converters.tf_to_keras.tflite.convert import tflite_to_onnx
    from converters.tf_to_keras.tflite.read import read_bytes

    if path.suffix.lower() not in _KINDS:
        raise ReadError(
            f"Expected a SavedModel folder, a .pb or a .tflite file, got '{path}'. Check the path."
        )
    return tflite_to_onnx(
        read_bytes(path), input_shapes=input_shapes, ops=ops, placeholders=placeholders,
        name=path.stem,
    )  # fmt: skip


def _saved_model(path: Path) -> Path | None:
    """The folder of a SavedModel, given itself or by its saved_model.pb."""
    if path.name == "saved_model.pb":
        return path.parent
    return path if path.is_dir() else None
