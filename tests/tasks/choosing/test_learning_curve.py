"""Learning curves of real and of generated pictures, in words, numbers and figures."""

import json
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from benchmarks.probe import BACKBONE, WEIGHTS, cats_dogs, clothing
from tests.conftest import write_flowers
from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.progress import silent
from tlkeras.selection.outlook import Estimate
from tlkeras.tasks.choosing.curve_shown import more_pictures
from tlkeras.tasks.choosing.learning_curve import LearningCurve, curve_of


def curve(n: int, apart: float, classes: int = 3, seed: int = 0) -> LearningCurve:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    centres = np.random.default_rng(99).normal(size=(classes, 10)) * apart
    vectors = (centres[labels] + rng.normal(size=(n, 10))).astype("float32")
    rows = Features(vectors, labels, tuple(map(str, range(n))))
    names = tuple(f"<b>{number}$" for number in range(classes))
    return curve_of(rows, names, "x", seed=seed)


def test_labels_by_chance_are_not_told_to_get_better() -> None:
    for seed in range(3):
        found = curve(150, 0.0, seed=seed)
        assert not found.verdict.startswith("More pictures would help")
        assert found.pictures_for(5).high == np.inf


def test_easy_classes_hardly_need_more() -> None:
    assert "would hardly help" in curve(150, 3.0).verdict


def test_fewer_pictures_make_a_wider_interval() -> None:
    few, many = curve(60, 0.5).gain(2), curve(600, 0.5).gain(2)
    assert few.high - few.low > 1.5 * (many.high - many.low)


def test_numbers_are_json_and_text_has_every_class() -> None:
    found = curve(90, 0.6)
    content = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [point["pictures"] for point in content["points"]] == [7, 18, 36, 72]
    assert set(content["per_class"]) == set(found.class_names)
    assert all(name in str(found) for name in found.class_names)
    assert found.verdict in str(found)
    assert "<b>" not in found._repr_html_()
    now = f"{100 * found.points[-1].accuracy:.1f} % right with 90 pictures"
    assert repr(found) == f"LearningCurve({found.backbone}: {now})"


def test_unknown_class_is_named() -> None:
    with pytest.raises(DataError, match="Received: 'tulip'"):
        curve(60, 1.0).gain(2, "tulip")


def test_too_few_pictures_are_told() -> None:
    with pytest.raises(DataError, match="needs 15 pictures"):
        curve(12, 1.0)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (Estimate(41.3, 22, 118), "about 41 (22 to 120)"),
        (Estimate(41.3, 22, np.inf), "about 41 (22 or more, can't tell how many)"),
        (Estimate(np.inf, 55, np.inf), "can't tell, 55 or more"),
        (Estimate(np.inf, 5e9, np.inf), "out of reach, over 800"),
    ],
)
def test_nothing_is_foretold_far_beyond_what_there_is(more: Estimate, words: str) -> None:
    assert more_pictures(more, 40) == words


def test_figure_shows_points_law_and_classes() -> None:
    pytest.importorskip("matplotlib")
    found = curve(90, 0.6)
    plot = found.plot()
    left, right = plot.axes
    assert len(right.get_yticklabels()) == 3
    measured = left.containers[0].lines[0].get_ydata()
    assert measured == pytest.approx([100 * point.accuracy for point in found.points])
    assert plot._repr_png_()[:4] == b"\x89PNG"


def test_pictures_of_a_folder_are_embedded_once(tmp_path: Path) -> None:
    data = tl.ImageFolder(write_flowers(tmp_path / "flowers", per_class=24, seed=8))
    found = tl.learning_curve(data, "TinyResNet", progress=silent)
    assert found.pictures == len(data.train) + len(data.validation)
    assert found.backbone == "TinyResNet"
    assert found.points[-1].accuracy > 0.7
    told: list[str] = []
    again = tl.learning_curve(data, "TinyResNet", progress=lambda task, *_: told.append(task))
    assert again.to_dict() == found.to_dict()
    assert set(told) <= {"probes on more and more pictures", "embedding, train and validation"}


def test_copies_and_groups_are_judged_together(tmp_path: Path) -> None:
    folder = write_flowers(tmp_path / "flowers", per_class=8, seed=8)
    for path in sorted(folder.glob("*/*")):
        path.with_stem(f"{path.stem}_copy").write_bytes(path.read_bytes())
    data = tl.ImageFolder(folder)
    groups = data.groups("train", "validation").tolist()
    sha256 = [*data.train.sha256, *data.validation.sha256]
    assert len(groups) == len(sha256)
    together = {
        group: {s for g, s in zip(groups, sha256, strict=True) if g == group} for group in groups
    }
    assert len(together) == len(set(sha256)) < len(sha256)
    named = tl.ImageFolder(folder, groups=lambda path: int(path.stem.split("_")[1]) % 4)
    assert len(set(named.groups("train", "validation").tolist())) < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("pictures", "helps"), [(clothing, True), (cats_dogs, False)], ids=["clothing", "cats_dogs"]
)
def test_real_pictures_are_told_apart_by_what_more_would_bring(
    pictures: object, helps: bool, shared_data: Path
) -> None:
    data = pictures(shared_data, 0)  # type: ignore[operator]
    found = tl.learning_curve(data, BACKBONE, weights=shared_data / WEIGHTS, progress=silent)
    assert found.verdict.startswith("More pictures would help") == helps
    assert ("would hardly help" in found.verdict) != helps
