"""A process that has everything imported, and forks one for each piece of work.

    a line of JSON ─▶ fork ─▶ work, killed or not ─▶ what came of it, a line of JSON

Importing takes longer than most of the work does; a fork is a process of its own all the same.
A kill is SIGKILL to the work and all that it has started, after a time or right before the n-th
change that Python makes to the files of the place: a file opened to write, a rename, a removal.
"""

import json
import os
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from tests.torture.kills.kinds import KINDS, Given

LIMIT_S = 300.0  # after which work is given up as hung
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir")
_IMPORTED = (
    "tlkeras.cli.main",
    "tlkeras.cli.train",
    "tlkeras.cli.export",
    "tlkeras.cli.trusting.check",
    "tlkeras.tasks.image_classifier",
    "tlkeras.evaluation.report",
    "onnx",
    "onnxruntime",
)


@dataclass(frozen=True)
class Asked:
    """A piece of work: its kind, where, and when to kill it, if at all."""

    kind: str
    root: str
    place: str
    after_s: float | None = None
    before_change: int | None = None
    cache: str | None = None


@dataclass(frozen=True)
class Done:
    """What came of it: the exit status (negative: a signal), how long, and how many changes."""

    status: int
    seconds: float
    changes: int
    hung: bool = False

    @property
    def killed(self) -> bool:
        """Whether the kill came before the end."""
        return self.status == -signal.SIGKILL and not self.hung


def main() -> None:
    """Serve until standard input ends."""
    for name in _IMPORTED:
        import_module(name)
    if "--tensorflow" in sys.argv:
        from tlkeras.cli.out import load_quietly

        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        load_quietly("tensorflow")
        load_quietly("keras")
    answers = os.fdopen(os.dup(1), "w")
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(asdict(done(Asked(**json.loads(line))))) + "\n")
        answers.flush()


def done(asked: Asked) -> Done:
    """Do the work in a process of its own, and wait for its end."""
    began = time.monotonic()
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reading)
        _work(asked, writing)
    os.close(writing)
    status, hung = _waited(process, began, asked.after_s)
    seconds = time.monotonic() - began
    with os.fdopen(reading, "rb") as told:
        changes = int(told.read() or 0)
    return Done(status, seconds, changes, hung)


def _waited(process: int, began: float, after_s: float | None) -> tuple[int, bool]:
    hung = False
    while True:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            _kill_group(process)  # what it has started must not go on in the same place
            return os.waitstatus_to_exitcode(status), hung
        passed = time.monotonic() - began
        if passed > LIMIT_S:
            hung = True
            _kill_group(process)
        elif after_s is not None and passed >= after_s:
            _kill_group(process)
        time.sleep(0.001)


def _kill_group(process: int) -> None:
    try:
        os.killpg(process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # all gone, or the group is not made yet
        return


def _work(asked: Asked, writing: int) -> NoReturn:
    """The forked process: never returns to what the zygote was doing."""
    os.setsid()
    place = Path(asked.place)
    for name in ("out", "cache", "tmp"):
        (place / name).mkdir(parents=True, exist_ok=True)
    os.environ["TLKERAS_CACHE"] = asked.cache or str(place / "cache")
    os.environ["TMPDIR"] = tempfile.tempdir = str(place / "tmp")
    _redirect(place)
    counted = _Changes(place, asked.before_change)
    sys.addaudithook(counted)
    status = 0
    try:
        KINDS[asked.kind].does(Given.under(Path(asked.root)), place)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 99
    sys.stdout.flush()
    sys.stderr.flush()
    os.write(writing, str(counted.number).encode())
    os._exit(status)


class _Changes:
    """Counts the changes to the files below a place, and kills before one of them."""

    def __init__(self, place: Path, kill_before: int | None) -> None:
        self.place = os.fsencode(place)
        self.kill_before = kill_before
        self.number = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            changes = isinstance(arguments[2], int) and bool(arguments[2] & _TO_WRITE)
        else:
            changes = event in _CHANGES
        if not changes or isinstance(arguments[0], int):
            return
        if not os.fsencode(os.fspath(arguments[0])).startswith(self.place):
            return
        self.number += 1
        if self.number == self.kill_before:
            os.kill(0, signal.SIGKILL)


def _redirect(place: Path) -> None:
    for number, name in ((0, os.devnull), (1, place / "said.txt"), (2, place / "err.txt")):
        how = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
        file = os.open(name, how, 0o644)
        os.dup2(file, number)
        os.close(file)


if __name__ == "__main__":
    main()
