"""Heads of the user's own Keras layers."""

from dataclasses import replace

import numpy as np
import pytest

from tests.heads.test_linear import array, rows
from tlkeras.errors import TrainingError
from tlkeras.heads.head import HeadTraining, Labelled
from tlkeras.heads.layers import LayersHead, fit_layers
from tlkeras.heads.temperature import tempered

HOW = HeadTraining(epochs=25, learning_rate=0.01, batch_size=16, patience=5, seed=3)


def fit(train: Labelled, validation: Labelled) -> LayersHead:
    import keras

    start = keras.initializers.HeNormal(seed=3)
    own = [
        keras.layers.Dense(16, activation="relu", kernel_initializer=start),
        keras.layers.Dropout(0.2, seed=3),
    ]
    return fit_layers(own, train, validation, 3, HOW)


@pytest.fixture(scope="module")
def fitted() -> tuple[Labelled, Labelled, LayersHead]:
    train, validation = rows(120, 1), rows(40, 2)
    return train, validation, fit(train, validation)


Fitted = tuple[Labelled, Labelled, LayersHead]


def test_layers_learn_and_answer_with_probabilities(fitted: Fitted) -> None:
    _, validation, head = fitted
    out = head.probabilities(array(validation))
    assert out.shape == (40, 3)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-5)
    assert (head.validation.argmax(1) == validation.labels).mean() > 0.55


def test_validation_answers_come_from_before_the_refit(fitted: Fitted) -> None:
    _, validation, head = fitted
    before = head.before_refit.probabilities(array(validation))
    np.testing.assert_allclose(before, head.validation, atol=1e-6)
    assert not np.allclose(before, head.probabilities(array(validation)), atol=1e-3)
    assert head.before_refit.before_refit.layers == head.before_refit.layers


def test_keras_layers_are_the_trained_ones(fitted: Fitted) -> None:
    _, validation, head = fitted
    out = array(validation)
    for layer in head.to_layers():
        out = layer(out)
    np.testing.assert_allclose(out, head.probabilities(array(validation)), atol=1e-6)
    assert len(head.weights()) == 4  # the standardisation is not among them


def test_epochs_are_those_of_the_best_validation_loss(fitted: Fitted) -> None:
    _, _, head = fitted
    losses = [row["val_loss"] for row in head.history]
    assert head.chosen["epochs"] == int(np.argmin(losses)) + 1


def test_same_seed_gives_the_same_head(fitted: Fitted) -> None:
    train, validation, head = fitted
    np.testing.assert_array_equal(
        fit(train, validation).probabilities(array(validation)),
        head.probabilities(array(validation)),
    )


def test_layers_without_a_seed_draw_by_that_of_the_training() -> None:
    import keras

    train, validation = rows(60, 1), rows(20, 2)

    def weights(seed: int) -> list[np.ndarray]:
        own = [keras.layers.Dense(8, activation="relu"), keras.layers.Dropout(0.3)]
        return fit_layers(own, train, validation, 3, replace(HOW, epochs=2, seed=seed)).weights()

    for one, other in zip(weights(3), weights(3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((a != b).any() for a, b in zip(weights(3), weights(4), strict=True))


def test_own_layers_with_class_many_outputs_get_only_a_softmax() -> None:
    import keras

    head = fit_layers([keras.layers.Dense(3)], rows(60, 1), rows(20, 2), 3, HOW)
    assert [type(layer).__name__ for layer in head.to_layers()] == [
        "Normalization",
        "Dense",
        "Softmax",
    ]


def test_own_layers_that_end_in_softmax_stay_as_they_are() -> None:
    import keras

    own = [keras.layers.Dropout(0.1), keras.layers.Dense(3, activation="softmax")]
    head = fit_layers(own, rows(60, 1), rows(20, 2), 3, HOW)
    assert [type(layer).__name__ for layer in head.to_layers()] == [
        "Normalization",
        "Dropout",
        "Dense",
    ]


def test_other_own_layers_get_a_dense_for_the_classes() -> None:
    import keras

    own = [keras.layers.Dense(7, activation="relu")]
    head = fit_layers(own, rows(60, 1), rows(20, 2), 3, HOW)
    assert head.to_layers()[-2].units == 3
    assert own[0].built is False  # the user's layer was copied


def test_nan_loss_is_an_error_that_names_the_knob() -> None:  # F6
    import keras

    train = rows(60, 1)
    endless = Labelled(train.vectors, train.labels, np.full(60, np.inf))
    with pytest.raises(TrainingError, match="head_learning_rate"):
        fit_layers([keras.layers.Dense(4)], endless, rows(20, 2), 3, HOW)


def folded(head: LayersHead, temperature: float) -> LayersHead:
    found = head.tempered(temperature)
    assert found is not None
    return found


def test_temperature_is_folded_into_the_last_dense_layer(fitted: Fitted) -> None:
    _, validation, head = fitted
    before = head.probabilities(array(validation))
    cool = folded(head, 2.0)
    expected = tempered(before, 2.0)
    np.testing.assert_allclose(cool.probabilities(array(validation)), expected, atol=1e-5)
    assert (cool.probabilities(array(validation)).argmax(1) == before.argmax(1)).all()
    np.testing.assert_array_equal(head.probabilities(array(validation)), before)
    assert cool.layers[1] is head.layers[1]


def test_temperature_is_folded_into_the_users_own_softmax(fitted: Fitted) -> None:
    import keras

    train, validation, _ = fitted
    for last in (
        [keras.layers.Dense(3, activation="softmax", use_bias=False)],
        [keras.layers.Dense(3), keras.layers.Activation("softmax")],
    ):
        head = fit_layers(last, train, validation, 3, HOW)
        expected = tempered(head.probabilities(array(validation)), 3.0)
        answers = folded(head, 3.0).probabilities(array(validation))
        np.testing.assert_allclose(answers, expected, atol=1e-5)


def test_head_without_a_dense_layer_before_its_softmax_has_no_temperature(
    fitted: Fitted,
) -> None:
    import keras

    train, validation, _ = fitted
    own = [keras.layers.Dense(3), keras.layers.LayerNormalization()]
    assert fit_layers(own, train, validation, 3, HOW).tempered(2.0) is None
    relu = [keras.layers.Dense(3, activation="relu"), keras.layers.Softmax()]
    assert fit_layers(relu, train, validation, 3, HOW).tempered(2.0) is None
