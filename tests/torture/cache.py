"""Two processes on one cache, in the same second: no error, no torn read, the same bits.

    cache ◀─▶ check, extraction, training   ─┐
      └───◀─▶ check, extraction, training   ─┴─▶ each as if it had been alone

Every round begins with another cache: an empty one, one that is there, or one with damaged files.
"""

import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from tests.torture.kills.cases import (
    Ask,
    Count,
    Undisturbed,
    looked,
    prepared,
    set_up,
    undisturbed,
    zygote,
)
from tests.torture.kills.kinds import Given
from tests.torture.kills.same import differences
from tests.torture.kills.whole import problems
from tests.torture.kills.zygote import Asked, Done
from tests.torture.rows import Row, not_done

ROUNDS = 20
WORKS = ("check", "extraction", "training")
BEGINS = ("empty", "filled", "damaged")
_COMPLAINTS = ("Traceback", "damaged", "corrupt", "malformed")


def run(budget_s: float, seed: int, *, rounds: int = ROUNDS) -> list[Row]:
    """One row a way to begin: how many rounds, and in how many something went wrong.

    Args:
        budget_s: seconds after which no other round is begun.
        seed: decides who begins how much later, and what is damaged.
        rounds: how many.
    """
    end = time.monotonic() + budget_s
    rng = np.random.default_rng(seed)
    counts = {name: Count() for name in BEGINS}
    with (
        tempfile.TemporaryDirectory(prefix="tlkeras-cache-") as folder,
        zygote(["fine-tuning"]) as one,
        zygote(["fine-tuning"]) as other,
    ):
        root = Path(folder)
        given = prepared(root, one)
        alone = {name: undisturbed(given, root, name, one, cold=False) for name in WORKS}
        for number in range(rounds):
            if time.monotonic() > end:
                break
            begin = BEGINS[number % len(BEGINS)]
            place = root / f"round-{number}"
            began = time.monotonic()
            cache = _cache(place, begin, alone["training"].place, rng)
            complaints = _COMPLAINTS[: 1 if begin == "damaged" else None]
            counts[begin].wrong += _round(given, place, cache, alone, (one, other), rng, complaints)
            counts[begin].kills += 1
            counts[begin].slowest_s = max(counts[begin].slowest_s, time.monotonic() - began)
            files, wrong = problems(place)
            counts[begin].files += files
            if begin != "damaged":  # what nobody asked for is as it was
                counts[begin].wrong += [f"in the end: {one}" for one in wrong]
            shutil.rmtree(place)
    return [_row(name, count, budget_s) for name, count in counts.items()]


def _row(begin: str, count: Count, budget_s: float) -> Row:
    what = f"two at once, cache {begin}"
    if not count.kills:
        return not_done("cache", what, f"{budget_s:.0f} s were over before its first round")
    said = f"{', '.join(WORKS)} twice at once, the same bits as alone"
    if begin != "damaged":
        said += f"; {count.files:,} files opened and whole"
    worst = f"{count.slowest_s:.1f} s"
    said = count.wrong[0] if count.wrong else said
    return Row("cache", what, count.kills, len(count.wrong), worst, said)


def _cache(place: Path, begin: str, filled: Path, rng: np.random.Generator) -> Path:
    cache = place / "cache"
    place.mkdir()
    if begin == "empty":
        cache.mkdir()
        return cache
    shutil.copytree(filled / "cache", cache)
    if begin == "damaged":
        for path in sorted(cache.rglob("*")):
            if path.is_file() and path.stat().st_size and rng.integers(2):
                _damage(path, rng)
    return cache


def _damage(path: Path, rng: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    if rng.integers(2):
        del content[int(rng.integers(len(content))) :]
    else:
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    os.chmod(path, 0o600)
    path.write_bytes(content)


def _round(
    given: Given,
    place: Path,
    cache: Path,
    alone: dict[str, Undisturbed],
    both: tuple[Ask, Ask],
    rng: np.random.Generator,
    complaints: tuple[str, ...],
) -> list[str]:
    """What went wrong, a phrase each."""
    wrong: list[str] = []
    for name in WORKS:
        places = [place / f"{name}-{number}" for number in range(2)]
        for one in places:
            set_up(given, one, name, None)
        done = _at_once(given, name, places, cache, both, float(rng.uniform(0, 0.3)))
        for one, ended in zip(places, done, strict=True):
            said = (one / "err.txt").read_text(errors="replace")
            if ended.status:
                wrong.append(f"{name}: exit status {ended.status}: {said[-300:]}")
                continue
            found = [word for word in complaints if word in said]
            wrong += [f"{name} says {said[-200:]}" for _ in found[:1]]
            found = differences(alone[name].results, looked(given, one, both[0]))
            wrong += [f"{name}: {one} differs" for one in found]
    return wrong


def _at_once(
    given: Given, name: str, places: list[Path], cache: Path, both: tuple[Ask, Ask], later_s: float
) -> list[Done]:
    done: dict[int, Done] = {}

    def work(number: int) -> None:
        time.sleep(number * later_s)
        root, place = str(given.data.parent), str(places[number])
        done[number] = both[number](Asked(name, root, place, cache=str(cache)))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [done[number] for number in range(2)]
