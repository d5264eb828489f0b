"""Disks that are full or read-only, at every stage: what stood before stands, and words say why.

A small disk in memory is mounted for a process of its own, where the system lets us: as root, or
as whoever may make name spaces. Elsewhere the row says that it was not done.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.torture.rows import Row, not_done, read

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = 48
_WAYS = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))
_MOUNT = 'mount -t tmpfs -o size={megabytes}m tmpfs "{folder}"'


def run(budget_s: float, seed: int) -> list[Row]:
    """One row a stage: how many commands met a disk that refuses, and how many took it badly."""
    way = way_to_mount()
    if way is None:
        why = "mounting a small disk takes root or name spaces, which are not allowed"
        return [not_done("disk", "filled a disk at each stage", why)]
    with tempfile.TemporaryDirectory(prefix="tlkeras-disk-") as folder:
        place, rows = Path(folder, "disk"), Path(folder, "rows.json")
        place.mkdir()
        inside = f'exec "{sys.executable}" -m tests.torture.small_disk "{place}" "{rows}"'
        script = f"{_MOUNT.format(megabytes=MEGABYTES, folder=place)} && {inside}"
        ended = _status((*way, "sh", "-c", script), budget_s)
        if rows.exists():
            found = read(rows)
            return found if ended == 0 else [*found, _unfinished(ended)]
    return [_unfinished(ended)]


def way_to_mount() -> tuple[str, ...] | None:
    """The words before a command that may mount a disk for itself alone; None where none may."""
    with tempfile.TemporaryDirectory() as folder:
        script = _MOUNT.format(megabytes=1, folder=folder)
        for way in _WAYS:
            try:
                done = subprocess.run(
                    [*way, "sh", "-c", script], capture_output=True, timeout=20, check=False
                )
            except (OSError, subprocess.TimeoutExpired):
                continue
            if done.returncode == 0:
                return way
    return None


def _status(words: tuple[str, ...], budget_s: float) -> int | None:
    # Nothing of what it prints is of interest but its errors.
    process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.DEVNULL, env=dict(os.environ))
    try:
        return process.wait(budget_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return None


def _unfinished(status: int | None) -> Row:
    said = "not done in its time" if status is None else f"exit status {status}"
    return Row("disk", "came to the end", 1, 1, "", f"{said}; see standard error")
