"""What a classifier's own report knows beside its answers."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tlkeras.evaluation.page.story import Story
from tlkeras.evaluation.report import Report
from tlkeras.tasks.trusting import story as telling

QUICK = tl.Recipe(epochs=2, learning_rate=0.02, batch_size=8, seed=1)


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(flower_folder)


@pytest.fixture(scope="module")
def fitted(tiny_backbone: object, data: tl.ImageFolder) -> tl.ImageClassifier:
    return tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)


@pytest.fixture(scope="module")
def report(fitted: tl.ImageClassifier, data: tl.ImageFolder) -> Report:
    return fitted.evaluate(data.test)


@pytest.fixture(scope="module")
def told(report: Report) -> Story:
    return report.story([1, 3])


def test_story_of_a_fitted_classifier_knows_everything_but_an_export(
    told: Story, data: tl.ImageFolder
) -> None:
    assert set(told.missing) == {"Parity of an export"}
    assert told.findings is not None
    assert told.findings.summary == data.check().summary
    assert told.root == data.root
    assert {row["phase"] for row in told.history} == {"head"}
    assert told.recipe["seed"] == 1
    assert told.versions["keras"]
    assert told.made_of["pictures"] == "train 24, validation 6, test 6"


def test_vectors_are_the_embeddings_of_the_answered_pictures(
    told: Story, fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    import keras

    embed = keras.Model(fitted.model.input, fitted.model.get_layer("embedding").output)
    from tlkeras.data.decode import decode

    expected = [np.asarray(embed(decode(path)[None].astype("f4")))[0] for path in data.test.paths]
    np.testing.assert_array_equal(told.vector_rows, np.arange(len(data.test)))
    np.testing.assert_allclose(told.vectors, expected, atol=1e-3)


def test_only_the_rows_asked_for_are_explained(told: Story) -> None:
    assert sorted(told.overlays) == [1, 3]
    assert all(content.startswith(b"\xff\xd8\xff") for content in told.overlays.values())


def test_cost_is_measured_and_counts_the_passes(told: Story, data: tl.ImageFolder) -> None:
    head = told.cost["head"]
    assert head["seconds"] > 0
    assert head["peak_mb"] >= head["peak_before_mb"] > 1
    assert head["passes"] <= len(data.train) + len(data.validation)


def test_cost_of_a_first_fit_is_one_pass_a_picture(
    tiny_backbone: object,
    data: tl.ImageFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path))
    first = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    again = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    assert first._fitted.cost["head"]["passes"] == len(data.train) + len(data.validation)
    assert again._fitted.cost["head"]["passes"] == 0


def test_page_of_a_run_folder_tells_the_same(
    fitted: tl.ImageClassifier, report: Report, told: Story, tmp_path: Path
) -> None:
    loaded = tl.ImageClassifier.load(fitted.save(tmp_path / "run"))
    again = loaded.evaluate().story([1, 3])
    assert again.cost == told.cost
    assert again.versions == told.versions
    assert again.made_of == {**told.made_of, "weights": again.made_of["weights"]}
    assert again.findings is not None
    assert [finding.kind for finding in again.findings] == [f.kind for f in told.findings]
    assert sorted(again.overlays) == [1, 3]
    np.testing.assert_array_equal(again.vector_rows, told.vector_rows)
    np.testing.assert_allclose(again.vectors, told.vectors, atol=1e-3)


def test_run_of_an_earlier_release_has_no_cost_and_still_opens(
    fitted: tl.ImageClassifier, tmp_path: Path
) -> None:
    run = fitted.save(tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    assert metrics["validation"].pop("cost")
    (run / "metrics.json").write_text(json.dumps(metrics), encoding="utf-8")
    index = json.loads((run / "bundle.json").read_text(encoding="utf-8"))
    from tlkeras.bundle.index import sha256

    index["sha256"]["metrics.json"] = sha256(run / "metrics.json")
    (run / "bundle.json").write_text(json.dumps(index), encoding="utf-8")
    assert "Cost" in tl.ImageClassifier.load(run).evaluate().story([]).missing


def test_pictures_that_are_gone_are_told_and_cost_no_page(
    tiny_backbone: object, flower_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(flower_folder, tmp_path / "flowers")
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(folder)
    loaded = tl.ImageClassifier.load(clf.save(tmp_path / "run"))
    report = loaded.evaluate(folder)
    shutil.rmtree(folder / "rose")
    page = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "no longer where they were" in page
    assert "no preview" in page


def test_fine_tuning_has_a_cost_and_curves_of_its_own(
    tiny_backbone: object, data: tl.ImageFolder
) -> None:
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK)
    clf.fine_tune(data, 1)
    told = clf.evaluate(data.test).story([])
    assert told.cost["fine-tuning"]["seconds"] > 0
    assert set(told.cost) == {row["phase"] for row in told.history} == {"head", "fine-tuning"}


def test_map_is_of_the_network_as_it_is_now(
    tiny_backbone: object, data: tl.ImageFolder, told: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "EMBEDDED_ANEW", 4)
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    conv = clf.model.get_layer("conv")
    conv.set_weights([1.5 * value for value in conv.get_weights()])
    again = clf.evaluate(data.test).story([])
    assert again.vector_rows.tolist() == [0, 2, 3, 5]
    expected = 1.5 * told.vectors[again.vector_rows]  # the bias is 0, relu and mean are linear
    np.testing.assert_allclose(again.vectors, expected, atol=1e-3)


def test_network_that_cannot_be_explained_is_told_and_costs_no_page(
    report: Report, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Graph disconnected")

    monkeypatch.setattr("tlkeras.evaluation.explain.explain_each", refuse)
    page = report.to_html(tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Graph disconnected" in page
    assert "Embedding map" in page


def test_arrays_have_pictures_and_findings_too(tiny_backbone: object, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 30, 26, 3), dtype=np.uint8)
    images[::2, :15] //= 4
    data = tl.ImageFolder.from_arrays(images, ["dark", "light"] * 20)
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    told = clf.evaluate(data.test).story([0])
    assert told.findings is not None
    assert told.root is None
    assert told.picture_of(data.train.paths[0]).startswith(b"\xff\xd8\xff")


@pytest.mark.slow
def test_parity_of_an_export_made_after_evaluating_is_on_the_page(
    tiny_backbone: object, data: tl.ImageFolder, tmp_path: Path
) -> None:
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    report = clf.evaluate(data.test)
    clf.export(tmp_path / "serve" / "1")
    told = report.story([])
    assert "0 labels differ" in told.parity
    assert told.missing == {}
