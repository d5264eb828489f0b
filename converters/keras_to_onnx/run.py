"""Runs an ONNX file: by ONNX Runtime, or by onnx's own reference where that is not installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from converters.exported import Answers


def onnx_session(file: Path) -> Answers:
    """A function from the file's inputs to its outputs, in the file's own order."""
    if find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(str(file))
        names = list(evaluator.input_names)
        return lambda fed: list(evaluator.run(None, dict(zip(names, fed, strict=True))))
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    # Weights are used as they are read: no second copy in the kernels' own layout, no arena.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    inputs = [entry.name for entry in session.get_inputs()]
    return lambda fed: [
        np.asarray(output) for output in session.run(None, dict(zip(inputs, fed, strict=True)))
    ]
