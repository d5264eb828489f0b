"""What every engine is: pixels in, embeddings out, called by several threads at once.

thread 1: read 8 pictures ─▶ ┌────────┐ ─▶ embeddings (8, d)
thread 2: read 8 pictures ─▶ │ Engine │ ─▶ embeddings (8, d)
            …                └────────┘       each call on one core: no thread waits for another
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

Precision = Literal["float32", "bfloat16", "int8"]
Run = Callable[[np.ndarray], np.ndarray]

# Larger batches are no faster on a processor and fall out of its cache.
BATCH = 4


class Engine(Protocol):
    """A frozen backbone that runs: pixels (m, h, w, 3) in [0, 255] → embeddings (m, d).

    Pixels are float32 or uint8, embeddings float32; m may differ from call to call. Calls may
    come from `streams` threads at once.

    Example::

        engine = onnxruntime_engine("backbone.onnx", streams=2)
        vectors = engine(pixels)            # (8, 224, 224, 3) → (8, 1280)
    """

    @property
    def name(self) -> str:
        """The package that computes: "tensorflow", "onnxruntime", "openvino" or "litert"."""
        ...

    @property
    def precision(self) -> Precision:
        """What it multiplies in; sums and embeddings are wider."""
        ...

    @property
    def streams(self) -> int:
        """How many threads may call it at once, to keep every core busy."""
        ...

    @property
    def batch(self) -> int:
        """Pictures a call that suit it; any other number works too."""
        ...

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings (m, d) float32 of pixels (m, h, w, 3) float32 or uint8 in [0, 255]."""
        ...


@dataclass(frozen=True, eq=False)
class WholeBatches:
    """An engine whose answer for a picture does not depend on how many others come with it.

    A matrix product of one row may be summed in another order than the same row among four, and
    which pictures are left to compute depends on where the last run was broken off.

    Example::

        WholeBatches(onnxruntime_engine("backbone.onnx"))(pixels[:1])       # filled up to 4
    """

    engine: Engine

    @property
    def name(self) -> str:
        """The engine's."""
        return self.engine.name

    @property
    def precision(self) -> Precision:
        """The engine's."""
        return self.engine.precision

    @property
    def streams(self) -> int:
        """The engine's."""
        return self.engine.streams

    @property
    def batch(self) -> int:
        """The engine's."""
        return self.engine.batch

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings (m, d) float32 of pixels (m, h, w, 3) float32 or uint8 in [0, 255]."""
        return in_batches(self.engine, pixels, self.batch, full=True)


def in_batches(run: Run, pixels: np.ndarray, batch: int, *, full: bool = False) -> np.ndarray:
    """Rows (m, d) float32 that `run` gives for pixels (m, h, w, 3), at most `batch` a call.

    Args:
        run: float32 pixels (k, h, w, 3), contiguous, k <= batch → (k, d).
        pixels: float32 or uint8 in [0, 255], from none to any number of pictures.
        batch: the most pictures a call.
        full: whether `run` takes exactly `batch`; the last call is filled up with black pictures.

    Raises:
        ValueError: pixels that are not (m, h, w, 3).

    >>> mean = lambda some: some.mean((1, 2))
    >>> in_batches(mean, np.ones((5, 2, 3, 3), "uint8"), 2).shape
    (5, 3)
    """
    if pixels.ndim != 4 or pixels.shape[3] != 3:
        raise ValueError(
            f"Expected pixels (m, h, w, 3), received an array {pixels.shape}. "
            "Stack pictures with np.stack; one picture is picture[None]."
        )
    if not len(pixels):  # what the width is, only a run can tell
        return in_batches(run, np.zeros((1, *pixels.shape[1:]), np.float32), batch, full=full)[:0]
    parts = [
        _one(run, pixels[start : start + batch], batch if full else 0)
        for start in range(0, len(pixels), batch)
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _one(run: Run, pixels: np.ndarray, rows: int) -> np.ndarray:
    if len(pixels) >= rows:
        return run(np.ascontiguousarray(pixels, np.float32))
    filled = np.zeros((rows, *pixels.shape[1:]), np.float32)
    filled[: len(pixels)] = pixels
    return run(filled)[: len(pixels)]
