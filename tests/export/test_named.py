"""A classifier's outputs by name: the same answers, in the same order, whatever its layers are."""

from types import SimpleNamespace

import keras
import numpy as np

from tests.export.conftest import NAMES, SIZE_PX
from tlkeras.export.named import named_network
from tlkeras.heads.unknown import UnknownScore


def score(width: int, seed: int = 5) -> UnknownScore:
    kernel = np.random.default_rng(seed).normal(0, 2, (width, len(NAMES))).astype("float32")
    return UnknownScore(kernel, 1.5, 0.05, 10)


def pixels() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 255, (5, SIZE_PX, SIZE_PX, 3)).astype("float32")


def test_outputs_are_those_of_keras_and_of_the_score(bundle: SimpleNamespace) -> None:
    unknown = score(10)
    network = named_network(bundle.model, SIZE_PX, unknown, embedding=True)
    found = {name: np.asarray(value) for name, value in network(pixels()).items()}
    inside = keras.Model(bundle.model.inputs[0], bundle.model.get_layer("embedding").output)
    expected = np.asarray(inside(pixels()))
    assert list(found) == ["probabilities", "unknown_score", "embedding"]
    np.testing.assert_allclose(found["probabilities"], bundle.model(pixels()), atol=1e-6)
    np.testing.assert_allclose(found["embedding"], expected, atol=1e-6)
    assert found["unknown_score"].shape == (5,)
    np.testing.assert_allclose(found["unknown_score"], unknown(expected), atol=1e-4)


def test_without_a_score_the_probabilities_are_alone(bundle: SimpleNamespace) -> None:
    network = named_network(bundle.model, SIZE_PX, None)
    assert list(network(pixels())) == ["probabilities"]
    assert [tensor.name for tensor in network.inputs] == ["images"]


def test_layers_may_have_the_names_of_what_is_added() -> None:
    image = keras.Input((SIZE_PX, SIZE_PX, 3), name="photo")
    maps = keras.layers.Conv2D(3, 5, name="distances")(image)
    pooled = keras.layers.GlobalMaxPooling2D(name="square")(maps)
    flat = keras.layers.Flatten(name="flatten")(pooled)
    rows = keras.layers.Activation("linear", name="embedding")(flat)
    out = keras.layers.Dense(len(NAMES), "softmax", name="min")(rows)
    network = named_network(keras.Model(image, out), SIZE_PX, score(3), embedding=True)
    assert network(pixels())["unknown_score"].shape == (5,)


def test_an_embedding_of_zeros_has_a_score(bundle: SimpleNamespace) -> None:
    black = np.zeros((1, SIZE_PX, SIZE_PX, 3), "float32")
    model = keras.models.clone_model(bundle.model)
    model.set_weights([0 * weight for weight in bundle.model.get_weights()])
    network = named_network(model, SIZE_PX, score(10))
    assert float(network(black)["unknown_score"][0]) == 1.5
