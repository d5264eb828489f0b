"""A trained run, its SavedModel, and the test part's files with what `predict` says of each.

    python -m benchmarks.serving_load.prepare FOLDER [--data ../shared/data]

Cats and dogs, MobileNetV2-0.35 with its pretrained weights. In a process of its own, so that the
one that asks loads no framework.
"""

import argparse
import json
import os
import shutil
from pathlib import Path

from benchmarks.harness.pictures import DATA

NAME = "pets"

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("folder", type=Path)
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")


def prepared(data: Path, folder: Path) -> None:
    """run/, serve/pets/1/ and asked/ with asked.json in the folder."""
    import tlkeras as tl
    from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs
    from tlkeras.progress import silent

    pictures = cats_dogs(data, 0)
    clf = tl.ImageClassifier(BACKBONE, weights=data / WEIGHTS).fit(pictures, progress=silent)
    clf.save(folder / "run")
    clf.export(folder / "serve" / NAME / "1")
    loaded = tl.ImageClassifier.load(folder / "run")
    labels = loaded.predict(pictures.test.paths, progress=silent).labels
    (folder / "asked").mkdir()
    for path in pictures.test.paths:
        shutil.copy(path, folder / "asked" / path.name)
    told = {path.name: label for path, label in zip(pictures.test.paths, labels, strict=True)}
    (folder / "asked.json").write_text(json.dumps(told), encoding="utf-8")


def main() -> None:
    options = parser.parse_args()
    os.environ["TLKERAS_CACHE"] = str(options.folder / "cache")
    prepared(options.data, options.folder)


if __name__ == "__main__":
    main()
