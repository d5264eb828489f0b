"""OpenVINO: the fastest on dense networks, and the way to bfloat16 and its matrix units."""

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tlkeras.errors import BackboneError, MissingExtraError
from tlkeras.features.engines.engine import BATCH, in_batches
from tlkeras.features.engines.pool import Pool
from tlkeras.threads import cores

_HINTS = {"float32": "f32", "bfloat16": "bf16"}


@dataclass(frozen=True, eq=False)
class OpenVinoEngine:
    """A compiled network; `requests` lends one place in it to each thread that calls."""

    requests: Pool[Any]
    streams: int
    precision: Literal["float32", "bfloat16"]
    batch: int
    name: str = "openvino"

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Embeddings (m, d) float32 of pixels (m, h, w, 3) float32 or uint8 in [0, 255]."""
        return in_batches(self._run, pixels, self.batch, full=True)

    def _run(self, pixels: np.ndarray) -> np.ndarray:
        with self.requests.borrowed() as request:
            request.infer([pixels], share_inputs=True)
            # A copy: the next call writes where this answer lies.
            return np.array(request.get_output_tensor(0).data, np.float32)


def openvino_engine(
    file: str | Path,
    *,
    streams: int | None = None,
    threads: int = 1,
    precision: Literal["float32", "bfloat16"] = "float32",
    batch: int = BATCH,
    cache: Path | None = None,
) -> OpenVinoEngine:
    """Engine that runs an ONNX file of one picture input and one embedding output.

    The network is compiled for exactly `batch` pictures, a fifth to a third faster than for an
    open number; fewer are filled up. One that serves single pictures takes `batch=1`.

    Args:
        file: pixels (n, h, w, 3) float32 in [0, 255] → (n, d).
        streams: threads that call it at once; None: one a core.
        threads: cores that one call computes on; more than one only with `streams=1`.
        precision: float32 is exact; bfloat16 multiplies with 8 bits of mantissa, two to six
            times as fast where the processor does so itself.
        batch: pictures a call.
        cache: folder for the compiled network, so that the next start need not compile.

    Raises:
        MissingExtraError: openvino is not installed.
        BackboneError: bfloat16 on a processor without it.
        RuntimeError: OpenVINO cannot read or compile the file.

    Example::

        engine = openvino_engine("backbone.onnx", streams=2, precision="bfloat16")
        engine(pixels)                                  # (8, 224, 224, 3) → (8, 1280)
    """
    if find_spec("openvino") is None:
        raise MissingExtraError("openvino", "engines", "Running a backbone by OpenVINO")
    import openvino  # type: ignore[import-untyped,unused-ignore]

    core = openvino.Core()
    if precision == "bfloat16" and "BF16" not in core.get_property(
        "CPU", "OPTIMIZATION_CAPABILITIES"
    ):
        raise BackboneError(
            "Expected a processor that multiplies in bfloat16 (AVX512_BF16, AMX or Arm's BF16), "
            'and this one does not. Leave precision at "float32".'
        )
    streams = streams or max(cores() // threads, 1)
    options: dict[str, Any] = {
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams * threads,
        # Left open, a processor with bfloat16 computes in it without a word.
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        # Two processes on one machine must not be pinned to the same core.
        "ENABLE_CPU_PINNING": False,
    }
    # A folder a precision: OpenVINO's name for a compiled network does not contain it.
    if cache is not None and _can_write(cache / f"openvino-{precision}"):
        options["CACHE_DIR"] = str(cache / f"openvino-{precision}")
    network = core.read_model(str(file))
    shape = network.input(0).partial_shape
    shape[0] = batch
    network.reshape(shape)
    compiled = core.compile_model(network, "CPU", options)
    engine = OpenVinoEngine(Pool(compiled.create_infer_request, streams), streams, precision, batch)
    # Its Python binding sets itself up in the first call. Two threads that come first together
    # wait for each other for ever, each with a lock that the other wants: seen in 1 start of 6.
    engine._run(np.zeros(tuple(compiled.input(0).shape), np.float32))
    return engine


def _can_write(folder: Path) -> bool:
    """Whether the folder is there, or was made, and takes files; OpenVINO fails where not."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK)
