"""The folders of real JPEGs that benchmarks train on, put together from ../shared/data.

clothing_small (10 classes) + cats_dogs (2) ─▶ one folder of 12 classes, no picture twice
"""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness.machine import ROOT

DATA = ROOT.parent / "shared" / "data"
SETS = ("clothing_small", "cats_dogs")
MOBILENETV2 = "weights/keras/mobilenetv2_1.0_224_top_foldedbn_dequant.weights.h5"
PARTS = {"train": 0.6, "val": 0.2, "test": 0.2}


def files_of(data: Path, name: str) -> dict[str, list[Path]]:
    """JPEG files by class of one of the sets, sorted by name."""
    found: dict[str, list[Path]] = {}
    for path in sorted((data / "datasets" / name).rglob("*.jpg")):
        found.setdefault(path.parent.name, []).append(path)
    if not found:
        raise SystemExit(
            f"The pictures were expected in {data / 'datasets' / name}. Received: none. "
            "Name their folder with --data."
        )
    return found


def put_together(data: Path, folder: Path, count: int) -> int:
    """Copies `count` JPEGs of both sets into class folders; returns how many there are.

    Every class gives its share; which of its pictures is drawn from a fixed seed. None is used
    twice, so that a larger count than there are pictures gives all of them.
    """
    classes = {name: files for part in SETS for name, files in files_of(data, part).items()}
    total = sum(map(len, classes.values()))
    left, there, copied = min(count, total), total, 0
    for name, files in classes.items():
        share = round(left * len(files) / there)
        there, left = there - len(files), left - share
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        for path in random.Random(0).sample(files, share):
            shutil.copy(path, target / f"{path.parent.parent.name}_{path.name}")
            copied += 1
    return copied


def split_apart(data: Path, name: str, folder: Path, seed: int, most: int | None = None) -> None:
    """Copies one set into train/, val/ and test/ above class folders: 60, 20 and 20 %."""
    for label, files in files_of(data, name).items():
        for part, path in _dealt(files, seed, most):
            target = folder / part / label
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / f"{path.parent.parent.name}_{path.name}")


def _dealt(files: list[Path], seed: int, most: int | None) -> Iterator[tuple[str, Path]]:
    shuffled = random.Random(seed).sample(files, min(len(files), most or len(files)))
    start = 0.0
    for part, share in PARTS.items():
        first, last = (round(at * len(shuffled)) for at in (start, start + share))
        start += share
        yield from ((part, path) for path in shuffled[first:last])
