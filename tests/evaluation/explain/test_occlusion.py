"""Occlusion against a model whose answer is known to look at one corner."""

import keras
import numpy as np
import pytest

from tests.evaluation.explain import networks
from tlkeras.errors import BackboneError
from tlkeras.evaluation.explain.gradcam import gradcam
from tlkeras.evaluation.explain.occlusion import PATCHES, answering, occlusion


def corner(pixels: np.ndarray) -> np.ndarray:
    """Bright rows 0 to 19 and columns 24 to 47 speak for class 1."""
    odds = np.exp(pixels[:, :20, 24:].mean(axis=(1, 2, 3)) / 50)
    return np.stack([1 / (1 + odds), odds / (1 + odds)], axis=1)


def test_heat_is_where_the_answer_comes_from() -> None:
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 60, (40, 48, 3)).astype("float32")
    pixels[:20, 24:] += 150
    found = occlusion(corner, pixels, 1)
    (heat,) = found.maps
    assert heat.shape == (2 * PATCHES, 2 * PATCHES)
    assert heat[:7, 7:].min() > 0
    assert heat[8:].max() < 1e-4 * heat.max()
    assert heat[:, :6].max() < 1e-4 * heat.max()
    assert (found.columns.tolist(), found.layer) == ([1], "")


def test_heat_is_the_mean_loss_of_log_odds_under_patches_taken_one_by_one() -> None:
    model, pixels = networks.drawn(networks.flat(), 3), networks.pictures(1)[0]
    steps = 2 * PATCHES
    rows = np.linspace(0, pixels.shape[0], steps + 1).round().astype(int)
    columns = np.linspace(0, pixels.shape[1], steps + 1).round().astype(int)

    places, hidden = [], [pixels]
    for y in range(steps - 1):
        for x in range(steps - 1):
            picture = pixels.copy()
            picture[rows[y] : rows[y + 2], columns[x] : columns[x + 2]] = pixels.mean(axis=(0, 1))
            places.append((y, x))
            hidden.append(picture)
    answers = np.asarray(model(np.stack(hidden)), np.float64)
    odds = np.log(answers[:, 2] / (answers[:, 0] + answers[:, 1]))
    losses: dict[tuple[int, int], list[float]] = {}
    for (y, x), after in zip(places, odds[1:], strict=True):
        for place in ((y, x), (y + 1, x), (y, x + 1), (y + 1, x + 1)):
            losses.setdefault(place, []).append(odds[0] - after)
    expected = np.zeros((steps, steps))
    for place, values in losses.items():
        expected[place] = max(0.0, float(np.mean(values)))
    found = occlusion(lambda some: np.asarray(model(some)), pixels, 2).maps[0]
    np.testing.assert_allclose(found, expected, atol=2e-5 + 1e-4 * expected.max())


def test_patches_are_given_in_batches_and_once_each() -> None:
    seen: list[int] = []

    def counting(pixels: np.ndarray) -> np.ndarray:
        seen.append(len(pixels))
        return corner(pixels)

    occlusion(counting, np.full((40, 48, 3), 200, "float32"), None)
    assert sum(seen) == 1 + (2 * PATCHES - 1) ** 2
    assert max(seen) <= 32


def test_agrees_with_gradcam_on_a_trained_network() -> None:
    """A network that learned to find a bright square is explained alike by both."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    pixels = rng.uniform(0, 90, (160, 40, 48, 3)).astype("float32")
    labels = np.arange(160) % 2
    corners = rng.integers(0, (28, 36), (160, 2))
    for picture, label, (y, x) in zip(pixels, labels, corners, strict=True):
        picture[y : y + 12, x : x + 12, 0 if label else 2] += 160
    image = keras.Input((40, 48, 3))
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", padding="same")(x)
    x = keras.layers.Conv2D(8, 3, strides=2, activation="relu", padding="same")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, keras.layers.Dense(2, activation="softmax")(x))
    model.compile(keras.optimizers.Adam(0.03), "sparse_categorical_crossentropy")
    model.fit(pixels, labels, epochs=20, batch_size=32, verbose=0)
    inside = []
    for row in range(6):
        y, x = corners[row]
        square = np.zeros((40, 48), bool)
        square[y : y + 12, x : x + 12] = True
        for found in (
            gradcam(model, pixels[row : row + 1], 2, [int(labels[row])]),
            occlusion(lambda some: np.asarray(model(some)), pixels[row], int(labels[row])),
        ):
            heat = np.asarray(keras.ops.image.resize(found.maps[0][..., None], (40, 48)))[..., 0]
            inside.append(heat[square].mean() / max(heat[~square].mean(), 1e-9))
    assert (np.median(np.reshape(inside, (6, 2)), axis=0) > 3).all()


class OwnCode(keras.Model):
    """Two outputs and no layers: only code, which gradients could follow and a graph can't."""

    def call(self, pixels: object, training: bool = False) -> object:
        bright = keras.ops.mean(pixels[:, :20, 24:] / 50, axis=(1, 2, 3))
        scores = keras.ops.stack([0 * bright, bright], axis=1)
        return scores, keras.ops.mean(pixels, axis=3)


def test_model_of_any_kind_can_answer() -> None:
    pixels = networks.pictures(3, height=44, width=44)
    found = answering(OwnCode(), 44, 2)(pixels)
    np.testing.assert_allclose(found, corner(pixels), atol=1e-5)
    with pytest.raises(BackboneError, match=r"5 classes.*Received: 'own_code.*\('n', 2\)"):
        answering(OwnCode(), 44, 5)(pixels)


def test_weights_that_change_are_seen_by_the_next_answer() -> None:
    model = networks.drawn(networks.square(), 1)
    pixels = networks.pictures(2, height=44, width=44)
    answers = answering(model, 44, 3)
    answers(pixels)
    networks.drawn(model, 2)
    np.testing.assert_allclose(answers(pixels), model(pixels), atol=1e-6)
