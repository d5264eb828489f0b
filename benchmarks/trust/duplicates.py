"""Planted copies of real pictures: how many are found, what else is found, does any straddle?

    python -m benchmarks.trust.duplicates [--seeds 3] [--data ../shared/data]

Into copies of `clothing_small` and `cats_dogs` go 50 near copies (17 saved anew at JPEG quality
70, 17 resized by 0.9, 16 both) and 50 mirrored ones. Where a set has a test part of its own, every
second near copy of a test picture is put into training. Writes benchmarks/results/duplicates.json.
"""

import argparse
import os
import random
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from PIL import Image, ImageOps

from benchmarks.harness.pictures import DATA
from benchmarks.harness.results import RESULTS, written
from tlkeras.data.checks.findings import Finding
from tlkeras.data.folder import ImageFolder

SETS = ("clothing_small", "cats_dogs")
NEAR = {"re-encoded": 17, "resized": 17, "both": 16}
FLIPPED = 50
QUALITY, FACTOR = 70, 0.9


@dataclass(frozen=True)
class Planted:
    """A copy that was put into a set: how it was made, and what of."""

    kind: str
    path: Path
    original: Path


@dataclass(frozen=True)
class Outcome:
    """How many of each kind were planted and found, what else was found, what straddles."""

    data: str
    seed: int
    planted: dict[str, int]
    found: dict[str, int]
    false_near: int
    false_flipped: int
    straddling: int


def main() -> None:
    """Measure both sets and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    clean, outcomes = {}, []
    for name in SETS:
        source = options.data / "datasets" / name
        clean[name] = on_clean(source)
        print(f"{name}, as it is: {clean[name]}")
        for seed in range(options.seeds):
            with tempfile.TemporaryDirectory() as folder:
                outcomes.append(measured(source, Path(folder) / name, seed))
            print(outcomes[-1], flush=True)
    document = {
        "benchmark": "duplicates",
        "settings": {"quality": QUALITY, "factor": FACTOR, "seeds": options.seeds},
        "notes": [
            "The two near copies in clothing_small as it is are one photograph in two classes."
        ],
        "clean": clean,
        "rows": [asdict(outcome) for outcome in outcomes],
    }
    written(document, RESULTS / "duplicates.json")


def on_clean(source: Path) -> dict[str, int]:
    """Number of pictures in each finding that pixels decide, where nothing was planted."""
    kinds = ("duplicate", "near-duplicate", "two-labels", "two-labels-near", "flipped-duplicate")
    looks = ("blank", "dark", "low-information", "overexposed", "blurred", "odd-size")
    found = {finding.kind: len(finding.paths) for finding in ImageFolder(source).check()}
    return {kind: found.get(kind, 0) for kind in (*kinds, *looks)}


def measured(source: Path, folder: Path, seed: int) -> Outcome:
    """Plant, check, and count."""
    shutil.copytree(source, folder)
    os.environ["TLKERAS_CACHE"] = str(folder.parent / "cache")
    planted = plant(folder, seed)
    data = ImageFolder(folder, seed=seed)
    findings = data.check()
    near = _sets(findings, ("near-duplicate", "two-labels-near", "duplicate", "two-labels"))
    flipped = _sets(findings, ("flipped-duplicate",))
    leaked = {aside.path for aside in data.set_aside if aside.kind == "leaked"}
    part_of = {
        path: part.name for part in (data.train, data.validation, data.test) for path in part.paths
    }
    number: dict[str, int] = {}
    found: dict[str, int] = {}
    for one in planted:
        sets = flipped if one.kind == "flipped" else near
        hit = one.path in leaked or any({one.path, one.original} <= some for some in sets)
        number[one.kind] = number.get(one.kind, 0) + 1
        found[one.kind] = found.get(one.kind, 0) + hit
    own = {path for one in planted for path in (one.path, one.original)}
    straddling = [
        one
        for one in planted
        if one.kind != "flipped"
        and {one.path, one.original} <= part_of.keys()
        and part_of[one.path] != part_of[one.original]
    ]
    return Outcome(
        source.name,
        seed,
        number,
        found,
        sum(len(some - own) for some in near),
        sum(len(some - own) for some in flipped),
        len(straddling),
    )


def plant(folder: Path, seed: int) -> list[Planted]:
    """Copies of pictures below `folder`, each written beside its original, or into training."""
    chosen = sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg"))
    random.Random(seed).shuffle(chosen)
    kinds = [kind for kind, count in NEAR.items() for _ in range(count)] + ["flipped"] * FLIPPED
    planted = []
    for number, (kind, original) in enumerate(zip(kinds, chosen, strict=False)):
        image = Image.open(original).convert("RGB")
        if kind in ("resized", "both"):
            size = (round(image.width * FACTOR), round(image.height * FACTOR))
            image = image.resize(size, Image.Resampling.BICUBIC)
        if kind == "flipped":
            image = ImageOps.mirror(image)
        where = original.parent
        if "test" in where.parts and number % 2 and kind != "flipped":
            where = folder / "train" / where.name
        path = where / f"planted_{number:03}.jpg"
        image.save(path, quality=QUALITY if kind in ("re-encoded", "both") else 95)
        planted.append(Planted(kind, path, original))
    return planted


def _sets(findings: Sequence[Finding], kinds: Sequence[str]) -> list[set[Path]]:
    """The pictures of each set in the findings of these kinds."""
    sets: dict[tuple[str, str], set[Path]] = {}
    for finding in findings:
        if finding.kind in kinds:
            for path, detail in zip(finding.paths, finding.details, strict=True):
                sets.setdefault((finding.kind, detail.split(",")[0]), set()).add(path)
    return list(sets.values())


if __name__ == "__main__":
    main()
