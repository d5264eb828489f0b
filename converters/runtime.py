"""ONNX Runtime as this package needs it: a few samples, little memory, nothing on the terminal."""

from pathlib import Path
from typing import Any

_ONLY_ERRORS = 4  # it writes warnings straight to the terminal


def onnx_runtime(file: Path, *, threads: int = 0, optimised: bool = True) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    Args:
        file: an ONNX file that was checked: the runtime follows external data out of its folder.
        threads: within an operator; 0 for as many as there are processors.
        optimised: off, every node runs as it is written. Of ONNX Runtime 1.23's own rewritings
            some answer wrongly (a zero padding fused into a pooling).

    Raises:
        ImportError: onnxruntime is not installed.
        Exception: of several classes that onnxruntime does not name: it cannot run the file.
    """
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ONLY_ERRORS
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    # Weights are used as they are read: no second copy in the kernels' own layout, no arena.
    options.add_session_config_entry("session.disable_prepacking", "1")
    options.enable_cpu_mem_arena = False
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
