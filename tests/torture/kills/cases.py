"""Work that is killed at any moment, and done again until it is complete.

place ─ work ─ SIGKILL ─ every finished file whole? ─┐
  └───────────── again, some times ◀─────────────────┘
                                    └ to the end ─▶ bit for bit as without a kill?

python -m tests.torture kills [--seconds 1500] [--seed 0]
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from tests.conftest import write_flowers
from tests.torture.kills.kinds import KINDS, RESULTS, Given
from tests.torture.kills.same import differences
from tests.torture.kills.whole import left_over, problems
from tests.torture.kills.zygote import Asked, Done
from tests.torture.rows import Row, not_done

ROOT = Path(__file__).resolve().parents[3]
MOST_IN_ONE = 3  # kills, before the work is left to come to its end
PER_CLASS = 80  # pictures, in three classes
NOTE = "note.txt"


@dataclass
class Count:
    """What came of one kind of work so far."""

    kills: int = 0
    files: int = 0
    most: int = 0
    slowest_s: float = 0.0
    wrong: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Undisturbed:
    """What the work leaves without a kill, in how many seconds and changes, and on what cache."""

    results: dict[str, str]
    seconds: float
    changes: int
    place: Path


def rows(budget_s: float, seed: int, kills: int, works: Sequence[str]) -> list[Row]:
    """See `kills.run`."""
    began = time.monotonic()
    end = began + budget_s
    counts = {name: Count() for name in works}
    rng = np.random.default_rng(seed)
    cold = any(KINDS[name].needs_tensorflow for name in works)  # which writes it
    with tempfile.TemporaryDirectory(prefix="tlkeras-kills-") as folder, zygote(works) as ask:
        root = Path(folder)
        given = prepared(root, ask)
        alone: dict[str, Undisturbed] = {}
        for name in works:
            if time.monotonic() > end:
                break
            try:
                alone[name] = undisturbed(given, root, name, ask, cold)
            except RuntimeError as error:
                counts[name].wrong.append(str(error))
        prepared_s = time.monotonic() - began
        number = 0
        while alone and _left(counts, kills) and time.monotonic() < end:
            name = min(alone, key=lambda one: counts[one].kills)
            place = root / f"{number:03}-{name}"
            case = _Case(given, place, name, alone[name], rng, cold)
            case.work(ask, counts[name], min(MOST_IN_ONE, _left(counts, kills)))
            if not counts[name].wrong:  # else it is looked at
                shutil.rmtree(place)
            number += 1
    before = "its first kill" if len(alone) == len(works) else "all was prepared"
    why = f"{budget_s:.0f} s were over before {before}; {prepared_s:.0f} s went into preparing"
    return [_row(name, count, why) for name, count in counts.items()]


def _left(counts: dict[str, Count], kills: int) -> int:
    return kills - sum(count.kills for count in counts.values())


def _row(name: str, count: Count, why_none: str) -> Row:
    if not count.kills and not count.wrong:
        return not_done("kills", f"killed {name}", why_none)
    said = f"same bits as without a kill; {count.files:,} files opened and whole"
    if count.wrong:
        said = count.wrong[0]
    worst = f"{count.most} in one, {count.slowest_s:.1f} s"
    return Row("kills", f"killed {name}", count.kills, len(count.wrong), worst, said)


@dataclass
class _Case:
    """One place in which one kind of work is killed some times, then comes to its end."""

    given: Given
    place: Path
    name: str
    undisturbed: Undisturbed
    rng: np.random.Generator
    cold: bool  # whether some begin with an empty cache, in which the backbone is missing too

    def work(self, ask: "Ask", count: Count, most: int) -> None:
        """Kill, look, and go on; what is wrong goes into the count."""
        cold = self.cold and self.rng.integers(4) == 0
        set_up(self.given, self.place, self.name, None if cold else self.undisturbed.place)
        killed = 0
        for _ in range(int(self.rng.integers(1, most + 1))):
            done = ask(self._asked())
            if not done.killed:
                self._check(done, count)
                break
            killed += 1
            files, wrong = problems(self.place)
            count.files += files
            count.wrong += [f"{self.name}, after a kill: {one}" for one in wrong]
        count.kills += killed
        count.most = max(count.most, killed)
        done = ask(Asked(self.name, str(self.given.data.parent), str(self.place)))
        self._check(done, count)
        count.slowest_s = max(count.slowest_s, done.seconds)
        count.wrong += self._wrong_in_the_end(ask)

    def _asked(self) -> Asked:
        """The work with a moment to be killed at: by the clock, or before a change of a file."""
        root, place = str(self.given.data.parent), str(self.place)
        if self.rng.integers(2):
            change = int(self.rng.integers(1, self.undisturbed.changes + 1))
            return Asked(self.name, root, place, before_change=change)
        after_s = float(self.rng.uniform(0, self.undisturbed.seconds))
        return Asked(self.name, root, place, after_s=after_s)

    def _check(self, done: Done, count: Count) -> None:
        if done.hung:
            count.wrong.append(f"{self.name}: did not end")
        elif done.status:
            count.wrong.append(f"{self.name}: exit status {done.status}: {_last_words(self.place)}")

    def _wrong_in_the_end(self, ask: "Ask") -> list[str]:
        _, wrong = problems(self.place)
        wrong += [f"{name} is left over" for name in left_over(self.place / "out")]
        wrong += [f"{name} differs" for name in self._different(ask)]
        if "Traceback" in (self.place / "err.txt").read_text(errors="replace"):
            wrong.append(f"a traceback: {_last_words(self.place)}")
        if self.name == "save" and not (self.place / "out" / "run" / NOTE).is_file():
            wrong.append("somebody else's note is gone")
        return [f"{self.name}, in the end: {one}" for one in wrong]

    def _different(self, ask: "Ask") -> list[str]:
        return differences(self.undisturbed.results, looked(self.given, self.place, ask))


class Ask:
    """Hands work to the zygote."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def __call__(self, asked: Asked) -> Done:
        """What came of it, once it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(asdict(asked)) + "\n")
        self._process.stdin.flush()
        return Done(**json.loads(_line(self._process.stdout)))


@contextmanager
def zygote(works: Sequence[str]) -> Iterator[Ask]:
    """What does the work, in processes that are forked from one which has everything imported."""
    more = ["--tensorflow"] if any(KINDS[name].needs_tensorflow for name in works) else []
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.torture.kills.zygote", *more],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        _line(process.stdout)
        yield Ask(process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(60)
        process.stdout.close()


def _line(said: IO[str] | None) -> str:
    assert said is not None
    line = said.readline()
    if not line:
        raise RuntimeError("the process that does the work has ended; see its standard error")
    return line


def prepared(root: Path, ask: Ask) -> Given:
    """The pictures, and two runs on them that differ."""
    given = Given.under(root)
    write_flowers(given.data, per_class=PER_CLASS)
    for run, name in ((given.run, "training"), (given.other, "other training")):
        place = root / f"given-{name}"
        set_up(given, place, name, root / "given-training")
        done = ask(Asked(name, str(root), str(place)))
        if done.status:
            raise RuntimeError(f"the run to begin with failed: {_last_words(place)}")
        run.parent.mkdir(exist_ok=True)
        shutil.move(place / "out" / "run", run)
    return given


def set_up(given: Given, place: Path, name: str, warm: Path | None) -> None:
    """A place as the work finds it; with `warm`, the backbone's files are in its cache already."""
    (place / "out").mkdir(parents=True)
    for known in ("backbones", "engines") if warm is not None else ():
        if (warm / "cache" / known).is_dir():
            shutil.copytree(warm / "cache" / known, place / "cache" / known)
    if name == "save":
        shutil.copytree(given.other, place / "out" / "run")
        (place / "out" / "run" / NOTE).write_text("written by somebody else, and kept")
    if name == "export":
        shutil.copytree(given.run, place / "out" / "run")


def looked(given: Given, place: Path, ask: Ask) -> dict[str, str]:
    """A digest of each finished file of the work, by its path."""
    done = ask(Asked("look", str(given.data.parent), str(place)))
    if done.status:
        return {"what it has left": _last_words(place)}
    return dict(json.loads((place / RESULTS).read_text()))


def undisturbed(given: Given, root: Path, name: str, ask: Ask, cold: bool = True) -> Undisturbed:
    """The work done twice, in two places: with an empty cache if `cold`, and with a filled one."""
    first, second = root / f"undisturbed-{name}", root / f"undisturbed-{name}-again"
    warm = root / "given-training"
    set_up(given, first, name, None if cold else warm)
    set_up(given, second, name, warm)
    asked = [Asked(name, str(given.data.parent), str(place)) for place in (first, second)]
    done = [ask(one) for one in asked]
    if any(one.status for one in done):
        raise RuntimeError(f"{name} fails without a kill: {_last_words(first)}")
    changed = differences(looked(given, first, ask), looked(given, second, ask))
    if changed:
        raise RuntimeError(f"{name} without a kill gives others each time: {', '.join(changed)}")
    if name == "fine-tuning" and not _was_tuned(first / "out" / "run"):
        raise RuntimeError("the frozen backbone was kept, and fine-tuning left nothing to compare")
    return Undisturbed(looked(given, first, ask), done[1].seconds, done[0].changes, first)


def _was_tuned(run: Path) -> bool:
    return bool(json.loads((run / "bundle.json").read_text())["backbone"]["fine_tuned"])


def _last_words(place: Path) -> str:
    lines = (place / "err.txt").read_text(errors="replace").strip().splitlines()
    return os.linesep.join(lines[-3:])[:300] if lines else "nothing was said"
