"""Embeddings by what a network has at hand; Keras is loaded only where nothing else has them."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import tlkeras as tl
from tlkeras.bundle.index import sha256
from tlkeras.features.engines.onnxruntime import OnnxRuntimeEngine
from tlkeras.tasks.network.columns import with_embedding
from tlkeras.tasks.network.embedded import embedded
from tlkeras.tasks.network.forms import Classifying


@pytest.fixture(scope="module")
def trained(flower_folder: Path) -> tl.ImageClassifier:
    return tl.ImageClassifier("TinyResNet").fit(tl.ImageFolder(flower_folder))


@pytest.fixture
def run(trained: tl.ImageClassifier, tmp_path: Path) -> Path:
    return trained.save(tmp_path / "run")


def pixels(network: Classifying) -> np.ndarray:
    shape = (3, network.size_px, network.size_px, 3)
    return np.random.default_rng(0).uniform(0, 255, shape).astype("float32")


def by_keras(trained: tl.ImageClassifier) -> np.ndarray:
    network = trained._fitted.network
    return np.asarray(with_embedding(trained.model)(pixels(network))[1])


def embeddings(network: Classifying) -> np.ndarray:
    shown = pixels(network)
    return embedded(network, network.engine(1, lambda: shown))(shown)


def test_frozen_backbones_engine_embeds(trained: tl.ImageClassifier) -> None:
    found = embeddings(trained._fitted.network)
    np.testing.assert_allclose(found, by_keras(trained), atol=1e-3)


def test_run_folders_file_embeds_without_keras(trained: tl.ImageClassifier, run: Path) -> None:
    network = tl.ImageClassifier.load(run)._fitted.network
    expected = by_keras(trained)
    np.testing.assert_allclose(embeddings(network), expected, atol=1e-3 * np.abs(expected).max())
    assert isinstance(network._engine, OnnxRuntimeEngine)
    assert "model" not in vars(network.stored), "the Keras model was loaded"


def test_file_gives_the_embedding_last_and_answers_as_before(
    trained: tl.ImageClassifier, run: Path
) -> None:
    outputs = [each.name for each in onnx.load(run / "model.onnx").graph.output]
    assert outputs == ["probabilities", "unknown_score", "embedding"]
    network = tl.ImageClassifier.load(run)._fitted.network
    table = network.engine(1, lambda: pixels(network))(pixels(network))
    assert table.shape == (3, 3 + 1)


def test_file_of_an_older_release_leaves_it_to_keras(
    trained: tl.ImageClassifier, run: Path
) -> None:
    network = tl.ImageClassifier.load(run)._fitted.network
    proto = onnx.load(run / "model.onnx")
    proto.graph.output.pop()
    onnx.save(proto, run / "model.onnx")
    found = sha256(run / "model.onnx")
    network.stored.sha256 = {**network.stored.sha256, "model.onnx": found}
    expected = by_keras(trained)
    np.testing.assert_allclose(embeddings(network), expected, atol=1e-3 * np.abs(expected).max())
    assert "model" in vars(network.stored)


def test_changed_model_embeds_by_its_own_layers(flower_folder: Path, tmp_path: Path) -> None:
    clf = tl.ImageClassifier("TinyResNet").fit(tl.ImageFolder(flower_folder))
    first = next(layer for layer in clf.model.layers if layer.weights)
    first.set_weights([0.5 * weight for weight in first.get_weights()])
    expected = by_keras(clf)
    np.testing.assert_allclose(embeddings(clf._fitted.network), expected, atol=1e-4)
    loaded = tl.ImageClassifier.load(clf.save(tmp_path / "run"))._fitted.network
    found = embeddings(loaded)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())
    assert "model" not in vars(loaded.stored)
