"""LiteRT (TensorFlow Lite): the smallest in memory, and int8 for those who ask for it."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from tlkeras.errors import MissingExtraError
from tlkeras.features.engines.engine import BATCH, Precision, in_batches
from tlkeras.features.engines.pool import Pool
from tlkeras.threads import cores


@dataclass(frozen=True, eq=False)
class LiteRtEngine:
    """Interpreters of one file, one for each thread that calls."""

    interpreters: Pool[Any]
    streams: int
    precision: Precision = "float32"
    name: str = "litert"
    batch: int = BATCH

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings (m, d) float32 of pixels (m, h, w, 3) float32 or uint8 in [0, 255]."""
        return in_batches(self._run, pixels, self.batch)

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        with self.interpreters.borrowed() as interpreter:
            place = interpreter.get_input_details()[0]
            if tuple(place["shape"]) != pixels.shape:
                interpreter.resize_tensor_input(place["index"], pixels.shape)
                interpreter.allocate_tensors()
            interpreter.set_tensor(place["index"], pixels)
            interpreter.invoke()
            return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def litert_engine(
    file: str | Path,
    *,
    streams: int | None = None,
    threads: int = 1,
    precision: Precision = "float32",
) -> LiteRtEngine:
    """Engine that runs a .tflite file of one picture input and one embedding output.

    Args:
        file: pixels (n, h, w, 3) float32 in [0, 255] → (n, d) float32; numbers inside may be
            int8.
        streams: threads that call it at once, an interpreter each; None: one a core.
        threads: cores that one call computes on; more than one only with `streams=1`.
        precision: what the file was written in; it decides, this only tells.

    Raises:
        MissingExtraError: ai-edge-litert is not installed.
        ValueError: the file is not one that LiteRT reads.

    Example::

        engine = litert_engine("backbone.tflite", streams=2)
        engine(pixels)                                  # (8, 224, 224, 3) → (8, 1280)
    """
    if find_spec("ai_edge_litert") is None:
        raise MissingExtraError("ai-edge-litert", "engines", "Running a backbone by LiteRT")
    from ai_edge_litert.interpreter import Interpreter

    def interpreter() -> Any:
        fresh = Interpreter(model_path=str(file), num_threads=threads)
        fresh.allocate_tensors()
        return fresh

    streams = streams or max(cores() // threads, 1)
    pool = Pool(interpreter, streams)
    with pool.borrowed():
        pass  # a file that cannot be read is told here, not in the first thread
    return LiteRtEngine(pool, streams, precision)
