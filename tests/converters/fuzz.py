"""Workers that import one ONNX file after the other, watched: time, memory, crashes, files.

    driver ─ path ─▶ worker (TensorFlow loaded once, memory limited) ─ outcome ─▶ driver

Run by hand for more files: `python tests/converters/fuzz.py FIRST LAST`.
"""

import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TIMEOUT_S, START_S = 30.0, 180.0
MORE_BYTES = 2 * 2**30
FILES_A_WORKER = 150  # Keras and TensorFlow keep something of each model

WORKER = """
import json, os, resource, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # whatever prints goes elsewhere
import converters
import onnxruntime, tensorflow, keras
from converters.onnx_to_keras import onnx_to_keras
with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
resource.setrlimit(resource.RLIMIT_AS, (now + {more}, now + {more}))
print("ready", file=answers, flush=True)
for line in sys.stdin:
    try:
        kind, text = "model", type(onnx_to_keras(line.rstrip("\\n"))).__name__
    except converters.ConversionError as err:
        kind, text = type(err).__name__, str(err)
    except BaseException as err:
        kind, text = "FAULT", "".join(traceback.format_exception(err)[-6:])
    keras.backend.clear_session()
    print(json.dumps([kind, text]), file=answers, flush=True)
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one file; `kind` is "model", the name of an error, or "FAULT"."""

    name: str
    kind: str
    text: str
    seconds: float


class Worker:
    """One child process; started again when it is spent, dead or stuck."""

    def __init__(self, home: Path) -> None:
        self.home, self.done = home, 0
        self.process: subprocess.Popen[str] | None = None

    def run(self, path: Path) -> Outcome:
        """Import one file, at most TIMEOUT_S seconds."""
        if self.done % FILES_A_WORKER == 0:
            self.stop()
        self.done += 1
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        start = time.monotonic()
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        line = self._line(TIMEOUT_S)
        seconds = time.monotonic() - start
        if line:
            kind, text = json.loads(line)
            return Outcome(path.name, kind, text, seconds)
        try:
            text = f"ended with {self.process.wait(0 if seconds > TIMEOUT_S else 5)}"
        except subprocess.TimeoutExpired:
            text = f"no answer in {seconds:.0f} s"
        self.stop()
        return Outcome(path.name, "FAULT", text, seconds)

    def stop(self) -> None:
        """End the child process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _start(self) -> None:
        for name in ("work", "home", "tmp"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home / "home"),
            "TMPDIR": str(self.home / "tmp"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "MALLOC_ARENA_MAX": "2",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER.format(more=MORE_BYTES)],
            cwd=self.home / "work",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        if self._line(START_S) != "ready\n":
            raise RuntimeError("the fuzz worker did not start")

    def _line(self, timeout_s: float) -> str:
        """One line of the child's answer; "" when it died or took too long."""
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as watch:
            watch.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if watch.select(timeout_s) else ""


def outcomes(files: dict[str, bytes], folder: Path) -> Iterator[Outcome]:
    """What became of each file; a file that appears anywhere in `folder` is a fault too."""
    inputs = folder / "files"
    inputs.mkdir()
    (folder / "etc").mkdir()
    (folder / "etc" / "passwd").write_bytes(b"root")
    for name, content in files.items():
        (inputs / name).write_bytes(content)
    worker = Worker(folder)
    try:
        before: set[Path] | None = None
        for name in files:
            outcome = worker.run(inputs / name)
            after = {path for path in folder.rglob("*") if "__pycache__" not in path.parts}
            if before is not None and after - before:
                yield Outcome(name, "FAULT", f"wrote {sorted(after - before)}", outcome.seconds)
            before = after
            yield outcome
    finally:
        worker.stop()


def main(first: int, last: int) -> None:
    """Import the files of these seeds and print what is wrong, and how often each outcome came."""
    sys.path.insert(0, str(Path(__file__).parent))
    from fuzz_files import mutated, seeds

    found = seeds(ROOT.parent / "shared" / "data")
    names = {}
    for seed in range(first, last):
        how, content = mutated(seed, found)
        names[f"{seed:05}.{how[:150]}.onnx"] = content
    with tempfile.TemporaryDirectory() as folder:
        counts: Counter[str] = Counter()
        for outcome in outcomes(names, Path(folder)):
            counts[outcome.kind] += 1
            if outcome.kind == "FAULT" or outcome.seconds > TIMEOUT_S / 3:
                sys.stdout.write(f"{outcome.name} {outcome.seconds:.1f} s {outcome.kind}\n")
                sys.stdout.write(f"{outcome.text}\n")
        sys.stdout.write(f"{dict(counts)}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
