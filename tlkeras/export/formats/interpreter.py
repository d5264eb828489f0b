"""What a .tflite file answers, by LiteRT's interpreter in this process."""

from importlib.util import find_spec
from typing import Any

import numpy as np

from tlkeras.errors import ExportError
from tlkeras.export.formats.int8 import SCALE, ZERO_POINT, to_int8
from tlkeras.export.formats.quality import Pixels
from tlkeras.threads import cores


def answers_of(content: bytes) -> Pixels:
    """A function from pixels (n, size_px, size_px, 3) in [0, 255] to probabilities (n, c) float32.

    Pictures go through one by one, as on a device. A file with int8 in and out gets pixel - 128,
    and its answers are scaled back.

    Raises:
        ExportError: the interpreter can't run the file, or it takes int8 at another scale.

    Example::

        answers_of(Path("flowers_int8.tflite").read_bytes())(pixels).argmax(axis=1)
    """
    interpreter = interpreter_of(content)
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
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
            rows.append(interpreter.get_tensor(wanted["index"])[0])
        return _scaled_back(np.stack(rows), wanted)

    return answers


def _scaled_back(found: np.ndarray, wanted: dict[str, Any]) -> np.ndarray:
    if found.dtype != np.int8:
        return found.astype(np.float32, copy=False)
    scale, zero_point = wanted["quantization"]
    return (found.astype(np.float32) - zero_point) * np.float32(scale)


def interpreter_of(content: bytes, *, delegates: bool = True) -> Any:
    """LiteRT's interpreter of a file, ready to run; without delegates every tensor can be read.

    Raises:
        ExportError: it can't run the file.
    """
    if find_spec("ai_edge_litert") is not None:
        from ai_edge_litert import interpreter as runtime
    else:  # deprecated by TensorFlow, yet all there is without the extra
        from tensorflow.lite.python import interpreter as runtime
    kinds = runtime.OpResolverType
    kind = kinds.AUTO if delegates else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    try:
        interpreter = runtime.Interpreter(
            model_content=content, num_threads=cores(), experimental_op_resolver_type=kind
        )
        interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        raise ExportError(
            f"Expected a file that LiteRT's interpreter runs, but it says: {error}. "
            "Export it again; a file with operators of TensorFlow's own does not run everywhere."
        ) from error
    return interpreter
