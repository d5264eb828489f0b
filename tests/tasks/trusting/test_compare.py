"""Comparing trained classifiers: the pictures they share, and what their figures are."""

import shutil
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tests.conftest import write_flowers
from tlkeras.errors import BundleError, DataError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_flowers(tmp_path_factory.mktemp("compare") / "flowers", per_class=20, seed=3)


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A pretrained and an untrained backbone on the same parts, saved."""
    where = tmp_path_factory.mktemp("runs")
    data = tl.ImageFolder(folder)
    found = {}
    for name, weights in (("pretrained", "builtin"), ("untrained", None)):
        clf = tl.ImageClassifier("TinyResNet", weights=weights).fit(data)
        found[name] = clf.save(where / name)
    return found


@pytest.fixture(scope="module")
def comparison(runs: dict[str, Path]) -> object:
    return tl.compare(list(runs.values()))


def test_figures_are_those_of_evaluate(comparison: object, runs: dict[str, Path]) -> None:
    assert [row.name for row in comparison.table] == ["pretrained", "untrained"]
    for row, run in zip(comparison.table, runs.values(), strict=True):
        report = tl.ImageClassifier.load(run).evaluate()
        assert (row.correct, len(comparison)) == (report.correct, len(report))
        assert row.interval == report.interval


def test_flips_are_the_pictures_that_predict_answers_differently(
    comparison: object, runs: dict[str, Path], folder: Path
) -> None:
    test = tl.ImageFolder(folder).test
    first, second = (tl.ImageClassifier.load(run).predict(test.paths) for run in runs.values())
    expected = {
        (str(path), test.class_names[label], (a, b))
        for path, label, a, b in zip(
            test.paths, test.labels, first.labels, second.labels, strict=True
        )
        if a != b
    }
    assert {(flip.path, flip.truth, flip.answers) for flip in comparison.flips} == expected


def test_size_is_that_of_the_saved_model_and_time_was_measured(
    comparison: object, runs: dict[str, Path]
) -> None:
    for row, run in zip(comparison.table, runs.values(), strict=True):
        assert row.size_mb == pytest.approx((run / "model.keras").stat().st_size / 1e6)
        assert 0.01 < row.ms_per_picture < 10_000


def test_classifier_in_memory_is_compared_with_its_run_and_agrees(runs: dict[str, Path]) -> None:
    loaded = tl.ImageClassifier.load(runs["pretrained"])
    comparison = tl.compare([loaded, runs["pretrained"]])
    assert [row.name for row in comparison.table] == ["TinyResNet", "pretrained"]
    assert comparison.flips == ()
    assert "give the same answer to all 9 test pictures" in str(comparison)


def test_classes_in_another_order_are_matched_by_name(tiny_backbone: object, folder: Path) -> None:
    plain = tl.ImageFolder(folder)
    with_names = [(path, plain.class_names[label]) for part in ("train", "validation", "test")
                  for path, label in zip(getattr(plain, part).paths, getattr(plain, part).labels,
                                         strict=True)]  # fmt: skip
    pixels = [np.asarray(open_rgb(path)) for path, _ in with_names]
    names = [name for _, name in with_names]
    data = tl.ImageFolder.from_arrays(pixels, names)
    turned = tl.ImageFolder.from_arrays(pixels, names, class_names=("rose", "daisy", "iris"))
    first = tl.ImageClassifier(tiny_backbone).fit(data)
    second = tl.ImageClassifier(tiny_backbone).fit(turned)
    assert first.class_names != second.class_names
    comparison = tl.compare([first, second], data)
    for row, clf in zip(comparison.table, (first, second), strict=True):
        assert row.correct == clf.evaluate(data).correct


def open_rgb(path: Path) -> object:
    from PIL import Image

    return Image.open(path).convert("RGB")


def test_other_test_parts_are_refused_with_what_to_do(
    runs: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    other = tl.ImageClassifier("TinyResNet", weights=None).fit(tl.ImageFolder(folder, seed=5))
    with pytest.raises(DataError, match=r"9 test pictures of .*in common.*--data"):
        tl.compare([runs["pretrained"], other])


def test_pictures_that_one_was_trained_on_are_left_out_and_counted(
    runs: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    new = write_flowers(tmp_path / "new", per_class=4, seed=11)
    trained_on = tl.ImageFolder(folder).train
    for path in trained_on.paths[:2]:
        shutil.copy(path, new / path.parent.name / f"again_{path.name}")
    comparison = tl.compare(list(runs.values()), new)
    assert len(comparison) == 12
    assert "Left out: 2 pictures that pretrained was trained on." in comparison.notes


def test_nothing_but_training_pictures_is_refused(runs: dict[str, Path], folder: Path) -> None:
    with pytest.raises(DataError, match="no classifier was trained on"):
        tl.compare(list(runs.values()), tl.ImageFolder(folder).train)


def test_test_pictures_are_found_where_either_run_has_them(
    runs: dict[str, Path], folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(folder, tmp_path / "flowers")
    moved = tl.ImageClassifier("TinyResNet", weights=None).fit(tl.ImageFolder(copy))
    shutil.rmtree(copy)
    assert len(tl.compare([moved, runs["pretrained"]])) == 9


@pytest.mark.parametrize("given", [[], ["one"], "runs/a"])
def test_fewer_than_two_are_refused(given: object) -> None:
    with pytest.raises(DataError, match="two classifiers or more"):
        tl.compare(given)


def test_folder_that_is_no_run_is_refused(runs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"bundle\.json"):
        tl.compare([runs["pretrained"], tmp_path])
