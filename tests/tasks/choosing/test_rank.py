"""Ranking real backbones on pictures: figures, limits, budget, failures."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tlkeras.errors import BackboneError
from tlkeras.features.engines.timing import pictures_per_second
from tlkeras.progress import silent
from tlkeras.selection.ranking import Ranking
from tlkeras.selection.ridge import left_out_answers
from tlkeras.tasks.choosing import budget
from tlkeras.tasks.choosing.cost import Cost, Meter
from tlkeras.tasks.choosing.rank import Sample
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding

BUILTIN = ("TinyResNet", "builtin")


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(flower_folder)


@pytest.fixture(scope="module")
def ranking(data: tl.ImageFolder, tiny_backbone: object) -> Ranking:
    return tl.rank(data, [BUILTIN, tiny_backbone], progress=silent)


@pytest.fixture(scope="module")
def embedding(ranking: Ranking) -> Embedding:
    return Embedding(BackboneSource(*BUILTIN).frozen(), tl.Recipe())


def test_rows_have_what_was_measured_and_what_is_published(ranking: Ranking) -> None:
    row = next(one for one in ranking.table if one.name == "TinyResNet")
    assert len(ranking.table) == 2
    assert ranking.pictures == len(row.right) == 30
    assert row.accuracy == row.right.mean()
    assert row.interval[0] < row.accuracy < row.interval[1] or row.accuracy == 1.0
    assert 0.4 < row.knn <= 1.0
    assert row.ms_per_picture > 0
    assert row.size_mb == pytest.approx(5.8, abs=0.5)
    assert row.licence == "Apache-2.0"
    assert row.published_top1 is None
    json.dumps(ranking.to_dict())


def test_one_name_with_two_kinds_of_weights_is_two_that_can_be_trained_on(
    data: tl.ImageFolder,
) -> None:
    ranking = tl.rank(data, [BUILTIN, ("TinyResNet", None)], progress=silent)
    found = {one.name: one for one in ranking.table}
    assert {one.weights for one in ranking.table} == {"builtin", None}
    assert len(found) == 2
    for one in ranking.table:
        clf = tl.ImageClassifier(one.backbone, weights=one.weights)
        assert (clf.source.origin, clf.source.weights) == ("TinyResNet", one.weights)
    told = [row["weights"] for row in ranking.to_dict()["table"]]
    assert sorted(map(str, told)) == ["None", "builtin"]


def test_what_is_published_is_not_told_of_an_untrained_network(data: tl.ImageFolder) -> None:
    (row,) = tl.rank(data, [("MobileNet-0.25", None)], progress=silent).table
    assert row.published_top1 is None


def test_accuracy_is_that_of_held_out_pictures_of_train_and_validation(
    ranking: Ranking, data: tl.ImageFolder, embedding: Embedding
) -> None:
    sample = Sample.of(data, seed=0)
    assert len(sample) == len(data.train) + len(data.validation)
    tested = {picture.sha256 for picture in data.test.pictures}
    assert not tested & {picture.sha256 for picture in sample.pictures}
    features = embedding(sample.pictures)
    answers = left_out_answers(features, 3, groups=sample.groups.tolist()).argmax(axis=1)
    row = next(one for one in ranking.table if one.name == "TinyResNet")
    np.testing.assert_array_equal(row.right, answers == features.labels)


def test_pictures_pass_the_backbone_once(
    ranking: Ranking, data: tl.ImageFolder, embedding: Embedding
) -> None:
    assert len(ranking.table) == 2
    embedding([*data.train.pictures, *data.validation.pictures])
    assert embedding.passes == 0


def test_same_seed_same_scores(data: tl.ImageFolder, ranking: Ranking) -> None:
    again = tl.rank(data, [BUILTIN], progress=silent).table[0]
    first = next(one for one in ranking.table if one.name == "TinyResNet")
    assert (again.accuracy, again.knn, again.logme) == (first.accuracy, first.knn, first.logme)


def test_copies_are_held_out_together(flower_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(flower_folder, tmp_path / "flowers")
    shutil.copy(folder / "rose" / "rose_01.jpg", folder / "rose" / "copy.jpg")
    sample = Sample.of(tl.ImageFolder(folder, split=(0.9, 0.1, 0.0)), seed=0)
    names = [picture.path.name for picture in sample.pictures]
    pair = [sample.groups[names.index(name)] for name in ("rose_01.jpg", "copy.jpg")]
    assert pair[0] == pair[1]
    assert len(set(sample.groups.tolist())) <= len(sample) - 1


def test_a_backbone_that_fails_is_left_out_with_its_reason(data: tl.ImageFolder) -> None:
    ranking = tl.rank(data, [BUILTIN, ("MobileNet-0.25", "gone.weights.h5")], progress=silent)
    assert [one.name for one in ranking.table] == ["TinyResNet"]
    assert ranking.left_out[0].name == "MobileNet-0.25"
    assert "gone.weights.h5" in ranking.left_out[0].reason


def test_limits_on_time_and_size_hold_for_measured_figures(
    data: tl.ImageFolder, tiny_backbone: object
) -> None:
    ranking = tl.rank(data, [BUILTIN, tiny_backbone], max_mb=1.0, progress=silent)
    assert [one.name for one in ranking.left_out] == ["TinyResNet"]
    with pytest.raises(BackboneError, match="ms a picture are more than"):
        tl.rank(data, [BUILTIN], max_ms=1e-6, progress=silent)


def test_a_budget_is_kept_by_fewer_pictures_and_told(
    data: tl.ImageFolder, tiny_backbone: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "FEWEST", 12)
    monkeypatch.setattr("tlkeras.tasks.choosing.rank.FEWEST", 12)
    ranking = tl.rank(data, [BUILTIN, tiny_backbone], minutes=1e-4, progress=silent)
    assert ranking.pictures == 12
    assert [one.name for one in ranking.table] == ["TinyResNet"]
    assert "no time was left of 0.0001 minutes" in ranking.left_out[0].reason
    assert "judged on 12 of 30 pictures" in ranking.notes[0]


def test_a_budget_that_suffices_takes_all_pictures(
    data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tlkeras.tasks.choosing.rank.FEWEST", 12)
    whole = tl.rank(data, [BUILTIN], progress=silent)
    ranking = tl.rank(data, [BUILTIN], minutes=5, progress=silent)
    assert ranking.pictures == 30
    assert ranking.notes == ()
    assert ranking.table[0].accuracy == whole.table[0].accuracy


def test_cost_is_measured_in_a_process_of_its_own(
    data: tl.ImageFolder, embedding: Embedding
) -> None:
    with Meter() as meter:
        first = meter.cost(embedding, data.train.pictures)
        second = meter.cost(embedding, data.train.pictures)
    assert first.engine == second.engine
    if first.peak_mb is not None:
        # A tenth of what TensorFlow alone takes, and the second is not piled upon the first.
        assert 30 < first.peak_mb < 400
        assert second.peak_mb == pytest.approx(first.peak_mb, rel=0.2)


def test_cost_agrees_with_a_measurement_in_this_process(
    data: tl.ImageFolder, embedding: Embedding
) -> None:
    from tlkeras.data.pipeline import some_pixels

    pixels = some_pixels(data.train.pictures, embedding.frozen.spec.size_px, 16)
    here = 1000 / pictures_per_second(embedding.engine(30, lambda: pixels), pixels)
    with Meter() as meter:
        there = meter.cost(embedding, data.train.pictures).ms_per_picture
    assert here / 5 < there < here * 5  # the machine may be busy


def test_a_process_that_cannot_start_leaves_the_memory_unknown(
    data: tl.ImageFolder, embedding: Embedding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tlkeras.tasks.choosing.cost.COMMAND", ("no-such-program",))
    with Meter() as meter:
        found = meter.cost(embedding, data.train.pictures)
    assert isinstance(found, Cost)
    assert found.ms_per_picture > 0
    assert found.peak_mb is None


@pytest.mark.slow
def test_real_backbones_rank_above_an_untrained_one(shared_data: Path) -> None:
    folder = tl.ImageFolder(shared_data / "datasets" / "clothing_small")
    weights = shared_data / "weights" / "keras" / "mobilenetv2_0.35_224_notop.weights.h5"
    named = [("MobileNetV2-0.35", weights), ("MobileNetV2-0.35", None)]
    ranking = tl.rank(folder, named, minutes=3, progress=silent)
    assert ranking.best.name == f"MobileNetV2-0.35 ({weights.name})"
    assert [one.name for one in ranking.shortlist] == [ranking.best.name]
    assert ranking.best.accuracy > ranking.table[1].accuracy + 0.3
