"""ONNX Runtime: the fastest start, and float32 at two thirds of what the processor can."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tlkeras.errors import MissingExtraError
from tlkeras.features.engines.engine import BATCH, Precision, in_batches
from tlkeras.threads import cores

_ONLY_ERRORS = 4  # it writes warnings straight to the terminal


@dataclass(frozen=True, eq=False)
class OnnxRuntimeEngine:
    """One session that `streams` threads call, each computing on `threads` cores of its own."""

    session: Any
    streams: int
    name: str = "onnxruntime"
    precision: Precision = "float32"
    batch: int = BATCH
    outputs: tuple[str, ...] | None = None

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings (m, d) float32 of pixels (m, h, w, 3) float32 or uint8 in [0, 255]."""
        return in_batches(self._run, pixels, self.batch)

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        found = self.session.run(self.outputs, {self.session.get_inputs()[0].name: pixels})
        return found[0] if len(found) == 1 else np.column_stack(found)


def onnxruntime_engine(
    file: str | Path, *, streams: int | None = None, threads: int = 1, omit: str | None = None
) -> OnnxRuntimeEngine:
    """Engine that runs an ONNX file of one picture input; several outputs come side by side.

    Args:
        file: pixels (n, h, w, 3) float32 in [0, 255] → (n, d), the batch open; one that was
            checked, since the runtime follows external data out of its folder.
        streams: threads that call it at once; None: one a core.
        threads: cores that one call computes on; more than one only with `streams=1`.
        omit: an output that is not asked for, should the file have it.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        Exception: of several classes that onnxruntime does not name: it cannot run the file.

    Example::

        engine = onnxruntime_engine("backbone.onnx", streams=2)
        engine(pixels)                                  # (8, 224, 224, 3) → (8, 1280)
    """
    session = onnx_session(file, threads)
    names = tuple(each.name for each in session.get_outputs() if each.name != omit)
    return OnnxRuntimeEngine(session, streams or max(cores() // threads, 1), outputs=names)


def onnx_session(file: str | Path, threads: int) -> Any:
    """An `onnxruntime.InferenceSession` of a file that was checked, without spinning threads.

    Raises:
        MissingExtraError: onnxruntime is not installed.
        Exception: of several classes that onnxruntime does not name: it cannot run the file.
    """
    if find_spec("onnxruntime") is None:
        raise MissingExtraError("onnxruntime", "convert", "Running a backbone by ONNX Runtime")
    import onnxruntime  # type: ignore[import-untyped,unused-ignore]

    options = onnxruntime.SessionOptions()
    # One thread a call: several calls at once need no barrier after every operator.
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Threads that spin while they wait take up to 40 % of the cores from the readers.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = _ONLY_ERRORS
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
