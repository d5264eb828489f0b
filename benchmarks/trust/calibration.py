"""How sure and how often right, before and after the temperature; and what the unknown score tells.

    python -m benchmarks.trust.calibration [--data ../shared/data] [--fine-tune] [--smoke]

Three seeds each: another validation part, and with it another temperature and another limit. The
test part is the data set's own. That the temperature is moved only as far as the validation part
can tell was chosen on splits by other seeds.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import tlkeras as tl
from benchmarks.harness.machine import described
from benchmarks.harness.results import RESULTS, written
from benchmarks.probe import cats_dogs, clothing
from tlkeras.evaluation.calibration import Calibration
from tlkeras.heads.unknown import UnknownScore, fit_unknown
from tlkeras.progress import silent
from tlkeras.tasks.answers import predict
from tlkeras.tasks.fitted import Fitted, fit_head, tune_backbone
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.training.recipe import Recipe

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[3] / "shared" / "data"
)
parser.add_argument("--fine-tune", action="store_true", help="MobileNetV2-0.35 too; minutes")
parser.add_argument("--smoke", action="store_true", help="one seed and backbone")

SETS = {"clothing_small": clothing, "cats_dogs": cats_dogs}
BACKBONES = {
    "MobileNetV2-0.35": "weights/keras/mobilenetv2_0.35_224_notop.weights.h5",
    "MobileNetV2": "weights/keras/mobilenetv2_1.0_224_top_foldedbn_dequant.weights.h5",
    "MobileNet-0.25": "weights/keras/mobilenet_0.25_224_notop.weights.h5",
    "TinyResNet": "builtin",
}
TUNED = "MobileNetV2-0.35"
Row = dict[str, object]


def calibrated(run: str, fitted: Fitted, folder: tl.ImageFolder) -> dict[str, object]:
    """The error on the test part with the temperature and without, and labels that it changed."""
    answers = fitted.network.score(folder.test.pictures)
    after = Calibration(folder.test.labels, answers)
    before = after.before(fitted.temperature)
    return {
        "run": run,
        "temperature": round(fitted.temperature, 4),
        "accuracy": round(float((answers.argmax(1) == folder.test.labels).mean()), 4),
        "labels_changed": int((before.probabilities.argmax(1) != answers.argmax(1)).sum()),
        "ece_before": round(before.ece, 4),
        "ece_after": round(after.ece, 4),
        "ece_by_chance": round(after.by_chance, 4),
    }


def area(known: np.ndarray, other: np.ndarray) -> float:
    """Probability that another picture scores higher than a known one: area under the ROC."""
    below = (known[:, None] < other).mean() + 0.5 * (known[:, None] == other).mean()
    return round(float(below), 4)


def told_apart(unknown: UnknownScore, known: np.ndarray, other: np.ndarray) -> dict[str, object]:
    """How scores of test pictures (n,) and of pictures (m,) of the other set lie."""
    return {
        "limit_set_on": unknown.rows,
        "false_alarms_asked": round(unknown.false_alarms, 4),
        "false_alarms": round(float((known > 1).mean()), 4),
        "marked_of_other_set": round(float((other > 1).mean()), 4),
        "auroc_other_set": area(known, other),
    }


def without_a_class(embedding: Embedding, folder: tl.ImageFolder, share: float) -> float:
    """Mean area for test pictures of a class that was left out of the training, over classes."""
    areas = []
    train, validation, test = (
        embedding(part.pictures) for part in (folder.train, folder.validation, folder.test)
    )
    for left_out in range(len(folder.class_names)):
        seen, held = train.labels != left_out, validation.labels != left_out
        score = fit_unknown(
            train.vectors[seen], train.labels[seen], validation.vectors[held], share
        )
        values, out = score(test.vectors), test.labels == left_out
        areas.append(area(values[~out], values[out]))
    return round(float(np.mean(areas)), 4)


def frozen(
    backbone: str, embedding: Embedding, kind: str, folders: dict[str, tl.ImageFolder]
) -> tuple[list[Row], list[Row]]:
    """Rows of both heads, and of the unknown score, which is the same for both."""
    folder, sure = folders[kind], []
    known, other = (
        embedding(one.test.pictures).vectors for one in (folder, other_than(kind, folders))
    )
    for head in ("linear", "mlp"):
        fitted, found = fit_head(embedding, folder, head, embedding.recipe, silent)
        row = calibrated(f"{backbone}, {head}", fitted, folder)
        plain = found.head.probabilities(known).argmax(1)
        now = fitted.network.score(folder.test.pictures).argmax(1)
        sure.append(row | {"labels_changed": int((plain != now).sum())})
    told = told_apart(found.unknown, found.unknown(known), found.unknown(other))
    if len(folder.class_names) > 2:
        told["auroc_class_left_out"] = without_a_class(
            embedding, folder, embedding.recipe.false_alarms
        )
    return sure, [{"run": backbone, **told}]


def tuned(
    backbone: str, embedding: Embedding, kind: str, folders: dict[str, tl.ImageFolder]
) -> tuple[list[Row], list[Row]]:
    """The same of the fine-tuned network; nothing where the frozen one is better."""
    folder, run = folders[kind], f"{backbone}, fine-tuned"
    fitted, found = fit_head(embedding, folder, "linear", embedding.recipe, silent)
    if not tune_backbone(fitted, found, folder, embedding.recipe, silent).better:
        return [], []
    unknown = fitted.network.unknown
    assert unknown is not None
    known, other = (
        predict(fitted, [str(path) for path in one.test.paths]).unknown_scores
        for one in (folder, other_than(kind, folders))
    )
    told = told_apart(unknown, known, other)
    return [calibrated(run, fitted, folder)], [{"run": run, **told}]


def other_than(kind: str, folders: dict[str, tl.ImageFolder]) -> tl.ImageFolder:
    return next(folder for name, folder in folders.items() if name != kind)


def runs(options: argparse.Namespace) -> Iterator[tuple[list[Row], list[Row]]]:
    """Rows of calibration and of the unknown score, a backbone, a seed and a set at a time."""
    for backbone, file in list(BACKBONES.items())[: 1 if options.smoke else None]:
        weights = file if file == "builtin" else options.data / file
        for seed in range(1 if options.smoke else 3):
            folders = {kind: make(options.data, seed) for kind, make in SETS.items()}
            for kind in folders:
                where = {"set": kind, "seed": seed}
                for how in (frozen, tuned)[: 1 + (options.fine_tune and backbone == TUNED)]:
                    source = BackboneSource(backbone, weights).frozen(seed)
                    embedding = Embedding(source, Recipe(seed=seed))
                    sure, strange = how(backbone, embedding, kind, folders)
                    yield [where | row for row in sure], [where | row for row in strange]


def main() -> None:
    options = parser.parse_args()
    calibration, unknown = [], []
    for sure, strange in runs(options):
        for row in sure:
            print(
                f"{row['set']:<15} {row['run']:<28} seed {row['seed']}  T {row['temperature']:.2f} "
                f" error {row['ece_before']:.3f} → {row['ece_after']:.3f} (by chance "
                f"{row['ece_by_chance']:.3f})  labels changed {row['labels_changed']}",
                flush=True,
            )
        for row in strange:
            print("   ".join(f"{name} {value}" for name, value in row.items()), flush=True)
        calibration += sure
        unknown += strange
    worst = max(row["ece_after"] - row["ece_before"] for row in calibration)
    print(f"worst change of the error {worst:+.4f}")
    if not options.smoke:
        document = {
            "benchmark": "calibration",
            "machine": described(peak=False),
            "calibration": calibration,
            "unknown": unknown,
        }
        written(document, RESULTS / "calibration.json")


if __name__ == "__main__":
    main()
