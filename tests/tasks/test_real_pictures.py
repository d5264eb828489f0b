"""Real pictures and real pretrained weights: what the main job must reach."""

import csv
from pathlib import Path

import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tlkeras as tl


def cats_dogs(data: Path, table: Path) -> tl.ImageFolder:
    """The first 200 pictures a class by sorted name to train on, the last 100 to test."""
    with table.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["path", "label", "split"])
        for kind in ("cat", "dog"):
            for number, path in enumerate(sorted((data / kind).iterdir())):
                rows.writerow([path, kind, "train" if number < 200 else "test"])
    return tl.ImageFolder.from_csv(table)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("clothing_small", 0.69), ("cats_dogs", 0.93)])
def test_frozen_linear_head_reaches_its_figure_and_scikit_learns(
    name: str, least: float, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "datasets" / name
    data = (
        cats_dogs(folder, tmp_path / "table.csv") if name == "cats_dogs" else tl.ImageFolder(folder)
    )
    weights = shared_data / "weights" / "keras" / "mobilenetv2_0.35_224_notop.weights.h5"
    clf = tl.ImageClassifier("MobileNetV2-0.35", weights=weights).fit(data)
    accuracy = clf.evaluate(data.test).accuracy
    extract = clf._fitted.extractor(clf.recipe)
    train = extract([*data.train.pictures, *data.validation.pictures])
    test = extract(data.test.pictures)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    theirs = probe.fit(train.vectors, train.labels).score(test.vectors, test.labels)
    assert accuracy >= least
    assert theirs <= accuracy + 0.01
