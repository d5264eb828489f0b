"""What a .tflite file answers, by LiteRT's interpreter in this process."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from tlkeras.errors import ExportError
from tlkeras.export.formats.quality import Table
from tlkeras.export.formats.rounding.int8 import SCALE, ZERO_POINT, to_int8
from tlkeras.export.named import PROBABILITIES, SCORE
from tlkeras.threads import cores


def answers_of(content: bytes) -> Table:
    """A function from pixels (n, size_px, size_px, 3) in [0, 255] to a table (n, c) float32.

    Its columns are the probabilities, and the unknown score in one more if the file gives it.
    Pictures go through one by one, as on a device. A file with int8 in and out gets pixel - 128,
    and its answers are scaled back.

    Raises:
        ExportError: the interpreter can't run the file, or it takes int8 at another scale.

    Example::

        answers_of(Path("flowers_int8.tflite").read_bytes())(pixels)[:, :2].argmax(axis=1)
    """
    interpreter = interpreter_of(content)
    (given,) = interpreter.get_input_details()
    outputs = outputs_of(interpreter)
    wanted = [outputs[name] for name in (PROBABILITIES, SCORE) if name in outputs]
    whole = given["dtype"] == np.int8
    if whole and given["quantization"] != (SCALE, ZERO_POINT):
        raise ExportError(
            f"Expected an input of pixel - 128: scale {SCALE:g}, zero point {ZERO_POINT}. "
            f"Received: {given['quantization']}. Calibrate on pixels from 0 to 255."
        )

    def answers(pixels: np.ndarray) -> np.ndarray:
        rows = []
        for row in pixels:
            shown = to_int8(row) if whole else np.asarray(row, given["dtype"])
            interpreter.set_tensor(given["index"], shown[np.newaxis])
            interpreter.invoke()
            found = ((interpreter.get_tensor(each["index"]), each) for each in wanted)
            rows.append(np.concatenate([scaled_back(*each).ravel() for each in found]))
        return np.stack(rows)

    return answers


def outputs_of(interpreter: Any) -> dict[str, dict[str, Any]]:
    """LiteRT's details of each output by its name; one alone is taken for the probabilities.

    Raises:
        ExportError: several outputs without names.
    """
    details = interpreter.get_output_details()
    if len(details) == 1:
        return {PROBABILITIES: details[0]}
    try:
        return dict(interpreter.get_signature_runner().get_output_details())
    except ValueError as error:
        raise ExportError(
            f"Expected a file of one output, or one signature that names them. Received: "
            f"{len(details)} outputs ({error}). Export the classifier again."
        ) from error


def scaled_back(found: np.ndarray, told: dict[str, Any]) -> np.ndarray:
    """float32 of what a tensor with these details holds."""
    if found.dtype != np.int8:
        return found.astype(np.float32, copy=False)
    scale, zero_point = told["quantization"]
    return (found.astype(np.float32) - zero_point) * np.float32(scale)


def interpreter_of(content: bytes, *, inside: bool = False) -> Any:
    """LiteRT's interpreter of a file, ready to run; with `inside` every tensor can be read.

    Raises:
        ExportError: it can't run the file.
    """
    if find_spec("ai_edge_litert") is not None:
        from ai_edge_litert import interpreter as runtime
    else:  # deprecated by TensorFlow, yet all there is without the extra
        from tensorflow.lite.python import interpreter as runtime
    kinds = runtime.OpResolverType
    # A delegate keeps tensors to itself, and the rest is written over once it was read.
    kind = kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES if inside else kinds.AUTO
    try:
        interpreter = runtime.Interpreter(
            model_content=content,
            num_threads=cores(),
            experimental_op_resolver_type=kind,
            experimental_preserve_all_tensors=inside,
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ExportError(
            f"Expected a file that LiteRT's interpreter runs, but it says: {error}. "
            "Export it again; a file with operators of TensorFlow's own does not run everywhere."
        ) from error
    return interpreter
