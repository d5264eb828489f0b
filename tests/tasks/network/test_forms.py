"""A network is its parts until the model that was handed out is changed; then it is that model."""

from pathlib import Path

import numpy as np
import pytest

import tlkeras as tl
from tlkeras.tasks.network.forms import OnBackbone
from tlkeras.training.recipe import Recipe


@pytest.fixture(scope="module")
def data(flower_folder: Path) -> tl.ImageFolder:
    return tl.ImageFolder(flower_folder)


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "cache"))


def test_change_by_hand_is_in_every_answer_and_every_file(
    data: tl.ImageFolder, tmp_path: Path, own_cache: None
) -> None:
    clf = tl.ImageClassifier("TinyResNet").fit(data)
    clf.save(tmp_path / "before")
    pictures = list(data.test.paths)
    before = clf.predict(pictures).probabilities
    last = next(layer for layer in reversed(clf.model.layers) if layer.weights)
    unchanged = clf.predict(pictures).probabilities
    np.testing.assert_allclose(unchanged, before, atol=1e-5)

    last.set_weights([-value for value in last.get_weights()])
    after = clf.predict(pictures).probabilities
    assert (after.argmax(1) != before.argmax(1)).all()
    run = clf.save(tmp_path / "run")
    loaded = tl.ImageClassifier.load(run)
    np.testing.assert_allclose(loaded.predict(pictures).probabilities, after, atol=1e-4)
    assert loaded.evaluate(data.test).accuracy == clf.evaluate(data.test).accuracy
    keras_answers = loaded.model(_pixels(data)).numpy()
    np.testing.assert_allclose(keras_answers, clf.model(_pixels(data)).numpy(), atol=1e-6)


def test_backbone_changed_by_hand_is_not_what_the_next_fit_uses(
    data: tl.ImageFolder, own_cache: None
) -> None:
    clf = tl.ImageClassifier("TinyResNet", recipe=Recipe(engine="tensorflow")).fit(data)
    before = clf.predict(list(data.test.paths)).probabilities
    first = next(layer for layer in clf.model.layers if layer.weights)
    first.set_weights([0 * value for value in first.get_weights()])
    assert np.ptp(clf.predict(list(data.test.paths)).probabilities, axis=0).max() < 1e-3
    again = clf.fit(data).predict(list(data.test.paths)).probabilities
    np.testing.assert_allclose(again, before, atol=1e-4)
    assert isinstance(clf._fitted.network, OnBackbone)


def _pixels(data: tl.ImageFolder) -> np.ndarray:
    from tlkeras.data.pipeline import some_pixels

    return some_pixels(data.test.pictures, 64, most=4)


def test_unknown_score_is_the_same_in_every_form(
    data: tl.ImageFolder, tmp_path: Path, own_cache: None
) -> None:
    clf = tl.ImageClassifier("TinyResNet").fit(data)
    pictures = [str(path) for path in data.test.paths]
    vectors = clf._fitted.network.embedding(data.test.pictures).vectors
    first = clf.predict(pictures).unknown_scores
    np.testing.assert_allclose(first, clf._fitted.network.unknown(vectors), atol=1e-3)
    assert np.ptp(first) > 0.1

    run = clf.save(tmp_path / "run")
    by_onnx = tl.ImageClassifier.load(run)
    np.testing.assert_allclose(by_onnx.predict(pictures).unknown_scores, first, atol=1e-3)
    by_keras = tl.ImageClassifier.load(run)
    by_keras._fitted.network.stored.sha256 = {
        name: value
        for name, value in by_keras._fitted.network.stored.sha256.items()
        if name != "model.onnx"
    }
    np.testing.assert_allclose(by_keras.predict(pictures).unknown_scores, first, atol=1e-3)
    assert by_keras._fitted.network._engine.name == "tensorflow"
    assert by_onnx.evaluate(data.test).probabilities.shape == (len(pictures), 3)
    assert by_keras.evaluate(data.test).probabilities.shape == (len(pictures), 3)


def test_pictures_of_another_kind_score_higher(data: tl.ImageFolder, own_cache: None) -> None:
    clf = tl.ImageClassifier("TinyResNet").fit(data)
    bars = (np.mgrid[0:60, 0:80][1][..., None] // np.array([4, 9, 15])) % 2 * 255
    shown = [(bars * share).astype("uint8") for share in (0.4, 0.7, 1.0)]
    strange = clf.predict([*shown, np.full((60, 80, 3), 200, "uint8")])
    known = clf.predict([str(path) for path in data.test.paths]).unknown_scores
    assert strange.unknown_scores.min() > known.max()
    assert strange.unknown.all()


def test_temperature_is_in_every_form_and_is_told(
    data: tl.ImageFolder, tmp_path: Path, own_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tlkeras.heads.temperature import Temperature, tempered
    from tlkeras.training import probe

    warm = Temperature(3.0, 3.0, 2.0, 4.0, 9)
    pictures = [str(path) for path in data.test.paths]
    plain = tl.ImageClassifier("TinyResNet").fit(data).predict(pictures).probabilities
    monkeypatch.setattr(probe, "fit_temperature", lambda *_: warm)
    clf = tl.ImageClassifier("TinyResNet").fit(data)
    assert any(line.startswith("temperature 3.00") for line in clf.decisions)
    expected = tempered(plain, 3.0)
    np.testing.assert_allclose(clf.predict(pictures).probabilities, expected, atol=1e-5)
    run = clf.save(tmp_path / "run")
    loaded = tl.ImageClassifier.load(run)
    np.testing.assert_allclose(loaded.predict(pictures).probabilities, expected, atol=1e-4)
    assert loaded._fitted.temperature == 3.0
    through_keras = np.asarray(loaded.model(_pixels(data)))
    np.testing.assert_allclose(through_keras, clf.model(_pixels(data)), atol=1e-5)
    assert through_keras.max() < plain.max()


def test_fine_tuned_network_has_a_temperature_and_a_score_of_its_own(
    data: tl.ImageFolder, tmp_path: Path, own_cache: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tlkeras.heads.temperature import Temperature, tempered
    from tlkeras.tasks import fitted

    warm = Temperature(2.0, 2.0, 2.0, 2.0, 9)
    monkeypatch.setattr(fitted, "fit_temperature", lambda *_: warm)
    monkeypatch.setattr("tlkeras.training.finetune.Judged.beats", lambda *_: True)
    recipe = Recipe(epochs=1, unfreeze=2, batch_size=8, learning_rate=1e-2)
    clf = tl.ImageClassifier("TinyResNet", recipe=recipe)
    clf.fine_tune(data)
    network = clf._fitted.network
    assert clf.decisions[-2].startswith("after fine-tuning: temperature 2.00")
    assert clf.decisions[-1].startswith("after fine-tuning: unknown_score")
    assert clf._fitted.temperature == 2.0
    pictures = [str(path) for path in data.test.paths]
    answers = clf.predict(pictures)
    logits = network.model.get_layer("logits")
    logits.set_weights([2.0 * value for value in logits.get_weights()])
    np.testing.assert_allclose(
        answers.probabilities, tempered(clf.predict(pictures).probabilities, 2.0), atol=1e-4
    )
    loaded = tl.ImageClassifier.load(clf.save(tmp_path / "run"))
    again = loaded.predict(pictures).unknown_scores
    np.testing.assert_allclose(again, answers.unknown_scores, atol=1e-3)
    assert network.unknown.false_alarms >= 0.05


def test_backbone_changed_by_hand_has_no_unknown_score(
    data: tl.ImageFolder, own_cache: None
) -> None:
    clf = tl.ImageClassifier("TinyResNet").fit(data)
    first = next(layer for layer in clf.model.layers if layer.weights)
    first.set_weights([1.1 * value for value in first.get_weights()])
    assert np.isnan(clf.predict(str(data.test.paths[0])).unknown_scores).all()
