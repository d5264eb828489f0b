"""What each LiteRT file costs: bytes, and accuracy before and after, on pictures no one trained on.

    python -m benchmarks.quantised [--data ../shared/data] [--kinds float32 int8 …] [--smoke]

MobileNetV2-0.35 with a linear head. Files are calibrated on the training part and compared on the
validation part, which the head has seen by then too, on the test part, which it has not, and, for
the marks for unlike pictures, on the test part of the other set.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import tlkeras as tl
from benchmarks.harness.machine import described
from benchmarks.harness.results import RESULTS, written
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs, clothing
from tlkeras.bundle import read
from tlkeras.bundle.bundle import Bundle
from tlkeras.data.pipeline import pixel_batches
from tlkeras.export.formats.c_array import to_c
from tlkeras.export.formats.litert_file import KINDS, Kind, to_litert
from tlkeras.export.formats.quality import read_quality
from tlkeras.progress import silent

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data"
)
parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS, help="float32 first")
parser.add_argument("--smoke", action="store_true", help="float32 and int8 of cats_dogs; no file")

SETS = {"cats_dogs": cats_dogs, "clothing_small": clothing}
MOST = {"float32": 1.0, "float16": 0.55, "dynamic": 0.35, "int8": 0.35}  # of the float32 file
Row = dict[str, Any]


def trained(data: Path, kind: str, folder: Path) -> Bundle:
    """The run of one set, saved and loaded again."""
    pictures = SETS[kind](data, 0)
    clf = tl.ImageClassifier(BACKBONE, weights=data / WEIGHTS)
    clf.fit(pictures, progress=silent)
    clf.save(folder)
    return read.load(folder)


def part(bundle: Bundle, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (n, size_px, size_px, 3) uint8 of a part, and its classes (n,)."""
    side = bundle.backbone["size_px"]
    rows = [row for row in bundle.manifest if row["part"] == name]
    files = [str(row["path"]) for row in rows]
    batches = pixel_batches(files, (side, side), exact=True)
    pixels = np.concatenate([np.rint(batch.pixels).astype(np.uint8) for batch in batches])
    return pixels, np.array([bundle.class_names.index(str(row["label"])) for row in rows])


def rows(data: Path, sets: list[str], kinds: Sequence[Kind], folder: Path) -> Iterator[Row]:
    """One row a set, a kind of file and a part."""
    bundles = {name: trained(data, name, folder / name) for name in sets}
    for name, bundle in bundles.items():
        shown, _ = part(bundle, "train")
        known: dict[str, tuple[np.ndarray, np.ndarray | None]] = {
            each: part(bundle, each) for each in ("validation", "test")
        }
        for other in bundles.keys() - {name}:
            known["other set"] = (part(bundles[other], "test")[0], None)
        whole = 0
        for kind in kinds:
            path, started = folder / f"{name}_{kind}.tflite", time.monotonic()
            to_litert(bundle, path, kind=kind, pictures=shown, known=known, max_drop=1.0)
            seconds, size = time.monotonic() - started, path.stat().st_size
            whole = whole or size
            if kind == "int8":
                to_c(path, folder / "c")
            for found in read_quality(path):
                yield {
                    "set": name,
                    "kind": kind,
                    "bytes": size,
                    "share_of_float32": round(size / whole, 4),
                    "seconds": round(seconds, 1),
                    **{key: _short(value) for key, value in found.to_dict().items()},
                }


def _line(row: Row) -> str:
    accuracy = "               "
    if row["before"] is not None:
        accuracy = f"{row['before']:.4f} → {row['after']:.4f}"
    return (
        f"{row['set']:<15} {row['kind']:<8} {row['bytes']:>8} bytes ({row['share_of_float32']:.3f})"
        f"  {row['part']:<10} {accuracy}  labels {row['agreement']:.4f}  "
        f"marks {row['unknown_agreement']:.4f}  {row['seconds']} s"
    )


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    options = parser.parse_args()
    sets = list(SETS)[: 1 if options.smoke else None]
    kinds: Sequence[Kind] = ("float32", "int8") if options.smoke else options.kinds
    found = []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows(options.data, sets, kinds, Path(folder)):
            found.append(row)
            print(_line(row), flush=True)
    judged = [row for row in found if row["before"] is not None]
    worst = max(row["before"] - row["after"] for row in judged)
    largest = max(row["share_of_float32"] / MOST[row["kind"]] for row in found)
    print(f"largest loss of accuracy {worst:+.4f}; largest size {largest:.2f} of what it may be")
    if not options.smoke:
        document = {"benchmark": "quantised", "machine": described(peak=False), "rows": found}
        written(document, RESULTS / "quantised.json")


if __name__ == "__main__":
    main()
