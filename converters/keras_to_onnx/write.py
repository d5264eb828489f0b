"""A Keras model as an ONNX file that ONNX Runtime was seen to answer alike."""

import logging
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError, MissingExtraError, UnsupportedError
from converters.exported import check_model_type, staged, verify_export
from converters.keras_to_onnx.run import onnx_session

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

OPSETS = range(13, 22)
DEFAULT_OPSET = 17
_BATCHES = (2, 3)  # 2: no axis is mistaken for one of size 1; 3: the batch is open


def keras_to_onnx(
    model: "keras.Model",
    path: str | Path,
    *,
    opset: int | None = None,
    batch: int | None = None,
    channels_first_input: bool = False,
    fallback: bool = True,
    verify: bool = True,
    inputs: Sequence[np.ndarray] | None = None,
) -> Path:
    """The path, once an ONNX file of the network is there that gives the same answers.

    Inputs and outputs keep their names and Keras' order of axes, (n, h, w, c) float32; with
    `channels_first_input`, pictures and volumes go in as (n, c, h, w). Inside, convolutions are
    channels-first. BatchNormalization stays a node of its own, weights are named by layer. More
    than 2 GB of weights go to `path` + ".data". Every number is float32, whatever the precision
    the model computes in.

    Args:
        model: Functional, Sequential, or any other built model together with `inputs`.
        path: the file; an old one is replaced once the new one is verified.
        opset: 13 to 21; None: 17, or 18 for a model that needs it.
        batch: a fixed batch size; None leaves it open.
        channels_first_input: whether inputs of four and five axes are (n, c, ...).
        fallback: whether tf2onnx is asked, with a warning in the log, where a layer has no
            writer. It folds BatchNormalization and takes many times the model's memory.
        verify: whether the file is run, at two batch sizes, and compared with the model.
        inputs: an example for each input, (n, ...), to verify with; random ones if None.

    Raises:
        UnsupportedError: layers without a writer, all at once, and no fallback.
        MismatchError: the file answers differently; none is left.
        MissingExtraError: onnx, or tf2onnx for the fallback, is not installed.

    Example::

        keras_to_onnx(keras.applications.MobileNetV2(weights=None), "mobilenet.onnx")
    """
    asked, opset = opset, DEFAULT_OPSET if opset is None else opset
    if opset not in OPSETS:
        raise ConversionError(
            f"Expected an opset from {OPSETS[0]} to {OPSETS[-1]}, came {opset}. "
            "17 is what most runtimes take."
        )
    if find_spec("onnx") is None:
        raise MissingExtraError("onnx", "convert", "Writing an ONNX file")
    check_model_type(model)
    from converters.keras_to_onnx.assemble import assemble
    from converters.keras_to_onnx.parts.movement import ANTIALIAS_OPSET
    from converters.keras_to_onnx.wire import write_model

    proto, parameters, unwritten = assemble(
        model, opset=opset, batch=batch, first=channels_first_input, inputs=inputs
    )
    if unwritten and asked is None:
        newer = assemble(
            model, opset=ANTIALIAS_OPSET, batch=batch, first=channels_first_input, inputs=inputs
        )
        if not newer[2]:
            proto, parameters, unwritten = newer
    with staged(path, 4 * int(model.count_params())) as fresh:
        if unwritten:
            told = _told(unwritten)
            if not fallback:
                raise UnsupportedError(told, unwritten)
            _fall_back(model, fresh, told, unwritten, opset, batch, channels_first_input)
        else:
            write_model(proto, parameters, fresh)
        if verify:
            worst = _verify(model, fresh, batch, channels_first_input, inputs)
            logger.info("%s answers like the Keras model: largest difference %.2g", path, worst)
    return Path(path)


def _verify(
    model: Any, file: Path, batch: int | None, first: bool, given: Sequence[np.ndarray] | None
) -> float:
    try:
        run = onnx_session(file)
    except Exception as err:  # ONNX Runtime has an exception class for each of its error codes
        reason = (str(err).strip() or type(err).__name__).splitlines()[0][:300]
        raise ConversionError(
            f"Expected a file that ONNX Runtime takes, came one that it refuses: {reason}. "
            "Nothing was written. Replace the layers that the log names."
        ) from err

    def answers(shown: Sequence[np.ndarray]) -> list[np.ndarray]:
        return run([_turned(array, first) for array in shown])

    batches = _BATCHES if batch is None else (batch,)
    return verify_export(model, answers, "the ONNX file", batches=batches, given=given)


def _turned(array: np.ndarray, first: bool) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(array, -1, 1)) if first and array.ndim > 3 else array


def _told(unwritten: dict[str, list[str]]) -> str:
    lines = [
        f"  {kind} ({len(places)}): {'; '.join(places[:3])}" for kind, places in unwritten.items()
    ]
    return (
        "Expected layers and operations that have a writer to ONNX, came some that have none:\n"
        + "\n".join(lines)
        + "\nReplace them, or leave fallback=True with tf2onnx installed."
    )


def _fall_back(
    model: Any,
    file: Path,
    told: str,
    unwritten: dict[str, list[str]],
    opset: int,
    batch: int | None,
    first: bool,
) -> None:
    from converters.keras_to_onnx.fallback import through_tf2onnx

    if first:
        raise UnsupportedError(
            told + "\nThe fallback keeps Keras' order: leave channels_first_input=False.", unwritten
        )
    if find_spec("tf2onnx") is None:
        raise MissingExtraError("tf2onnx", "convert", told)
    logger.warning("%s\nThe whole model goes through tf2onnx.", told.rpartition("\n")[0])
    through_tf2onnx(model, file, opset=opset, batch=batch, unwritten=unwritten)
