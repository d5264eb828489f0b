"""Runs an ONNX file: by ONNX Runtime, or by onnx's own reference where that is not installed."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from converters.exported import Answers
from converters.parity.onnx_runs import onnx_runtime


def onnx_session(file: Path) -> Answers:
    """A function from the file's inputs to its outputs, in the file's own order."""
    if find_spec("onnxruntime") is None:
        from onnx.reference import ReferenceEvaluator

        evaluator = ReferenceEvaluator(str(file))
        names = list(evaluator.input_names)
        return lambda fed: list(evaluator.run(None, dict(zip(names, fed, strict=True))))
    session = onnx_runtime(file)
    inputs = [entry.name for entry in session.get_inputs()]
    return lambda fed: [
        np.asarray(output) for output in session.run(None, dict(zip(inputs, fed, strict=True)))
    ]
