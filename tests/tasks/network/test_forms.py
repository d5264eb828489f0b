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
