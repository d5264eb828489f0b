"""Large weights in half precision: half the size, and the answers that rounding them gives."""

import keras
import numpy as np
import pytest

from converters.keras_to_litert import litert_bytes
from tlkeras.export.formats.interpreter import answers_of
from tlkeras.export.formats.packed import opened, operators
from tlkeras.export.formats.rounding.half import LEAST, halved

pytest.importorskip("ai_edge_litert.interpreter")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """Small filters, then a dense layer with more weights than everything else."""
    image = keras.Input((12, 10, 3))
    maps = keras.layers.Conv2D(6, 3, activation="relu", use_bias=True)(image)
    flat = keras.layers.Flatten()(maps)
    model = keras.Model(image, keras.layers.Dense(5, activation="softmax")(flat))
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(0, 0.02, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def pixels() -> np.ndarray:
    return np.random.default_rng(1).uniform(0, 255, (7, 12, 10, 3)).astype("float32")


@pytest.fixture(scope="module")
def whole(network: keras.Model) -> bytes:
    return litert_bytes(network)


def stored(content: bytes) -> dict[int, list[int]]:
    """Type of tensor in LiteRT's schema → how many numbers each constant of that type has."""
    model = opened(content)
    found: dict[int, list[int]] = {}
    for tensor in model.subgraphs[0].tensors:
        data = model.buffers[tensor.buffer].data
        if data is not None and len(data):
            found.setdefault(tensor.type, []).append(int(np.prod(tensor.shape)))
    return found


def test_answers_are_those_of_weights_that_were_rounded(
    network: keras.Model, whole: bytes, pixels: np.ndarray
) -> None:
    rounded = keras.models.clone_model(network)
    weights = network.get_weights()
    halves = [w.astype("float16").astype("float32") if w.size >= LEAST else w for w in weights]
    rounded.set_weights(halves)
    found = answers_of(halved(whole))(pixels)
    exact = np.asarray(network(pixels))
    assert np.abs(found - exact).max() > 1e-5, "rounding must show, to prove anything"
    np.testing.assert_allclose(found, np.asarray(rounded(pixels)), atol=1e-6)


def test_large_lists_lie_in_half_the_bytes_and_small_ones_as_they_were(whole: bytes) -> None:
    before, after = stored(whole), stored(halved(whole))
    assert max(before[0]) == 5 * 6 * 10 * 8
    assert after[1] == [max(before[0])]
    assert sorted(after[0]) == sorted(set(before[0]) - {max(before[0])})
    assert len(halved(whole)) < 0.66 * len(whole)  # the note stays as it is
    assert set(operators(halved(whole))) - set(operators(whole)) == {"DEQUANTIZE"}


def test_numbers_beyond_half_precision_stay(network: keras.Model, pixels: np.ndarray) -> None:
    large = keras.models.clone_model(network)
    large.set_weights([weight * 1e8 for weight in network.get_weights()])
    content = litert_bytes(large)
    assert 1 not in stored(halved(content))


def test_a_file_of_small_lists_stays_as_it_was() -> None:
    image = keras.Input((4, 4, 3))
    content = litert_bytes(keras.Model(image, keras.layers.Conv2D(2, 3)(image)))
    assert halved(content) == content
