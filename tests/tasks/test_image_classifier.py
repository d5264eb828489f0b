"""The front door: what a user does with a classifier, and what goes wrong for them."""

import json
from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tests.conftest import write_flowers
from tlkeras.errors import BackboneError, DataError, NotFittedError, RecipeError, TrainingError

QUICK = tl.Recipe(epochs=3, learning_rate=0.02, batch_size=8, seed=1)


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(flower_folder)


@pytest.fixture(scope="module")
def fitted(tiny_backbone: object, data: tl.ImageFolder) -> tl.ImageClassifier:
    """A fitted classifier that no test changes."""
    return tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)


def test_fit_learns_and_model_is_a_plain_keras_model(
    fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    import keras

    assert isinstance(fitted.model, keras.Model)
    assert fitted.class_names == ("daisy", "iris", "rose")
    assert fitted.evaluate(data.train).accuracy > 0.8


def test_fit_leaves_the_backbone_as_it_was(
    tiny_backbone: object, fitted: tl.ImageClassifier
) -> None:
    kernel = tiny_backbone.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(fitted.model.get_layer("conv").get_weights()[0], kernel)


def test_second_fit_does_not_touch_the_backbone(
    tiny_backbone: object,
    data: tl.ImageFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path))
    tl.ImageClassifier(tiny_backbone).fit(data)
    again = tl.ImageClassifier(tiny_backbone).fit(data)
    assert again._fitted.network.embedding.passes == 0


def test_same_recipe_gives_the_same_probabilities(
    tiny_backbone: object, fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    again = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    np.testing.assert_array_equal(
        again.predict(data.test.paths).probabilities, fitted.predict(data.test.paths).probabilities
    )


def test_predictions_belong_to_their_paths_in_any_order(  # D7
    fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    paths = [*data.train.paths, *data.test.paths]
    shuffled = list(np.random.default_rng(0).permutation(np.array(paths, dtype=object)))
    first, second = fitted.predict(paths), fitted.predict(shuffled)
    by_path = dict(zip(second.paths, second.probabilities, strict=True))
    for path, row in zip(first.paths, first.probabilities, strict=True):
        np.testing.assert_allclose(by_path[path], row, atol=1e-6)


def test_report_agrees_with_predict(  # D7
    fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    report = fitted.evaluate(data.train)
    predicted = fitted.predict(data.train.paths)
    truth = [data.class_names[label] for label in data.train.labels]
    right = np.mean([a == b for a, b in zip(predicted.labels, truth, strict=True)])
    assert report.accuracy == pytest.approx(right)
    assert report.confusion.trace() / len(report) == pytest.approx(right)
    assert report.names == predicted.paths
    np.testing.assert_allclose(report.probabilities, predicted.probabilities, atol=1e-5)


def test_files_bytes_and_arrays_get_the_same_answer(
    fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    from tlkeras.data.decode import decode

    path = data.test.paths[0]
    answers = fitted.predict([path, path.read_bytes(), decode(path)])
    assert answers.paths == (str(path), "bytes 1", "array 2")
    np.testing.assert_array_equal(answers.probabilities[0], answers.probabilities[1])
    np.testing.assert_array_equal(answers.probabilities[0], answers.probabilities[2])


def test_picture_that_cannot_be_read_marks_its_own_row(  # D2
    fitted: tl.ImageClassifier, data: tl.ImageFolder
) -> None:
    whole = data.test.paths[0].read_bytes()
    answers = fitted.predict([whole, whole[: len(whole) // 2], b"", whole])
    assert [label is None for label in answers.labels] == [False, True, True, False]
    assert np.isnan(answers.probabilities[1]).all()
    assert "not readable" in str(answers)
    np.testing.assert_array_equal(answers.probabilities[0], answers.probabilities[3])
    json.dumps(answers.to_dict(), allow_nan=False)


def test_missing_file_is_an_error_that_names_it(fitted: tl.ImageClassifier) -> None:
    with pytest.raises(DataError, match=r"nowhere\.jpg"):
        fitted.predict("nowhere.jpg")


def test_unfitted_classifier_says_what_to_call() -> None:
    clf = tl.ImageClassifier("MobileNetV2")
    for action in (lambda: clf.model, clf.evaluate, lambda: clf.predict("a.jpg")):
        with pytest.raises(NotFittedError, match="fit"):
            action()


def test_wrong_names_are_known_at_once_with_close_ones() -> None:
    with pytest.raises(BackboneError, match="MobileNetV2"):
        tl.ImageClassifier("MobileNetv22")
    with pytest.raises(RecipeError, match="mlp"):
        tl.ImageClassifier("MobileNetV2", head="mpl")


def test_empty_validation_part_says_how_to_get_one(
    tiny_backbone: object, flower_folder: Path
) -> None:
    with pytest.raises(DataError, match="validation"):
        tl.ImageClassifier(tiny_backbone).fit(tl.ImageFolder(flower_folder, split=(0.8, 0.0, 0.2)))


def test_pictures_of_unknown_classes_are_named(fitted: tl.ImageClassifier, tmp_path: Path) -> None:
    folder = write_flowers(tmp_path / "more", per_class=4, seed=3)
    (folder / "rose").rename(folder / "tulip")
    with pytest.raises(DataError, match="tulip"):
        fitted.evaluate(folder)


def test_fewer_classes_than_trained_on_can_be_evaluated(
    fitted: tl.ImageClassifier, tmp_path: Path
) -> None:
    import shutil

    folder = write_flowers(tmp_path / "some", per_class=6, seed=8)
    shutil.rmtree(folder / "daisy")
    report = fitted.evaluate(folder)
    assert report.confusion.sum(axis=1).tolist() == [0, 6, 6]


def test_labels_in_memory_may_be_any_integers(tiny_backbone: object) -> None:  # F6
    rng = np.random.default_rng(0)
    bright = rng.integers(150, 255, (20, 12, 17, 3), dtype=np.uint8)
    dark = rng.integers(0, 90, (20, 12, 17, 3), dtype=np.uint8)
    data = tl.ImageFolder.from_arrays(np.concatenate([bright, dark]), [7] * 20 + [-3] * 20)
    clf = tl.ImageClassifier(tiny_backbone).fit(data)
    assert set(clf.class_names) == {"7", "-3"}
    assert clf.evaluate(data.test).accuracy == 1.0


def test_grey_pictures_train_and_predict(tiny_backbone: object) -> None:  # P5
    rng = np.random.default_rng(0)
    grey = np.concatenate([rng.integers(150, 255, (20, 12, 17)), rng.integers(0, 90, (20, 12, 17))])
    data = tl.ImageFolder.from_arrays(grey.astype("uint8"), ["light"] * 20 + ["dark"] * 20)
    clf = tl.ImageClassifier(tiny_backbone).fit(data)
    assert clf.predict(grey[0].astype("uint8")).labels == ("light",)


@pytest.mark.parametrize("head", ["mlp", "own"])
def test_other_heads_train_save_and_load(
    head: str, tiny_backbone: object, data: tl.ImageFolder, tmp_path: Path
) -> None:
    import keras

    own = [keras.layers.Dense(9, activation="tanh"), keras.layers.Dropout(0.1)]
    recipe = tl.Recipe(head_epochs=15, head_learning_rate=0.02, hidden=8, batch_size=8)
    kind = own if head == "own" else head
    clf = tl.ImageClassifier(tiny_backbone, head=kind, recipe=recipe).fit(data)
    assert clf.evaluate(data.train).accuracy > 0.5
    again = tl.ImageClassifier.load(clf.save(tmp_path / "run"))
    paths = data.test.paths
    np.testing.assert_allclose(
        again.predict(paths).probabilities, clf.predict(paths).probabilities, atol=1e-6
    )
    assert type(again.head) is type(clf.head)


def test_augmented_views_are_trained_on_and_cached(
    tiny_backbone: object,
    data: tl.ImageFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path))
    clf = tl.ImageClassifier(tiny_backbone, recipe=tl.Recipe(views=2)).fit(data)
    passes = clf._fitted.network.embedding.passes
    assert passes == 3 * len(data.train) + len(data.validation)
    clf.fit(data)
    assert clf._fitted.network.embedding.passes == passes


def test_unbalanced_classes_give_a_hint_and_weights_on_request(
    tiny_backbone: object, tmp_path: Path
) -> None:
    folder = write_flowers(tmp_path / "flowers", per_class=24, seed=2)
    for path in sorted((folder / "rose").iterdir())[6:]:
        path.unlink()
    data = tl.ImageFolder(folder)
    plain = tl.ImageClassifier(tiny_backbone).fit(data)
    weighted = tl.ImageClassifier(tiny_backbone, recipe=tl.Recipe(class_weight="balanced"))
    weighted.fit(data)
    assert any("balanced" in line for line in plain.decisions)
    assert not any("unbalanced" in line for line in weighted.decisions)
    rose = plain.class_names.index("rose")
    paths = data.train.paths
    mean = [clf.predict(paths).probabilities[:, rose].mean() for clf in (plain, weighted)]
    assert mean[1] > mean[0]


def test_half_precision_policy_still_answers_in_float32(  # F8
    data: tl.ImageFolder, tmp_path: Path
) -> None:
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        clf = tl.ImageClassifier("TinyResNet", weights=None).fit(data)
        probabilities = clf.predict(data.test.paths).probabilities
        model = keras.models.load_model(clf.save(tmp_path / "run") / "model.keras")
    finally:
        keras.config.set_dtype_policy("float32")
    assert probabilities.dtype == np.float32
    assert model.output.dtype == "float32"


def test_saved_model_opens_in_plain_keras_with_the_same_answers(  # E8, P4
    fitted: tl.ImageClassifier, data: tl.ImageFolder, tmp_path: Path
) -> None:
    import keras

    from tlkeras.data.decode import decode

    run = fitted.save(tmp_path / "run")
    model = keras.models.load_model(run / "model.keras")  # the default safe mode, no custom objects
    pixels = decode(data.test.paths[0])[None].astype("float32")
    expected = fitted.predict(data.test.paths[0]).probabilities
    np.testing.assert_allclose(model(pixels), expected, atol=1e-5)


def test_run_folder_remembers_labels_recipe_and_figures(  # D6, E1
    fitted: tl.ImageClassifier, data: tl.ImageFolder, tmp_path: Path
) -> None:
    report = fitted.evaluate(data.test)
    again = tl.ImageClassifier.load(fitted.save(tmp_path / "run"))
    assert again.class_names == fitted.class_names
    assert again.recipe == fitted.recipe
    assert again.decisions == fitted.decisions
    assert again.evaluate().accuracy == report.accuracy  # the recorded test part
    assert (tmp_path / "run" / "labels.txt").read_text() == "daisy\niris\nrose\n"


def test_recorded_test_part_that_moved_is_said(tiny_backbone: object, tmp_path: Path) -> None:
    folder = write_flowers(tmp_path / "flowers", per_class=8, seed=6)
    clf = tl.ImageClassifier(tiny_backbone).fit(folder)
    folder.rename(tmp_path / "moved")
    with pytest.raises(DataError, match="moved or changed"):
        clf.evaluate()


def test_fine_tune_moves_the_top_and_reports_it(
    tiny_backbone: object, data: tl.ImageFolder
) -> None:
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK)
    outcome = clf.fine_tune(data, "conv")
    kernel = tiny_backbone.get_layer("conv").get_weights()[0]
    same = np.array_equal(clf.model.get_layer("conv").get_weights()[0], kernel)
    assert same != outcome.better
    assert str(outcome) in clf.decisions
    assert {row["phase"] for row in clf.history} == {"head", "fine-tuning"}


def test_second_fine_tune_never_replaces_a_better_one(  # F7
    tiny_backbone: object, data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    from tlkeras.tasks import fitted as room
    from tlkeras.training.finetune import Judged

    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK)
    real = room.fine_tune

    def won(*args: object) -> object:
        return replace(real(*args), better=True, best=Judged(1.0, 0.01))

    def won_less(*args: object) -> object:
        return replace(real(*args), better=True, best=Judged(0.9, 0.3))

    monkeypatch.setattr(room, "fine_tune", won)
    clf.fine_tune(data, 1)
    best = clf.model.get_weights()
    monkeypatch.setattr(room, "fine_tune", won_less)
    clf.fine_tune(data, 1)
    for now, then in zip(clf.model.get_weights(), best, strict=True):
        np.testing.assert_array_equal(now, then)
    assert clf._fitted.validation.accuracy == 1.0


def test_fit_after_fine_tune_starts_from_the_pretrained_weights(
    tiny_backbone: object, data: tl.ImageFolder
) -> None:
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK)
    clf.fine_tune(data, 1)
    clf.fit(data)
    kernel = tiny_backbone.get_layer("conv").get_weights()[0]
    np.testing.assert_array_equal(clf.model.get_layer("conv").get_weights()[0], kernel)


def test_failed_fine_tune_leaves_the_classifier_as_it_was(
    tiny_backbone: object, data: tl.ImageFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK).fit(data)
    before = clf.predict(data.test.paths).probabilities

    def fail(*args: object) -> float:
        return float("nan")

    monkeypatch.setattr("tlkeras.training.step.TrainingStep.__call__", fail)
    with pytest.raises(TrainingError):
        clf.fine_tune(data, 1)
    np.testing.assert_array_equal(clf.predict(data.test.paths).probabilities, before)


def test_interrupted_fine_tune_keeps_the_frozen_model(
    tiny_backbone: object, data: tl.ImageFolder
) -> None:
    def stop(task: str, done: int, total: int, note: str = "") -> None:
        if task == "fine-tuning":
            raise KeyboardInterrupt

    clf = tl.ImageClassifier(tiny_backbone, recipe=QUICK)
    with pytest.raises(KeyboardInterrupt):
        clf.fine_tune(data, 1, progress=stop)
    assert clf.evaluate(data.train).accuracy > 0.8


@pytest.mark.slow
def test_export_answers_like_predict_from_the_users_own_files(  # E2, E3, P4
    fitted: tl.ImageClassifier, data: tl.ImageFolder, tmp_path: Path
) -> None:
    import tensorflow as tf

    path = fitted.export(tmp_path / "serve" / "1")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    files = [file.read_bytes() for file in data.test.paths]
    answer = serve(image_bytes=tf.constant([*files, b"broken"]))
    expected = fitted.predict(data.test.paths)
    assert [label.decode() for label in answer["label"].numpy()] == [*expected.labels, ""]
    np.testing.assert_allclose(
        answer["probabilities"].numpy()[:-1], expected.probabilities, atol=1e-4
    )
    assert len(set(expected.labels)) > 1
