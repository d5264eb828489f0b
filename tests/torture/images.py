"""Spoilt pictures through the reader of the training and the graph that is served.

    python -m tests.torture.images [--files 20000] [--seed 0]

case ─ the same bytes to both ─ reader: pixels or a reason     ─┐
                              └ SavedModel: pixels or not ok   ─┴─ crash? hang? memory? equal?

The reading is done by a process of its own. It says which cases it begins, so that one that kills
or stops it is a counted case, and the next process goes on behind it.
"""

import argparse
import json
import queue
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass, field, replace
from pathlib import Path

import numpy as np

from tests.torture.pictures import SERVED, seeds, spoilt
from tests.torture.rows import Row, as_text, not_done

FILES = 20_000
SIZE_PX = 32
AT_ONCE = 50  # files in one call of the graph
SECONDS = 5.0  # of processor that one picture may take; the clock stops what hangs
START_S = 120.0  # that the reading process may take before its first answer
MEGABYTES = 1000  # above what the process had before the first picture
GREY_LEVELS = 0.5  # that the two may be apart in the mean of a picture
ROOT = Path(__file__).resolve().parents[2]


@dataclass
class Found:
    """What came of the cases so far."""

    files: int = 0
    both: int = 0
    neither: int = 0
    only_reader: Counter[str] = field(default_factory=Counter)
    only_graph: Counter[str] = field(default_factory=Counter)
    apart: list[tuple[float, int]] = field(default_factory=list)
    crashed: list[int] = field(default_factory=list)
    hung: list[int] = field(default_factory=list)
    raised: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    above_mb: float = 0.0

    def add(self, told: dict) -> None:
        """Take what the reading process says of some cases."""
        self.files += told["files"]
        self.both += told["both"]
        self.neither += told["neither"]
        self.only_reader.update(told["only_reader"])
        self.only_graph.update(told["only_graph"])
        self.apart += [(away, number) for away, number in told["apart"]]
        self.raised += told["raised"]
        self.slowest_s = max(self.slowest_s, told["slowest_s"])
        self.above_mb = max(self.above_mb, told["above_mb"])

    def rows(self) -> list[Row]:
        """The rows of the table."""
        return [self._read(), self._same()]

    def _read(self) -> Row:
        wrong = [f"case {number} ended the process" for number in self.crashed]
        wrong += [f"case {number} took more than {SECONDS:g} s" for number in self.hung]
        wrong += self.raised
        if self.slowest_s > SECONDS:
            wrong.append(f"one picture took {self.slowest_s:.1f} s")
        if self.above_mb > MEGABYTES:
            wrong.append(f"{self.above_mb:.0f} MB above the start")
        what = "spoilt pictures opened"
        if not self.files and not wrong:
            return not_done("images", what, "the time was over before the first picture")
        worst = f"{self.slowest_s:.2f} s, {self.above_mb:.0f} MB"
        told = f"first: {wrong[0]}" if wrong else f"{self.neither:,} refused by both"
        return Row("images", what, self.files, len(wrong), worst, told)

    def _same(self) -> Row:
        what = "read by reader and graph"
        if not self.both:
            return not_done("images", what, "no picture was read by both")
        worst = max(self.apart, default=(0.0, -1))
        others = sum(away > GREY_LEVELS for away, _ in self.apart)
        told = (
            f"worst case {worst[1]}; read by one alone: reader {_listed(self.only_reader)}, "
            f"SavedModel {_listed(self.only_graph)}"
        )
        return Row("images", what, self.both, others, f"{worst[0]:.2f} grey levels", told)


def run(budget_s: float, seed: int, files: int = FILES) -> list[Row]:
    """The rows for so many spoilt pictures, or as many as the seconds allow."""
    found = Found()
    until = time.monotonic() + budget_s
    with tempfile.TemporaryDirectory() as folder:
        write_saved_model(Path(folder))
        cases = Cases(0, files, seed)
        while cases.start < cases.stop and time.monotonic() < until:
            at, how = _one_process(Path(folder), cases, until, found)
            if how and at < cases.alone_until:
                (found.hung if how == "hung" else found.crashed).append(at)
                cases = replace(cases, start=at + 1)
            elif how:  # one of these: each by itself now
                cases = replace(cases, start=at, alone_until=at + AT_ONCE)
            else:
                cases = replace(cases, start=at)
    return found.rows()


@dataclass(frozen=True)
class Cases:
    """Numbers from `start` to `stop` of a seed; one at a time up to `alone_until`."""

    start: int
    stop: int
    seed: int
    alone_until: int = 0

    def pieces(self) -> Iterator[range]:
        """Those that are read together."""
        at = self.start
        while at < self.stop:
            end = min(at + (1 if at < self.alone_until else AT_ONCE), self.stop)
            yield range(at, end)
            at = end


def write_saved_model(folder: Path) -> None:
    """A SavedModel with the served graph in front, whose network hands the pixels through."""
    import tensorflow as tf

    from tlkeras.export.graph.rows import answer_rows

    width = SIZE_PX * SIZE_PX * 3

    class Pixels(tf.Module):
        @tf.function(
            input_signature=[tf.TensorSpec((None,), tf.string, name="image_bytes")],
            autograph=False,
        )
        def __call__(self, image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
            flat = lambda pixels: tf.reshape(pixels, (-1, width))  # noqa: E731
            values, ok = answer_rows(image_bytes, SIZE_PX, flat, width)
            return {"pixels": values, "ok": ok}

    module = Pixels()
    tf.saved_model.save(module, str(folder), signatures=module.__call__)


def _one_process(folder: Path, cases: Cases, until: float, found: Found) -> tuple[int, str]:
    """The first case that a process did not come to, and whether it "crashed" or "hung" there."""
    command = [sys.executable, "-m", "tests.torture.images", "--worker", str(folder)]
    command += ["--cases", json.dumps(astuple(cases))]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=ROOT
    )
    at = cases.start
    try:
        for line in _lines(process):
            if line is None:  # nothing was said for too long
                return at, "hung"
            found.add(told := json.loads(line))
            at = told["next"]
            if time.monotonic() > until:
                return cases.stop, ""
    finally:
        process.kill()
        process.wait()
    return at, "crashed" if at < cases.stop else ""


def _lines(process: subprocess.Popen[str]) -> Iterator[str | None]:
    """Lines as they come; None, and the end, when one does not come in time."""
    said: queue.Queue[str] = queue.Queue()

    def listen() -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                said.put(line)
        said.put("")

    threading.Thread(target=listen, daemon=True).start()
    patience_s = START_S
    while True:
        try:
            line = said.get(timeout=patience_s)
        except queue.Empty:
            yield None
            return
        if not line:
            return
        yield line
        patience_s = AT_ONCE * SECONDS


def _worker(folder: Path, cases: Cases) -> None:
    """Reads the cases, and says on standard output what came of them."""
    import tensorflow as tf

    from tlkeras.data.pipeline import load_pixels
    from tlkeras.errors import DecodeError

    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    whole = seeds()
    load_pixels(whole["jpeg baseline"], (SIZE_PX, SIZE_PX), exact=True)
    served(image_bytes=tf.constant(list(whole.values())))
    baseline = _peak_mb()

    def read(content: bytes) -> np.ndarray | None:
        try:
            return load_pixels(content, (SIZE_PX, SIZE_PX), exact=True)
        except DecodeError:
            return None

    for numbers in cases.pieces():
        contents = [spoilt(number, cases.seed, whole) for number in numbers]
        told = _compared(numbers, contents, read, served)
        told["next"], told["above_mb"] = numbers[-1] + 1, _peak_mb() - baseline
        print(json.dumps(told), flush=True)


def _compared(
    numbers: range,
    cases: list[tuple[str, bytes]],
    read: Callable[[bytes], np.ndarray | None],
    served: Callable,
) -> dict:
    import tensorflow as tf

    began = time.process_time()
    answer = served(image_bytes=tf.constant([content for _, content in cases]))
    slowest = (time.process_time() - began) / len(cases)
    table, ok = answer["pixels"].numpy(), answer["ok"].numpy()
    only_reader: Counter[str] = Counter()
    only_graph: Counter[str] = Counter()
    apart, raised, both, neither = [], [], 0, 0
    for number, (name, content), row, is_ok in zip(numbers, cases, table, ok, strict=True):
        began = time.thread_time()
        try:
            pixels = read(content)
        except Exception as error:  # each is a finding
            raised.append(f"case {number} ({name}) raised {type(error).__name__}: {error}"[:200])
            continue
        slowest = max(slowest, time.thread_time() - began)
        if pixels is not None and is_ok:
            both += 1
            apart.append((float(np.abs(pixels.ravel() - row).mean()), number))
        elif pixels is not None:
            only_reader[_kind(content)] += 1
        elif is_ok:
            only_graph[_kind(content)] += 1
        else:
            neither += 1
    worst = [pair for pair in apart if pair[0] > GREY_LEVELS or pair == max(apart)]
    return {
        "files": len(cases),
        "both": both,
        "neither": neither,
        "only_reader": only_reader,
        "only_graph": only_graph,
        "apart": worst,
        "raised": raised,
        "slowest_s": slowest,
    }


def _kind(content: bytes) -> str:
    """The format by its first bytes: a splice may have another than it was made of."""
    beginnings = {
        b"\xff\xd8\xff": "jpeg",
        b"\x89PNG": "png",
        b"GIF8": "gif",
        b"BM": "bmp",
        b"RIFF": "webp",
        b"II": "tiff",
        b"MM": "tiff",
    }
    found = (kind for begin, kind in beginnings.items() if content.startswith(begin))
    return next(found, "other")


def _listed(counts: Counter[str]) -> str:
    """Those of the served formats by name, the others as one."""
    named = {kind: counts[kind] for kind in SERVED if counts[kind]}
    rest = sum(counts.values()) - sum(named.values())
    named |= {"others": rest} if rest else {}
    return ", ".join(f"{kind} {count:,}" for kind, count in named.items()) or "none"


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=FILES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--budget-s", type=float, default=3600.0)
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--cases", type=json.loads, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        _worker(options.worker, Cases(*options.cases))
        return
    print(as_text(run(options.budget_s, options.seed, options.files)))


if __name__ == "__main__":
    main()
