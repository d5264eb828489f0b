"""The network that engines are made of gives the backbone's own answers."""

import numpy as np

from tests.features.engines.conftest import SIDE
from tlkeras.backbones.hashing import fingerprint
from tlkeras.features.engines.trunk import trunk


def test_resizing_to_the_same_size_falls_away(
    network: object, pictures: np.ndarray, embeddings: np.ndarray
) -> None:
    found = trunk(network, SIDE)

    assert found.input_shape == (None, SIDE, SIDE, 3)
    assert [tensor.name for tensor in found.inputs] == ["pixels"]
    assert "Resizing" not in [type(layer).__name__ for layer in found.layers]
    np.testing.assert_allclose(found.predict(pictures, verbose=0), embeddings, atol=1e-5)


def test_the_backbone_itself_is_left_as_it_was(network: object) -> None:
    before, names = fingerprint(network), [layer.name for layer in network.layers]

    trunk(network, SIDE)

    assert fingerprint(network) == before
    assert [layer.name for layer in network.layers] == names
    assert network.input_shape == (None, None, None, 3)


def test_resizing_to_another_size_stays(network: object) -> None:
    pixels = np.random.default_rng(1).uniform(0, 255, (2, 31, 31, 3)).astype(np.float32)

    found = trunk(network, 31)

    assert found.input_shape == (None, 31, 31, 3)
    expected = network.predict(pixels, verbose=0)
    np.testing.assert_allclose(found.predict(pixels, verbose=0), expected, atol=1e-5)


def test_a_model_of_that_size_is_taken_as_it_is() -> None:
    import keras

    image = keras.Input((SIDE, SIDE, 3))
    model = keras.Model(image, keras.layers.GlobalAveragePooling2D()(image))

    assert trunk(model, SIDE) is model


def test_a_picture_that_is_also_read_past_the_resizing_keeps_it() -> None:
    import keras

    image = keras.Input((None, None, 3))
    resized = keras.layers.Resizing(SIDE, SIDE)(image, training=False)
    pool = keras.layers.GlobalAveragePooling2D
    model = keras.Model(image, keras.layers.Concatenate()([pool()(resized), pool()(image)]))
    pixels = np.random.default_rng(2).uniform(0, 255, (3, SIDE, SIDE, 3)).astype(np.float32)

    found = trunk(model, SIDE)

    assert found.input_shape == (None, SIDE, SIDE, 3)
    expected = model.predict(pixels, verbose=0)
    np.testing.assert_allclose(found.predict(pixels, verbose=0), expected, rtol=1e-5)
