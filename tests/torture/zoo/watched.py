"""Hostile files at every door, and what is wrong with what became of them."""

import itertools
import json
import os
import random
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture.zoo.den import SECRET, WORDS, Beast, Den
from tests.torture.zoo.doors import AS_RUN, DOORS, OWN, SERVING

ROOT = Path(__file__).resolve().parents[3]
TIMEOUT_S, START_S = 60.0, 240.0
MOST_MB = 2048.0


@dataclass(frozen=True)
class Outcome:
    """What became of one file at one door.

    Attributes:
        beast: name of the file.
        door: name of the door.
        kind: "opened", the class of the refusal, or "FAULT".
        text: of the refusal, or of what went wrong.
        seconds: that it took.
        more_mb: peak memory above what the process held before.
        wrong: why this must not be; empty where it is right.
    """

    beast: str
    door: str
    kind: str
    text: str
    seconds: float
    more_mb: float
    wrong: str = ""

    @property
    def refused(self) -> bool:
        """Whether the door said no, in words."""
        return self.kind not in ("opened", "FAULT")


class Keeper:
    """The other process; started again after a crash or a hang."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def ask(self, request: dict[str, str]) -> dict[str, Any]:
        """The answer to a request; a FAULT where there came none."""
        if self.process is None:
            self._start()
        assert self.process is not None
        assert self.process.stdin is not None
        start = time.monotonic()
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        line = self._line(TIMEOUT_S)
        if line:
            answer: dict[str, Any] = json.loads(line)
            return answer | {"seconds": time.monotonic() - start}
        seconds = time.monotonic() - start
        text = "no answer" if self.process.poll() is None else f"died ({self.process.returncode})"
        self.stop()
        return {"kind": "FAULT", "text": text, "seconds": seconds, "more_mb": 0.0, "leaked": False}

    def stop(self) -> None:
        """End the process."""
        if self.process is not None:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _start(self) -> None:
        for name in ("cwd", "user"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "HOME": str(self.home / "user"),
            "XDG_CACHE_HOME": str(self.home / "user" / "cache"),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "MALLOC_ARENA_MAX": "2",
        }
        log = (self.home / "keeper.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.zoo.keeper", str(self.home)],
            cwd=self.home / "cwd",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        log.close()
        if "ready" not in self._line(START_S):
            raise RuntimeError((self.home / "keeper.log").read_text()[-3000:])

    def _line(self, timeout_s: float) -> str:
        assert self.process is not None
        assert self.process.stdout is not None
        with selectors.DefaultSelector() as watch:
            watch.register(self.process.stdout, selectors.EVENT_READ)
            return self.process.stdout.readline() if watch.select(timeout_s) else ""


def at_own_door(beasts: Iterable[Beast], home: Path) -> Iterator[Outcome]:
    """What became of each file at the door that files of its kind go to."""
    found = list(beasts)
    with closing(outcomes(found, home)) as each:
        yield from itertools.islice(each, len(found))


def outcomes(beasts: Iterable[Beast], home: Path) -> Generator[Outcome, None, None]:
    """What became of the files: each at its own door, then each at every other one.

    They are made first, each in its den, by the process that opens them.
    """
    paths: dict[str, str] = {}
    found = list(beasts)
    with Keeper(home) as keeper:
        for beast in found:
            made = keeper.ask({"make": beast.name})
            if "path" not in made:
                yield Outcome(beast.name, "made", "FAULT", made["text"], 0.0, 0.0, made["text"])
                continue
            paths[beast.name] = made["path"]
            yield _asked(keeper, beast, OWN[beast.door], made["path"])
        for beast in found:
            for door in DOORS:
                endless = door == SERVING and not beast.refused
                if beast.name in paths and door != OWN[beast.door] and not endless:
                    yield _asked(keeper, beast, door, paths[beast.name])


def _asked(keeper: Keeper, beast: Beast, door: str, path: str) -> Outcome:
    answer = keeper.ask({"door": door, "path": path})
    return _outcome(beast, door, answer, Den(keeper.home, beast.name))


def _outcome(beast: Beast, door: str, answer: dict[str, Any], den: Den) -> Outcome:
    fired = den.fired.exists()
    den.fired.unlink(missing_ok=True)
    text, seconds, more = str(answer["text"]), float(answer["seconds"]), float(answer["more_mb"])
    wrong = ""
    if fired:
        wrong = "its payload ran"
    elif answer["leaked"] or WORDS.decode() in text or str(SECRET) in text:
        wrong = "a file was read that it has no business with"
    elif answer["kind"] == "FAULT":
        wrong = f"no refusal but a fault: {text.strip().splitlines()[-1] if text else ''}"
    elif answer["kind"] == "opened" and beast.refused and not _unused(beast, door):
        wrong = "it was opened"
    elif more > MOST_MB:
        wrong = f"{more:,.0f} MB of memory"
    elif answer["kind"] != "opened" and not _in_three_parts(text):
        wrong = "its refusal does not say what was expected, what came and what to do"
    elif answer["kind"] != "opened" and OWN[beast.door] == door and not _names(beast, text):
        wrong = f"its refusal does not name the danger ({beast.danger})"
    return Outcome(beast.name, door, str(answer["kind"]), text, seconds, more, wrong)


def _unused(beast: Beast, door: str) -> bool:
    """An ONNX file that a runtime does not take is left aside: the run's Keras model answers."""
    return door == AS_RUN and beast.name.endswith(".onnx")


def _in_three_parts(text: str) -> bool:
    """Something expected, something else that came, and a sentence more."""
    came = re.search(
        r"\bgot\b|Received:|Received pictures|does not open|is not there|fix:|needs the package",
        text,
    )
    return came is not None and len(text) > 60


def _names(beast: Beast, text: str) -> bool:
    return re.search(beast.danger, " ".join(text.split())) is not None


def shuffled(beasts: Iterable[Beast], seed: int) -> list[Beast]:
    """The files in an order that depends on the seed: one must not open the way for another."""
    found = list(beasts)
    random.Random(seed).shuffle(found)
    return found
