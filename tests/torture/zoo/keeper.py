"""The process that makes hostile files and opens them, watched from outside: time and memory.

    driver ─ line of JSON ─▶ keeper (frameworks loaded once, memory limited) ─ line ─▶ driver

Started as `python -m tests.torture.zoo.keeper HOME`; see `watched.py` for the other end.
"""

import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any

import numpy as np

MORE_BYTES = 8 << 30  # address space above what the frameworks take


def main(home: Path) -> None:
    """Answer one request a line until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever prints goes elsewhere
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from tests.torture.zoo import BEASTS
    from tests.torture.zoo.doors import DOORS
    from tests.torture.zoo.run_folders import good_run

    _load()
    good_run(home)
    limit = _kilobytes("VmSize") * 1024 + MORE_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    _say(answers, {"ready": True})
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            if "make" in asked:
                _say(answers, {"path": str(_made(BEASTS[asked["make"]], home))})
            else:
                _say(answers, _opened(DOORS[asked["door"]], Path(asked["path"]), home / "out"))
        except BaseException as err:
            _say(answers, {"kind": "FAULT", "text": "".join(traceback.format_exception(err))})


def _load() -> None:
    import torch  # isort: skip  # before TensorFlow, whose libraries take over its own
    import keras
    import onnx
    import onnxruntime
    import tensorflow

    import converters.routes
    import tlkeras.tasks.image_classifier

    del torch, keras, onnx, onnxruntime, tensorflow, tlkeras, converters


def _made(beast: Any, home: Path) -> Path:
    from tests.torture.zoo.den import Den

    path: Path = beast.make(Den(home, beast.name))
    return path


def _opened(door: Any, path: Path, out: Path) -> dict[str, Any]:
    """What became of one file at one door; the kind is "opened", an error's class, or FAULT."""
    import keras

    from converters import ConversionError
    from tests.torture.zoo.doors import Refused
    from tlkeras.errors import TlkerasError

    out.mkdir(exist_ok=True)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    before = _kilobytes("VmRSS")
    found: object = None
    try:
        found = door(path, out)
        kind, text = "opened", ""
    except (ConversionError, TlkerasError, Refused) as err:
        kind, text = type(err).__name__, str(err)
    except BaseException as err:
        kind, text = "FAULT", "".join(traceback.format_exception(err)[-8:])
    more = max(0, _kilobytes("VmHWM") - before)
    keras.backend.clear_session()
    return {"kind": kind, "text": text, "more_mb": more / 1024, "leaked": _leaked(found)}


def _leaked(found: object) -> bool:
    """Whether the secret's number is anywhere in what a door gave."""
    from tests.torture.zoo.den import SECRET

    if isinstance(found, list | tuple):
        return any(_leaked(item) for item in found)
    if isinstance(found, np.ndarray) and found.dtype.kind == "f":
        return bool((np.abs(found - SECRET) < 0.01).any())
    return False


def _kilobytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1])
    return 0


def _say(answers: Any, content: dict[str, Any]) -> None:
    print(json.dumps(content), file=answers, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
