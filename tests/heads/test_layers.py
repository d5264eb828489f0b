import numpy as np
import pytest

from tests.heads.test_linear import rows
from tlkeras.errors import TrainingError
from tlkeras.heads.head import Labelled
from tlkeras.heads.layers import HeadTraining, fit_layers, mlp

HOW = HeadTraining(epochs=25, learning_rate=0.01, batch_size=16, patience=5, seed=3)


def answer(layers: tuple, vectors: np.ndarray) -> np.ndarray:
    out = vectors
    for layer in layers:
        out = layer(out)
    return np.asarray(out)


@pytest.fixture(scope="module")
def fitted() -> tuple:
    train, validation = rows(120, 1), rows(40, 2)
    return train, validation, fit_layers(mlp(16, 0.2, 3), train, validation, 3, HOW)


def test_mlp_learns_and_answers_with_probabilities(fitted: tuple) -> None:
    _, validation, head = fitted
    out = answer(head.layers, validation.vectors)
    assert out.shape == (40, 3)
    np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-5)
    assert (head.validation.argmax(1) == validation.labels).mean() > 0.55


def test_epochs_are_those_of_the_best_validation_loss(fitted: tuple) -> None:
    _, _, head = fitted
    losses = [row["val_loss"] for row in head.history]
    assert head.chosen["epochs"] == int(np.argmin(losses)) + 1


def test_same_seed_gives_the_same_head(fitted: tuple) -> None:
    train, validation, head = fitted
    again = fit_layers(mlp(16, 0.2, 3), train, validation, 3, HOW)
    np.testing.assert_array_equal(
        answer(again.layers, validation.vectors), answer(head.layers, validation.vectors)
    )


def test_own_layers_with_class_many_outputs_get_only_a_softmax() -> None:
    import keras

    head = fit_layers([keras.layers.Dense(3)], rows(60, 1), rows(20, 2), 3, HOW)
    assert [type(layer).__name__ for layer in head.layers] == ["Normalization", "Dense", "Softmax"]


def test_own_layers_that_end_in_softmax_stay_as_they_are() -> None:
    import keras

    own = [keras.layers.Dropout(0.1), keras.layers.Dense(3, activation="softmax")]
    head = fit_layers(own, rows(60, 1), rows(20, 2), 3, HOW)
    assert [type(layer).__name__ for layer in head.layers] == ["Normalization", "Dropout", "Dense"]


def test_other_own_layers_get_a_dense_for_the_classes() -> None:
    import keras

    own = [keras.layers.Dense(7, activation="relu")]
    head = fit_layers(own, rows(60, 1), rows(20, 2), 3, HOW)
    assert head.layers[-2].units == 3
    assert own[0].built is False  # the user's layer was copied


def test_nan_loss_is_an_error_that_names_the_knob() -> None:  # F6
    train = rows(60, 1)
    endless = Labelled(train.vectors, train.labels, np.full(60, np.inf))
    with pytest.raises(TrainingError, match="head_learning_rate"):
        fit_layers(mlp(4, 0.0, 0), endless, rows(20, 2), 3, HOW)
