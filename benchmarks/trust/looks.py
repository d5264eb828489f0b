"""Real pictures made blank, dark, overexposed or blurred: how many are told, and how many others?

    python -m benchmarks.trust.looks [--data ../shared/data]

Every picture of three sets as it is, then 100 of each set made worse in each of several ways.
Writes benchmarks/results/looks.json.
"""

import argparse
import io
import random
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.harness.pictures import DATA
from benchmarks.harness.results import RESULTS, written
from tlkeras.data.checks.look import LOOK, SIDE_PX, look
from tlkeras.data.checks.looks import kinds_of
from tlkeras.data.decode import SUFFIXES, Source, decode

SETS = ("clothing_small", "cats_dogs", "imagenet_sample_100")
PICTURES = 100
QUALITY = 90


def _blurred(share: float) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.filter(ImageFilter.GaussianBlur(share * min(image.size)))


def _levels(change: Callable[[int], float]) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.point([int(min(255, change(level))) for level in range(256)] * 3)


def _enlarged(factor: int) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.reduce(factor).resize(image.size, Image.Resampling.BICUBIC)


WORSE: dict[str, tuple[str, Callable[[Image.Image], Image.Image]]] = {
    "one colour, saved as JPEG": ("blank", lambda image: Image.new("RGB", image.size, "teal")),
    "a tenth of the light": ("dark", _levels(lambda level: level * 0.1)),
    "0.15 of the light": ("dark", _levels(lambda level: level * 0.15)),
    "150 levels added": ("overexposed", _levels(lambda level: level + 150)),
    "200 levels added": ("overexposed", _levels(lambda level: level + 200)),
    "Gaussian blur of 1 % of the side": ("blurred", _blurred(0.01)),
    "Gaussian blur of 1.5 %": ("blurred", _blurred(0.015)),
    "Gaussian blur of 2 %": ("blurred", _blurred(0.02)),
    "Gaussian blur of 3 %": ("blurred", _blurred(0.03)),
    "enlarged eight times": ("blurred", _enlarged(8)),
}


def main() -> None:
    """Measure the sets and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=DATA)
    options = parser.parse_args()
    rows = []
    for name in SETS:
        folder = options.data / "datasets" / name
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
        clean = {kind: len(those) for kind, those in kinds_of(_looks(files)).items()}
        rows.append({"data": name, "made": "as it is", "pictures": len(files), "told": clean})
        print(rows[-1], flush=True)
        random.Random(0).shuffle(files)
        for made, (kind, change) in WORSE.items():
            worse = [_saved(change(Image.open(one).convert("RGB"))) for one in files[:PICTURES]]
            told = {one: len(those) for one, those in kinds_of(_looks(worse)).items()}
            rows.append({"data": name, "made": made, "as": kind, "pictures": len(worse)})
            rows[-1]["told"] = told
            print(rows[-1], flush=True)
    settings = {"pictures": PICTURES, "quality": QUALITY, "seed": 0}
    written({"benchmark": "looks", "settings": settings, "rows": rows}, RESULTS / "looks.json")


def _looks(sources: Sequence[Source]) -> np.ndarray:
    return np.array([look(decode(source, (SIDE_PX, SIDE_PX))) for source in sources], LOOK)


def _saved(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY)
    return buffer.getvalue()


if __name__ == "__main__":
    main()
