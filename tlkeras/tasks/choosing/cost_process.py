"""Backbones alone in a process: how fast each is, and the most memory that took.

    python -P -m tlkeras.tasks.choosing.cost_process

Reads lines ["onnxruntime", "backbone.onnx", "pixels.npy"] and answers each with a line
{"pictures_per_second": …, "peak_mb": …}, the peak null where the system does not tell it, or
{"failed": "why"}. On Linux each backbone runs in a fork of this process, which has loaded the
engines and nothing else; elsewhere the process ends after its first answer.
"""

import json
import os
import sys
from importlib.util import find_spec

import numpy as np

from tlkeras.features.engines.onnxruntime import onnxruntime_engine
from tlkeras.features.engines.openvino import openvino_engine
from tlkeras.features.engines.timing import pictures_per_second
from tlkeras.tasks.cost import peak_mb

SECONDS = 0.1


def main() -> None:
    """Answer line by line until there are no more."""
    forks = sys.platform == "linux"
    if forks and find_spec("onnxruntime"):
        import onnxruntime  # noqa: F401, each fork has it then
    for line in sys.stdin:
        if not forks:
            _answer(*json.loads(line))
            return
        child = os.fork()
        if not child:
            _answer(*json.loads(line))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            _tell({"failed": f"its process ended with status {status}"})


def _answer(engine: str, file: str, pixels: str) -> None:
    make = onnxruntime_engine if engine == "onnxruntime" else openvino_engine
    try:
        rate = pictures_per_second(make(file), np.load(pixels), SECONDS)
        _tell({"pictures_per_second": rate, "peak_mb": peak_mb()})
    except Exception as error:  # engines raise classes of their own that they do not name
        _tell({"failed": str(error)[:500] or type(error).__name__})


def _tell(answer: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
