"""All tortures, each in a process of its own, and one table in the end.

    python -m tests.torture                      all, within 60 minutes
    python -m tests.torture kills disk           these
    python -m tests.torture images --seconds 600 --seed 3 --json

Exit status 0 if all was done and nothing went wrong, else 1. What the time or the machine did not
allow says "not done" in its row.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from tests.torture.rows import Row, as_text, read, verdict, write
from tlkeras.cli.out import quiet_tensorflow

ROOT = Path(__file__).resolve().parents[2]
SECONDS = {"kills": 1500.0, "images": 900.0, "zoo": 480.0, "cache": 240.0, "disk": 240.0}
"""What each part may take, 56 minutes together."""
GRACE_S = 45.0  # that a part may take longer, before it is ended


def main(words: Sequence[str] | None = None) -> int:
    """Torture, print the table, and say whether all went well: 0 or 1."""
    parser = _parser()
    asked = parser.parse_args(words)
    unknown = [part for part in asked.parts if part not in SECONDS]
    if unknown:
        parser.error(f"expected parts of {', '.join(SECONDS)}, not {', '.join(unknown)}")
    if asked.rows:
        return _part(asked.parts[0], asked.seconds, asked.seed, asked.rows)
    found: list[Row] = []
    for part in asked.parts or SECONDS:
        seconds = asked.seconds or SECONDS[part]
        began = time.monotonic()
        rows = _in_a_process(part, seconds, asked.seed)
        found += rows
        _say(sys.stderr, f"{part}: {time.monotonic() - began:.0f} s, {verdict(rows)}")
    told = json.dumps([asdict(row) for row in found], indent=2) if asked.json else as_text(found)
    _say(sys.stdout, told)
    return int(not all(row.ok for row in found))


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    made.formatter_class = argparse.RawDescriptionHelpFormatter
    made.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(SECONDS)}")
    made.add_argument("--seconds", type=float, help="for each part, in place of its own")
    made.add_argument("--seed", type=int, default=0, help="decides moments and mutations")
    made.add_argument("--json", action="store_true", help="print JSON in place of the table")
    made.add_argument("--rows", type=Path, help=argparse.SUPPRESS)
    return made


def _part(part: str, seconds: float, seed: int, file: Path) -> int:
    """The process of one part: its rows go to a file."""
    quiet_tensorflow()
    write(import_module(f"tests.torture.{part}").run(seconds, seed), file)
    return 0


def _in_a_process(part: str, seconds: float, seed: int) -> list[Row]:
    """The rows of a part; one that says so where it crashes, or does not end in its time."""
    with tempfile.TemporaryDirectory(prefix="tlkeras-torture-") as folder:
        file = Path(folder, "rows.json")
        words = [part, "--seconds", str(seconds), "--seed", str(seed), "--rows", str(file)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture", *words],
            cwd=ROOT,
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
            start_new_session=True,
        )
        try:
            status: int | None = process.wait(seconds + GRACE_S)
        except subprocess.TimeoutExpired:
            status = None
        finally:
            _end(process)
        if file.exists():
            return read(file)
        ended = f"exit status {status}" if status is not None else f"not done in {seconds:.0f} s"
        return [Row(part, "came to its end", 0, 1, "", f"{ended}; see standard error")]


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the part and all that it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _say(where: object, text: str) -> None:
    where.write(f"{text}\n")  # type: ignore[attr-defined]
    where.flush()  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
