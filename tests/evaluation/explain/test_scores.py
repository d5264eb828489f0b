"""The score behind a probability, whatever a model ends with."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers

from tests.evaluation.explain import networks
from tlkeras.evaluation.explain.scores import (
    ends_squashed,
    log_odds,
    probabilities_of,
    score_of,
    to_probabilities,
)
from tlkeras.evaluation.explain.trace import traced

ENDS: dict[str, Callable[[keras.KerasTensor], keras.KerasTensor]] = {
    "layer": layers.Softmax(),
    "activation": layers.Activation("softmax"),
    "operation": keras.ops.softmax,
    "sigmoid": layers.Activation("sigmoid"),
    "reshaped": lambda x: layers.Reshape((3,))(layers.Softmax()(layers.Reshape((1, 1, 3))(x))),
    "cast": lambda x: keras.ops.cast(layers.Softmax()(x), "float64"),
    "none": lambda x: x,
    "renamed": lambda x: layers.Activation("linear", name="y")(layers.Softmax()(x)),
}


@pytest.mark.parametrize("end", ENDS)
def test_score_is_what_went_into_the_softmax(end: str) -> None:
    linear = networks.drawn(networks.flat(), 3)
    logits = linear.get_layer("logits").output
    model = keras.Model(linear.input, ENDS[end](logits))
    pixels = networks.pictures(2)
    expected = np.asarray(keras.Model(linear.input, logits)(pixels))
    trace = traced(model, pixels, 3)
    np.testing.assert_allclose(score_of(trace)({}), expected, atol=1e-5)


def test_softmax_inside_a_dense_layer_is_undone() -> None:
    model = networks.drawn(networks.two_dense(), 5)
    pixels = networks.pictures(2)
    scores = np.asarray(score_of(traced(model, pixels, 3))({}))
    dense = model.get_layer("scores")
    hidden = np.asarray(keras.Model(model.input, model.get_layer("hidden").output)(pixels))
    kernel, bias = dense.get_weights()
    np.testing.assert_allclose(scores, hidden @ kernel + bias, atol=1e-5)
    assert dense.activation.__name__ == "softmax"


def test_mean_of_softmaxes_gives_logarithms_around_their_mean() -> None:
    model = networks.drawn(networks.average_of_softmaxes(), 2)
    pixels = networks.pictures(2)
    logs = np.log(np.asarray(model(pixels)))
    scores = score_of(traced(model, pixels, 3))({})
    np.testing.assert_allclose(scores, logs - logs.mean(axis=1, keepdims=True), atol=1e-5)


@pytest.mark.parametrize("end", ["none", "sigmoid", "layer"])
def test_probabilities_are_a_softmax_only_of_scores(end: str) -> None:
    linear = networks.drawn(networks.flat(), 3)
    model = keras.Model(linear.input, ENDS[end](linear.get_layer("logits").output))
    pixels = networks.pictures(2)
    answers = np.asarray(model(pixels), np.float64)
    if end == "none":
        answers = np.exp(answers) / np.exp(answers).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities_of(traced(model, pixels, 3)), answers, atol=1e-6)
    found = to_probabilities(np.asarray(model(pixels)), ends_squashed(model))
    np.testing.assert_allclose(found, answers, atol=1e-6)


@pytest.mark.parametrize("name", ["nested", "sequential", "two_dense", "flat"])
def test_squashed_end_is_seen_through_models(name: str) -> None:
    assert ends_squashed(networks.ALL[name]())


def test_linear_end_is_not_squashed() -> None:
    assert not ends_squashed(networks.nested().layers[0])


def test_log_odds_of_sure_answers_are_exact() -> None:
    rows = np.array([[1.0, 1e-20, 0.0], [1e-20, 1.0, 0.0]], "float32")
    np.testing.assert_allclose(log_odds(rows, 0), [46.0517, -46.0517], atol=1e-3)
