"""A Keras model as a LiteRT (TensorFlow Lite) file that its interpreter answers alike from."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from converters.errors import ConversionError
from converters.exported import (
    Answers,
    check_has_graph,
    computes_in_half,
    input_names,
    output_names,
    staged,
    tolerance_of,
    verify_export,
)
from converters.keras_to_tf import save

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

Quantize = Literal["float16", "dynamic"]
_TOLERANCES: dict[str, float] = {"float16": 3e-2, "dynamic": 2e-1}


def keras_to_litert(
    model: "keras.Model",
    path: str | Path,
    *,
    quantize: Quantize | None = None,
    inputs: Sequence[np.ndarray] | None = None,
) -> Path:
    """The path, once a .tflite file is there that gives the same answers.

    Its signature `serving_default` has the model's own names; inputs are (n, ...) in Keras'
    order with an open batch, outputs float32. Operators that LiteRT lacks are an error, since
    files with TensorFlow's own do not run everywhere.

    Args:
        model: Functional or Sequential.
        path: the file; an old one is replaced once the new one is verified.
        quantize: "float16" stores weights in half the size, "dynamic" in int8 with the sums in
            int8 and everything else in float. None keeps float32.
        inputs: an example for each input, (n, ...), to verify with; random ones if None.

    Raises:
        MismatchError: the file's answers are off by more than 1e-4 of the largest one, 0.03
            with "float16", 0.2 with "dynamic"; none is left.
        ConversionError: LiteRT has no operator for a layer, or `quantize` is unknown.

    Example::

        keras_to_litert(model, "flowers.tflite", quantize="float16")
    """
    check_has_graph(model)
    if quantize not in (None, *_TOLERANCES):
        raise ConversionError(
            f"Expected quantize to be None or one of {sorted(_TOLERANCES)}, came {quantize!r}. "
            "Leave it out for float32."
        )
    tolerance = max(tolerance_of(model), _TOLERANCES.get(quantize or "", 0.0))
    with staged(path) as fresh:
        fresh.write_bytes(litert_bytes(model, quantize))
        answers = _interpreter(model, fresh)
        worst = verify_export(model, answers, "the LiteRT file", given=inputs, tolerance=tolerance)
    logger.info("%s answers like the Keras model: largest difference %.2g", path, worst)
    return Path(path)


def litert_bytes(
    model: "keras.Model",
    quantize: Literal["float16", "dynamic", "int8"] | None = None,
    shown: np.ndarray | None = None,
) -> bytes:
    """The content of a .tflite file of the model; its answers are not compared here.

    With "int8" all is in whole numbers, inputs and outputs too: weights with a scale for each
    channel, everything else with the range that it has on `shown` (m, ...), of which m >= 1 rows
    go through the model one by one.

    Raises:
        ConversionError: LiteRT has no operator for a layer, or none in whole numbers.

    Example::

        Path("flowers_int8.tflite").write_bytes(litert_bytes(model, "int8", pixels[:100]))
    """
    import tensorflow as tf

    with TemporaryDirectory() as folder:
        save(_as_float32(model), Path(folder), named_like=model)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        if quantize is not None:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if quantize == "float16":
            converter.target_spec.supported_types = [tf.float16]
        if quantize == "int8":
            rows = np.asarray(shown, np.float32)
            converter.representative_dataset = lambda: ([row[np.newaxis]] for row in rows)
            converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
            converter.inference_input_type = converter.inference_output_type = tf.int8
        try:
            return bytes(converter.convert())
        except Exception as err:  # ConverterError is not public, and what it wraps is of any kind
            raise ConversionError(
                "Expected every layer to have an operator in LiteRT, but its converter says: "
                f"{err}. Replace the layer, or export to ONNX or a SavedModel."
            ) from err


def _as_float32(model: Any) -> Any:
    """The model, or a copy that computes in float32 where it does so in half precision."""
    import keras

    if not computes_in_half(model):
        return model

    def whole(layer: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return layer  # of keras.ops: no weights, and computes in what it is given
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=whole, recursive=True)
    copy.set_weights(model.get_weights())
    return copy


def _interpreter(model: Any, file: Path) -> Answers:
    if find_spec("ai_edge_litert") is not None:
        from ai_edge_litert.interpreter import Interpreter
    else:  # deprecated by TensorFlow, yet all there is without the extra
        from tensorflow.lite.python.interpreter import Interpreter
    interpreter = Interpreter(model_path=str(file))  # must outlive its runner, which forgets it
    runner = interpreter.get_signature_runner("serving_default")
    names, results = input_names(model), output_names(model)

    def answers(shown: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = runner(**dict(zip(names, shown, strict=True)))
        return [np.array(found[name]) for name in results] if interpreter else []

    return answers
