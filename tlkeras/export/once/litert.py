"""A script, run by its path: a LiteRT file's answers to pixels, by NumPy and LiteRT alone.

    python litert.py FILE.tflite request.npz answers.npz

The request holds `pixels` float32 (n, size, size, 3) in [0, 255]. Pictures go in one at a time, as
on a device; an int8 file gets them by its input's own scale and zero point, and its answers come
back as float32, each output by the name that the file's signature gives it.
"""

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

BARRED = ("keras", "tlkeras", "converters")


def main(model: str, request: str, answers: str) -> None:
    """Each output by its name into `answers`: `probabilities`, `unknown_score` if there is one."""
    for package in BARRED:
        sys.modules[package] = None  # type: ignore[assignment]
    import numpy as np

    interpreter = _interpreter(model)
    taken = interpreter.get_input_details()[0]
    with np.load(request) as stored:
        pixels = stored["pixels"]
    interpreter.resize_tensor_input(taken["index"], [1, *pixels.shape[1:]])
    interpreter.allocate_tensors()
    given = interpreter.get_signature_runner().get_output_details()
    rows: dict[str, list[np.ndarray]] = {name: [] for name in given}
    for picture in pixels:
        interpreter.set_tensor(taken["index"], _stored(picture[np.newaxis], taken))
        interpreter.invoke()
        for name, told in given.items():
            rows[name].append(_real(interpreter.get_tensor(told["index"]), told))
    np.savez(answers, **{name: np.concatenate(found) for name, found in rows.items()})


def _interpreter(model: str) -> Any:
    """LiteRT's own, or the one in TensorFlow where that is all there is."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        from tensorflow.lite.python.interpreter import Interpreter
    return Interpreter(model_path=model)


def _stored(values: "np.ndarray", detail: dict[str, Any]) -> "np.ndarray":
    """Values as the file's input holds them: divided by its scale, from its zero point."""
    import numpy as np

    scale, zero = detail["quantization"]
    if not scale:
        return values.astype(detail["dtype"])
    limits = np.iinfo(detail["dtype"])
    return np.clip(np.rint(values / scale) + zero, limits.min, limits.max).astype(detail["dtype"])


def _real(values: "np.ndarray", detail: dict[str, Any]) -> "np.ndarray":
    """float32 of what the file's output holds."""
    import numpy as np

    scale, zero = detail["quantization"]
    return ((values.astype(np.float32) - zero) * (scale or 1.0)).astype(np.float32)


if __name__ == "__main__":
    main(*sys.argv[1:])
