"""Grad-CAM against NumPy, against a plain tape, and on every shape of network."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.evaluation.explain import networks
from tlkeras.errors import BackboneError
from tlkeras.evaluation.explain.gradcam import gradcam

CLASSES = networks.CLASSES


def proportions(maps: np.ndarray | list[np.ndarray]) -> np.ndarray:
    """Maps (n, h, w) with 1 at the hottest place of each."""
    most = np.max(maps, axis=(1, 2), keepdims=True)
    assert (most > 0).all()
    return np.asarray(maps) / most


def textbook(model: keras.Model, layer: str, scores: str, pixels: np.ndarray, column: int):
    """Grad-CAM as papers print it: a second model with two outputs, and a tape over it."""
    both = keras.Model(model.input, [model.get_layer(layer).output, model.get_layer(scores).output])
    with tf.GradientTape() as tape:
        maps, logits = both(pixels, training=False)
        tape.watch(maps)
        chosen = logits[:, column]
    weights = tf.reduce_mean(tape.gradient(chosen, maps), axis=(1, 2))
    return np.maximum(np.einsum("nhwc,nc->nhw", maps, weights), 0)


def test_map_after_pooling_and_a_dense_layer_is_the_evidence_of_each_place() -> None:
    model, pixels = networks.drawn(networks.flat(), 3), networks.pictures(2)
    maps = np.asarray(keras.Model(model.input, model.get_layer("last").output)(pixels))
    kernel = np.asarray(model.get_layer("logits").kernel)
    found = gradcam(model, pixels, CLASSES, [0, 2])
    expected = [np.maximum(maps[row] @ kernel[:, column], 0) for row, column in ((0, 0), (1, 2))]
    np.testing.assert_allclose(proportions(found.maps), proportions(expected), atol=1e-5)
    assert found.layer == "last"
    assert found.columns.tolist() == [0, 2]


def test_map_of_a_hidden_layer_head_is_the_textbooks() -> None:
    model, pixels = networks.drawn(networks.two_dense(), 5), networks.pictures(3)
    linear = keras.models.clone_model(model)
    linear.set_weights(model.get_weights())
    linear.get_layer("scores").activation = keras.activations.linear
    for column in range(CLASSES):
        expected = textbook(linear, "last", "scores", pixels, column)
        found = gradcam(model, pixels, CLASSES, [column] * 3).maps
        np.testing.assert_allclose(found, expected, atol=1e-5 * expected.max())


def test_nested_models_give_the_map_of_the_flat_one() -> None:
    """E9: "Graph disconnected" on a nested backbone."""
    model, plain = networks.drawn(networks.nested(), 1), networks.flat()
    weights = [w for w in model.get_weights() if w.dtype == np.float32]
    plain.set_weights(weights)
    pixels = networks.pictures(2)
    found, expected = (gradcam(each, pixels, CLASSES, [None, 1]) for each in (model, plain))
    assert found.layer == "outer/base/last"
    np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=1e-6)


@pytest.mark.parametrize("name", networks.ALL)
def test_every_shape_of_network_has_a_map_that_depends_on_the_picture(name: str) -> None:
    model, pixels = networks.drawn(networks.ALL[name](), 2), networks.pictures(3)
    before = [np.array(weight) for weight in model.weights]
    found = gradcam(model, pixels, CLASSES, [0, 1, 2])
    assert found.maps.shape[0] == 3
    assert found.maps.dtype == np.float32
    assert min(found.maps.shape[1:]) >= 2
    assert np.isfinite(found.maps).all()
    assert found.maps.min() >= 0
    other = gradcam(model, networks.pictures(3, seed=9), CLASSES, [0, 1, 2])
    assert not np.allclose(found.maps, other.maps)
    answers = keras.tree.flatten(model(pixels, training=False))[0]
    np.testing.assert_allclose(found.probabilities, answers, atol=1e-5)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))


@pytest.mark.parametrize(
    ("name", "layer"),
    [
        ("sequential", "second"),
        ("pooled", "last"),
        ("squeeze_excite", "gated"),
        ("two_branches", "right_last + left_last"),
        ("score_map", "classifier"),
        ("transformer", "block_1"),
        ("late_token", "block"),
    ],
)
def test_map_is_of_the_last_layer_that_still_has_places(name: str, layer: str) -> None:
    model = networks.drawn(networks.ALL[name](), 2)
    assert gradcam(model, networks.pictures(2), CLASSES, [None, 1]).layer == layer


def test_tokens_that_are_averaged_are_the_last_ones() -> None:
    model = networks.drawn(networks.transformer("mean"), 2)
    found = gradcam(model, networks.pictures(2), CLASSES, [None, 1])
    assert (found.layer, found.maps.shape) == ("norm", (2, 5, 6))


def test_two_branches_are_added_before_what_speaks_against_is_dropped() -> None:
    model, pixels = networks.drawn(networks.two_branches(), 1), networks.pictures(2)
    kernel = np.asarray(model.get_layer("logits").kernel)
    expected = []
    for row, column in enumerate((0, 2)):
        enlarged = []
        for name, part in (("left_last", kernel[:6]), ("right_last", kernel[6:])):
            values = np.asarray(keras.Model(model.input, model.get_layer(name).output)(pixels))
            enlarged.append(values[row] @ part[:, [column]])
        size = max((each.shape[:2] for each in enlarged), key=np.prod)
        total = sum(np.asarray(tf.image.resize(each, size))[..., 0] for each in enlarged)
        assert total.min() < 0 < total.max()
        expected.append(np.maximum(total, 0))
    found = gradcam(model, pixels, CLASSES, [0, 2])
    np.testing.assert_allclose(proportions(found.maps), proportions(expected), atol=1e-4)


def test_a_temperature_changes_nothing() -> None:
    model, pixels = networks.drawn(networks.flat(), 3), networks.pictures(2)
    before = gradcam(model, pixels, CLASSES, [0, 1])
    last = model.get_layer("logits")
    last.set_weights([value / 2.5 for value in last.get_weights()])
    after = gradcam(model, pixels, CLASSES, [0, 1])
    assert not np.allclose(before.probabilities, after.probabilities)
    np.testing.assert_allclose(proportions(before.maps), proportions(after.maps), atol=1e-5)


def test_a_sure_answer_has_a_map() -> None:
    model, pixels = networks.drawn(networks.two_dense(), 5), networks.pictures(2)
    before = gradcam(model, pixels, CLASSES, [0, 1])
    last = model.get_layer("scores")
    last.set_weights([value * 1e4 for value in last.get_weights()])
    found = gradcam(model, pixels, CLASSES, [0, 1])
    assert found.probabilities.max() == 1
    np.testing.assert_allclose(proportions(before.maps), proportions(found.maps), atol=1e-4)


def test_one_picture_and_a_batch_give_the_same() -> None:
    model, pixels = networks.drawn(networks.transformer(), 2), networks.pictures(3)
    together = gradcam(model, pixels, CLASSES, [0, 1, 2]).maps
    for row, column in enumerate((0, 1, 2)):
        alone = gradcam(model, pixels[row : row + 1], CLASSES, [column]).maps[0]
        np.testing.assert_allclose(together[row], alone, atol=1e-5 * max(alone.max(), 1e-9))


def test_class_that_nothing_speaks_for_has_no_heat() -> None:
    model, pixels = networks.drawn(networks.flat(), 3), networks.pictures(1)
    last = model.get_layer("logits")
    kernel, bias = last.get_weights()
    kernel[:, 1] = -1  # the map is never negative
    last.set_weights([kernel, bias])
    assert not gradcam(model, pixels, CLASSES, [1]).maps.any()


def test_half_precision_gives_finite_maps_in_float32() -> None:
    keras.config.set_dtype_policy("mixed_float16")
    try:
        model = networks.drawn(networks.flat(), 3)
    finally:
        keras.config.set_dtype_policy("float32")
    pixels = networks.pictures(2)
    exact = networks.flat()
    exact.set_weights(model.get_weights())
    found, expected = (gradcam(each, pixels, CLASSES, [0, 1]) for each in (model, exact))
    assert found.maps.dtype == np.float32
    np.testing.assert_allclose(proportions(found.maps), proportions(expected.maps), atol=0.02)


def own_code() -> keras.Model:
    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = networks.flat()

        def call(self, x: tf.Tensor) -> tf.Tensor:
            return self.inner(x)

    model = Own()
    model(networks.pictures(1))
    return model


def without_map() -> keras.Model:
    image = keras.Input((networks.HEIGHT, networks.WIDTH, 3))
    x = keras.layers.Dense(CLASSES, activation="softmax")(keras.layers.Flatten()(image))
    return keras.Model(image, x)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (own_code, r"Functional or Sequential.*Received: Own.*method='occlusion'"),
        (without_map, r"map \(n, h, w, channels\).*which has none.*method='occlusion'"),
    ],
)
def test_network_that_cannot_be_followed_says_what_to_do(
    make: Callable[[], keras.Model], said: str
) -> None:
    with pytest.raises(BackboneError, match=said):
        gradcam(make(), networks.pictures(1), CLASSES, [None])


def test_wrong_number_of_classes_is_told() -> None:
    with pytest.raises(BackboneError, match=r"4 classes.*Received: 'functional.*\('n', 3\)"):
        gradcam(networks.flat(), networks.pictures(1), 4, [None])
