"""How many wrong labels stand at the top of the list, and what each part of the method adds.

    python -m benchmarks.trust.wrong_labels [--data ../shared/data] [--smoke]

Ten of 400 training labels are changed at random, five times over; `tl.check` does not know which.
The method was chosen with other seeds, 100 to 104, whose figures are told apart; they also have
labels changed to the class that the model itself finds second likeliest, as a person might confuse
them.
"""

import argparse
import csv
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

import tlkeras as tl
from benchmarks.harness.machine import described
from benchmarks.harness.results import RESULTS, written
from benchmarks.probe import cats_dogs, clothing
from tlkeras.data.picture import Picture
from tlkeras.evaluation.suspects.labels import Doubts, doubt
from tlkeras.evaluation.suspects.nearest import nearest
from tlkeras.features.features import Features
from tlkeras.heads.out_of_fold import out_of_fold
from tlkeras.progress import silent
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data"
)
parser.add_argument("--smoke", action="store_true", help="one seed, to see that it runs")

CHANGED = 10
SETS: Mapping[str, tuple[Callable[[Path, int], tl.ImageFolder], int]] = {
    "cats_dogs": (cats_dogs, 20),
    "clothing_small": (clothing, 40),
}
"""The pictures, and how far down the list is looked."""
BACKBONES = {
    "MobileNetV2-0.35": "weights/keras/mobilenetv2_0.35_224_notop.weights.h5",
    "MobileNetV2": "weights/keras/mobilenetv2_1.0_224_top_foldedbn_dequant.weights.h5",
    "MobileNet-0.25": "weights/keras/mobilenet_0.25_224_notop.weights.h5",
}


def changed_at_random(labels: np.ndarray, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(labels with ten of them changed to another class, which rows (10,) these are)."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(labels), CHANGED, replace=False)
    changed = labels.copy()
    changed[rows] = (labels[rows] + rng.integers(1, classes, CHANGED)) % classes
    return changed, rows


def relabelled(folder: tl.ImageFolder, labels: np.ndarray, seed: int) -> tl.ImageFolder:
    """The training and validation pictures of a folder with other labels, and its test part."""
    pictures = trained_on(folder)
    given = [("train", one, label) for one, label in zip(pictures, labels.tolist(), strict=True)]
    given += [("test", one, one.label) for one in folder.test.pictures]
    with tempfile.TemporaryDirectory() as room:
        table = Path(room, "labels.csv")
        with table.open("w", newline="", encoding="utf-8") as file:
            rows = csv.writer(file)
            rows.writerow(["path", "label", "split"])
            rows.writerows(
                [one.path.absolute(), folder.class_names[label], part] for part, one, label in given
            )
        return tl.ImageFolder.from_csv(table, seed=seed)


def trained_on(folder: tl.ImageFolder) -> list[Picture]:
    return [*folder.train.pictures, *folder.validation.pictures]


def found(folder: tl.ImageFolder, backbone: str, weights: Path, top: int, seed: int) -> dict:
    """What `tl.check` lists when ten labels were changed."""
    pictures = trained_on(folder)
    labels = np.array([one.label for one in pictures])
    changed, rows = changed_at_random(labels, len(folder.class_names), seed)
    wrong = {pictures[row].path.absolute() for row in rows.tolist()}
    other = relabelled(folder, changed, seed)
    findings = tl.check(other, backbone, weights=weights, seed=seed, progress=silent)
    listed = [one for one in findings if one.kind == "suspected-label"]
    paths = [path.absolute() for path in listed[0].paths] if listed else []
    return {
        "seed": seed,
        "in_first": len(wrong.intersection(paths[:top])),
        "listed": len(paths),
        "in_list": len(wrong.intersection(paths)),
    }


def average_precision(scores: np.ndarray, rows: np.ndarray) -> float:
    """Mean over the wrong rows of the share of wrong ones above each; scores high first."""
    right = np.isin(np.argsort(-scores, kind="stable"), rows)
    return float((np.cumsum(right) / np.arange(1, len(right) + 1))[right].mean())


def scores_of(features: Features, classes: int, doubts: Doubts) -> dict[str, np.ndarray]:
    """The ways of ranking that were compared, (n,) each, high where the label is doubted."""
    rows, labels = np.arange(len(features)), features.labels
    answers = out_of_fold(features, classes)
    rest = answers.copy()
    rest[rows, labels] = -1
    neighbours, _ = nearest(features.vectors, 10, features.ids)
    return {
        "head: probability of the label": -answers[rows, labels],
        "head: margin to the best other": rest.max(axis=1) - answers[rows, labels],
        "head: confident learning first": doubts.confident - answers[rows, labels],
        "neighbours: share with the label": -(labels[neighbours] == labels[:, None]).mean(axis=1),
        "head and neighbours: odds (chosen)": doubts.odds,
    }


def compared(features: Features, classes: int, seeds: range, confusable: bool) -> dict[str, float]:
    """Mean average precision of each way of ranking, over seeds that only the choice saw."""
    answers = out_of_fold(features, classes)
    answers[np.arange(len(features)), features.labels] = -1
    sums: dict[str, list[float]] = {}
    for seed in seeds:
        labels, rows = changed_at_random(features.labels, classes, seed)
        if confusable:
            labels[rows] = answers[rows].argmax(axis=1)
        wrong = Features(features.vectors, labels, features.ids)
        doubts = doubt(wrong, classes)
        for name, scores in scores_of(wrong, classes, doubts).items():
            sums.setdefault(name, []).append(average_precision(scores, rows))
    return {name: round(float(np.mean(values)), 3) for name, values in sums.items()}


def main() -> None:
    options = parser.parse_args()
    seeds, others = (range(1), range(100, 101)) if options.smoke else (range(5), range(100, 105))
    rows = []
    for name, (make, top) in SETS.items():
        folder = make(options.data, 0)
        for backbone, file in BACKBONES.items():
            weights = options.data / file
            runs = [found(folder, backbone, weights, top, seed) for seed in seeds]
            embed = Embedding(BackboneSource(backbone, weights).frozen(), tl.Recipe())
            features, classes = embed(trained_on(folder)), len(folder.class_names)
            clean = tl.check(folder, backbone, weights=weights, progress=silent)
            rows.append(
                {
                    "set": name,
                    "backbone": backbone,
                    "pictures": len(features),
                    "top": top,
                    "mean_in_first": float(np.mean([run["in_first"] for run in runs])),
                    "runs": runs,
                    "listed_of_unchanged": sum(
                        len(one.paths) for one in clean if one.kind == "suspected-label"
                    ),
                    "outliers_of_unchanged": sum(
                        len(one.paths) for one in clean if one.kind == "outlier"
                    ),
                    "average_precision_random": compared(features, classes, others, False),
                    "average_precision_confusable": compared(features, classes, others, True),
                }
            )
            print(_line(rows[-1]), flush=True)
    if not options.smoke:
        document = {
            "benchmark": "wrong_labels",
            "machine": described(peak=False),
            "settings": {"changed": CHANGED, "seeds": list(seeds), "choice": list(others)},
            "rows": rows,
        }
        written(document, RESULTS / "wrong_labels.json")


def _line(row: Mapping[str, object]) -> str:
    names = ("average_precision_random", "average_precision_confusable")
    return (
        f"{row['set']:<15} {row['backbone']:<17} {row['mean_in_first']:.1f} of {CHANGED} in the "
        f"first {row['top']}; listed when nothing was changed {row['listed_of_unchanged']}; "
        f"outliers {row['outliers_of_unchanged']}; {[row[name] for name in names]}"
    )


if __name__ == "__main__":
    main()
