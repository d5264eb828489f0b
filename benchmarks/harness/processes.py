"""One command as a fresh process: wall seconds, CPU seconds, peak memory, and what it reported."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

TIMEOUT_S = 3600.0
TAIL_CHARACTERS = 2000
# Left out of every child's environment: what would make one peer slower or another's cache ours.
DROPPED = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "TLKERAS_CACHE", "OMP_NUM_THREADS")
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3"}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Command:
    """A program to measure.

    Attributes:
        name: what its row is called.
        argv: the program and its arguments.
        environment: variables on top of the caller's.
        prepare: called before each run, not measured; gives more variables, or None.
        warm_up: a short run of the same program, done once and not measured, so that no first
            round reads its files from a cold disk; empty for none.
        rounds: in how many of the rounds it takes part; None for all.
        cwd: folder to start in.
    """

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    prepare: Callable[[], Mapping[str, str] | None] | None = None
    warm_up: Sequence[str] = ()
    rounds: int | None = None
    cwd: Path | None = None


@dataclass(frozen=True)
class Sample:
    """One run: seconds of wall and CPU (with all its children), megabytes at its peak.

    `peak_mb` is that of the largest single process. `reported` is the JSON object that the
    program printed on its last line; `failure` says how it ended if not with success.
    """

    wall_s: float
    cpu_s: float
    peak_mb: float
    reported: Mapping[str, object] = field(default_factory=dict)
    failure: str = ""


def run(command: Command, timeout_s: float = TIMEOUT_S) -> Sample:
    """The sample of one run, its own preparation not counted.

    Example::

        run(Command("nothing", [sys.executable, "-c", "pass"])).wall_s
    """
    try:
        more = (command.prepare() if command.prepare else None) or {}
    except (OSError, RuntimeError, subprocess.SubprocessError) as error:
        return Sample(0.0, 0.0, 0.0, failure=f"not prepared: {error}")
    return _measured(command.argv, command, more, timeout_s)


def interleaved(
    commands: Sequence[Command],
    rounds: int,
    *,
    say: Say = lambda text: print(text, file=sys.stderr, flush=True),
    after_round: Callable[[dict[str, list[Sample]]], None] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, list[Sample]]:
    """Samples by command, in rounds; each round starts with the next command.

    A command that fails twice takes no further part. `after_round` gets what there is so far,
    so that an interrupted benchmark has lost nothing.
    """
    for command in commands:
        if command.warm_up:
            run(replace(command, argv=command.warm_up), timeout_s)
    samples: dict[str, list[Sample]] = {command.name: [] for command in commands}
    for number in range(rounds):
        first = number % len(commands)
        for command in [*commands[first:], *commands[:first]]:
            kept = samples[command.name]
            if command.rounds is not None and number >= command.rounds:
                continue
            if sum(bool(sample.failure) for sample in kept) > 1:
                continue
            sample = run(command, timeout_s)
            kept.append(sample)
            say(f"round {number + 1}  {_line(command.name, sample)}")
        if after_round:
            after_round(samples)
    return samples


def _measured(
    argv: Sequence[str], command: Command, more: Mapping[str, str], timeout_s: float
) -> Sample:
    environment = {name: value for name, value in os.environ.items() if name not in DROPPED}
    environment.update({**QUIET, **command.environment, **more})
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=environment,
            cwd=command.cwd,
            start_new_session=True,
        )
        clock = threading.Timer(timeout_s, _kill, (process.pid,))
        clock.start()
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:  # Ctrl-C: what was started must not go on
            _kill(process.pid)
            raise
        finally:
            clock.cancel()
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode("utf-8", "replace"))
    failure = ""
    if process.returncode:
        said = (texts[1] or texts[0]).strip()[-TAIL_CHARACTERS:]
        failure = f"exit status {process.returncode}: {said}"
    unit = 1 if sys.platform == "darwin" else 1024
    return Sample(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_mb=usage.ru_maxrss * unit / 2**20,
        reported=_last_object(texts[0]),
        failure=failure,
    )


def _kill(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _last_object(text: str) -> dict[str, object]:
    """The JSON object on the last line that has one, or over all of the text; {} if none."""
    for piece in [*reversed(text.strip().splitlines()), text]:
        if piece.lstrip().startswith("{"):
            try:
                found = json.loads(piece)
            except ValueError:
                continue
            if isinstance(found, dict):
                return found
    return {}


def _line(name: str, sample: Sample) -> str:
    if sample.failure:
        return f"{name}: failed, {sample.failure.splitlines()[-1][:200]}"
    return f"{name}: {sample.wall_s:.2f} s, CPU {sample.cpu_s:.2f} s, peak {sample.peak_mb:.0f} MB"
