"""Real pictures, real weights: the frozen linear head beside scikit-learn's, and fine-tuning.

    python benchmarks/probe.py [--fine-tune] [--data ../shared/data]

Prints one row a data set: test accuracy of `fit` with its interval, of StandardScaler +
LogisticRegression on the same features, and with --fine-tune of `fine_tune` as well. The parts
are the ones that PROVENANCE.md beside the data names.
"""

import argparse
import csv
import tempfile
import time
from pathlib import Path

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tlkeras as tl
from tlkeras.progress import silent

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data"
)
parser.add_argument("--fine-tune", action="store_true")
parser.add_argument("--seed", type=int, default=0)

BACKBONE, WEIGHTS = "MobileNetV2-0.35", "weights/keras/mobilenetv2_0.35_224_notop.weights.h5"


def clothing(data: Path, seed: int) -> tl.ImageFolder:
    """400 pictures to train on, 372 to test, 10 classes: the folders' own parts."""
    return tl.ImageFolder(data / "datasets" / "clothing_small", seed=seed)


def cats_dogs(data: Path, seed: int) -> tl.ImageFolder:
    """The first 200 a class by sorted name to train on, the last 100 to test."""
    root = data / "datasets" / "cats_dogs"
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", delete=False) as table:
        rows = csv.writer(table)
        rows.writerow(["path", "label", "split"])
        for kind in ("cat", "dog"):
            for number, path in enumerate(sorted((root / kind).iterdir())):
                rows.writerow([path, kind, "train" if number < 200 else "test"])
    try:
        return tl.ImageFolder.from_csv(table.name, seed=seed)
    finally:
        Path(table.name).unlink()


def scikit_learn(classifier: tl.ImageClassifier, folder: tl.ImageFolder) -> float:
    """Test accuracy of StandardScaler + LogisticRegression on the same features."""
    extract = classifier._fitted.network.embedding
    train = extract([*folder.train.pictures, *folder.validation.pictures])
    test = extract(folder.test.pictures)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    return float(probe.fit(train.vectors, train.labels).score(test.vectors, test.labels))


def main() -> None:
    options = parser.parse_args()
    print(f"{BACKBONE}, linear head, seed {options.seed}\n")
    print("data set         train  test   tlkeras   95 % interval   scikit-learn   fine-tuned")
    for name, make in (("clothing_small", clothing), ("cats_dogs", cats_dogs)):
        folder = make(options.data, options.seed)
        recipe = tl.Recipe(seed=options.seed)
        clf = tl.ImageClassifier(BACKBONE, weights=options.data / WEIGHTS, recipe=recipe)
        clf.fit(folder, progress=silent)
        report = clf.evaluate(folder.test, progress=silent)
        theirs = scikit_learn(clf, folder)
        tuned = fine_tuned(clf, folder) if options.fine_tune else "-"
        low, high = report.interval
        count = len(folder.train) + len(folder.validation)
        print(
            f"{name:<15} {count:>6} {len(folder.test):>5}   {report.accuracy:.4f}   "
            f"{low:.3f} to {high:.3f}   {theirs:>12.4f}   {tuned}",
            flush=True,
        )


def fine_tuned(clf: tl.ImageClassifier, folder: tl.ImageFolder) -> str:
    """Test accuracy after fine-tuning, and what it cost."""
    started = time.monotonic()
    outcome = clf.fine_tune(folder, progress=silent)
    accuracy = clf.evaluate(folder.test, progress=silent).accuracy
    return f"{accuracy:.4f}  ({time.monotonic() - started:.0f} s; {outcome})"


if __name__ == "__main__":
    main()
