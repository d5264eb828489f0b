"""The NumPy head with a hidden layer, against Keras and against finite differences."""

from dataclasses import replace

import numpy as np
import pytest

from tests.heads.test_linear import array, rows
from tlkeras.errors import TrainingError
from tlkeras.heads.affine import AffineHead
from tlkeras.heads.head import HeadTraining, Labelled, cross_entropy
from tlkeras.heads.mlp import Network, fit_mlp
from tlkeras.heads.table import Table
from tlkeras.heads.temperature import tempered

HOW = HeadTraining(epochs=25, learning_rate=0.01, batch_size=16, patience=5, seed=3)
Fitted = tuple[Labelled, Labelled, AffineHead]


def curved(n: int, seed: int) -> Labelled:
    """Rows whose classes no plane parts: 4 classes, 6 columns of different size and offset."""
    rng = np.random.default_rng(seed)
    plain = rng.normal(size=(n, 6))
    labels = (plain[:, 0] * plain[:, 1] > 0).astype(int) + 2 * (np.abs(plain[:, 2]) > 0.7)
    vectors = plain * np.linspace(0.1, 5, 6) + np.linspace(-3, 9, 6)
    return Labelled(Table(vectors.astype("float32")), labels, np.ones(n))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    train, validation = rows(120, 1), rows(40, 2)
    return train, validation, fit_mlp(train, validation, 3, 16, 0.2, HOW)


def test_mlp_learns_and_answers_with_probabilities(fitted: Fitted) -> None:
    _, validation, head = fitted
    out = head.probabilities(array(validation))
    assert out.shape == (40, 3)
    assert out.dtype == np.float32
    np.testing.assert_allclose(out.sum(axis=1), 1.0, atol=1e-5)
    assert (head.validation.argmax(1) == validation.labels).mean() > 0.55


def test_epochs_are_those_of_the_best_validation_loss(fitted: Fitted) -> None:
    _, _, head = fitted
    losses = [row["val_loss"] for row in head.history]
    assert head.chosen["epochs"] == int(np.argmin(losses)) + 1
    assert set(head.history[0]) == {"epoch", "loss", "val_loss", "val_accuracy"}


def test_training_stops_when_patience_is_over(fitted: Fitted) -> None:
    train, validation, _ = fitted
    head = fit_mlp(train, validation, 3, 16, 0.2, replace(HOW, epochs=500))
    assert len(head.history) == head.chosen["epochs"] + HOW.patience


def test_same_seed_gives_the_same_head_and_another_one_another(fitted: Fitted) -> None:
    train, validation, head = fitted
    again = fit_mlp(train, validation, 3, 16, 0.2, HOW)
    other = fit_mlp(train, validation, 3, 16, 0.2, replace(HOW, seed=4))
    np.testing.assert_array_equal(again.affines[0].kernel, head.affines[0].kernel)
    assert not np.allclose(other.affines[0].kernel, head.affines[0].kernel)


def test_validation_answers_come_from_before_the_refit(fitted: Fitted) -> None:
    _, validation, head = fitted
    before = head.before_refit.probabilities(array(validation))
    np.testing.assert_array_equal(before, head.validation)
    assert not np.allclose(before, head.probabilities(array(validation)), atol=1e-3)


def test_keras_layers_answer_as_the_head_does(fitted: Fitted) -> None:
    _, validation, head = fitted
    layers = head.to_layers()
    assert [layer.name for layer in layers] == ["hidden", "dropout", "logits", "probabilities"]
    assert layers[1].rate == 0.2
    out = array(validation)
    for layer in layers:
        out = layer(out)
    np.testing.assert_allclose(out, head.probabilities(array(validation)), atol=1e-6)


def test_gradient_equals_finite_differences() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(9, 5)).astype("float32")
    labels, weights = rng.integers(0, 3, 9), rng.uniform(0.5, 2, 9).astype("float32")
    network = Network((5, 4, 3), 0.0, replace(HOW, learning_rate=1e-12))
    network.adam.values[1][:] = [0.2, -0.1, 0.3, 0.1]
    network.step(x, labels, weights)
    for values, gradients in zip(network.adam.values, network.adam.gradients, strict=True):
        analytic = gradients.copy()
        for where in np.ndindex(values.shape):
            kept, losses = values[where], []
            for move in (2e-3, -2e-3):
                values[where] = kept + move
                losses.append(network.step(x, labels, weights) / weights.sum())
            values[where] = kept
            assert (losses[0] - losses[1]) / 4e-3 == pytest.approx(analytic[where], abs=2e-3)


def test_first_steps_equal_those_of_keras() -> None:
    import keras

    train = curved(64, 1)
    x, labels = array(train), train.labels
    x = ((x - x.mean(0)) / x.std(0)).astype("float32")
    network = Network((6, 8, 4), 0.0, HOW)
    hidden = keras.layers.Dense(8, activation="relu")
    logits = keras.layers.Dense(4, activation="softmax")
    model = keras.Sequential([keras.Input((6,)), hidden, logits])
    model.set_weights([value.copy() for value in network.adam.values])
    model.compile(keras.optimizers.Adam(HOW.learning_rate), "sparse_categorical_crossentropy")
    for start in (0, 16, 32, 48):
        rows_ = slice(start, start + 16)
        network.step(x[rows_], labels[rows_], np.ones(16, "float32"))
        model.train_on_batch(x[rows_], labels[rows_])
    for ours, theirs in zip(network.adam.values, model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("data", "classes"), [(rows, 3), (curved, 4)])
def test_answers_are_as_good_as_those_of_keras_layers(data: object, classes: int) -> None:
    import keras

    from tlkeras.heads.layers import fit_layers

    losses = []
    for seed in range(5):
        parts = [data(n, 10 * seed + k) for k, n in enumerate((640, 120, 400))]  # type: ignore[operator]
        train, validation, test = parts
        how = HeadTraining(epochs=60, learning_rate=1e-2, batch_size=32, patience=6, seed=seed)
        start = keras.initializers.HeNormal(seed=seed)
        own = [
            keras.layers.Dense(48, activation="relu", kernel_initializer=start),
            keras.layers.Dropout(0.3, seed=seed),
        ]
        theirs = fit_layers(own, train, validation, classes, how)
        ours = fit_mlp(train, validation, classes, 48, 0.3, how)
        losses.append(
            [cross_entropy(head.probabilities(array(test)), test.labels) for head in (ours, theirs)]
        )
    difference = np.array(losses) @ [1.0, -1.0]
    assert difference.mean() < max(0.05, 2 * difference.std() / np.sqrt(5))
    assert np.mean(losses) < 0.9 * np.log(classes)  # both learned something


def test_nan_loss_is_an_error_that_names_the_knob() -> None:  # F6
    train = rows(60, 1)
    endless = Labelled(train.vectors, train.labels, np.full(60, np.inf))
    with pytest.raises(TrainingError, match="head_learning_rate"):
        fit_mlp(endless, rows(20, 2), 3, 4, 0.0, HOW)


def test_temperature_is_folded_into_the_last_step(fitted: Fitted) -> None:
    _, validation, head = fitted
    before = head.probabilities(array(validation))
    cool = head.tempered(1.7)
    answers = cool.probabilities(array(validation))
    np.testing.assert_allclose(answers, tempered(before, 1.7), atol=1e-5)
    assert (answers.argmax(1) == before.argmax(1)).all()
    assert cool.affines[0] is head.affines[0]
    np.testing.assert_allclose(cool.validation, tempered(head.validation, 1.7), atol=1e-6)
    through = cool.before_refit.probabilities(array(validation))
    np.testing.assert_allclose(through, cool.validation, atol=1e-5)
