import numpy as np
import pytest

from tlkeras.heads.head import Labelled, cross_entropy
from tlkeras.heads.linear import fit_linear
from tlkeras.heads.softmax_regression import SoftmaxRegression


def rows(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    centres = np.random.default_rng(99).normal(size=(3, 20))
    vectors = (centres[labels] + 2.0 * rng.normal(size=(n, 20))).astype("float32")
    return Labelled(vectors, labels, np.ones(n))


@pytest.fixture(scope="module")
def fitted() -> tuple:
    train, validation = rows(80, 1), rows(31, 2)
    return train, validation, fit_linear(train, validation, 3, (1e-4, 1e-2, 1.0))


def test_strength_is_the_one_with_the_lowest_validation_loss(fitted: tuple) -> None:
    train, validation, head = fitted
    losses = {
        c: cross_entropy(
            SoftmaxRegression(train.vectors, train.labels, 3)
            .solve(c)
            .probabilities(validation.vectors),
            validation.labels,
        )
        for c in (1e-4, 1e-2, 1.0)
    }
    assert head.chosen["strength"] == min(losses, key=losses.__getitem__)
    assert [row["strength"] for row in head.history] == [1e-4, 1e-2, 1.0]


def test_layers_are_refitted_on_both_parts(fitted: tuple) -> None:
    train, validation, head = fitted
    both = train.join(validation)
    expected = SoftmaxRegression(both.vectors, both.labels, 3).solve(head.chosen["strength"])
    out = validation.vectors
    for layer in head.layers:
        out = layer(out)
    np.testing.assert_allclose(out, expected.probabilities(validation.vectors), atol=1e-5)


def test_validation_answers_come_from_before_the_refit(fitted: tuple) -> None:
    _, validation, head = fitted
    after = head.weights()
    head.set_weights(head.before_refit)
    out = validation.vectors
    for layer in head.layers:
        out = layer(out)
    np.testing.assert_allclose(out, head.validation, atol=1e-5)
    head.set_weights(after)
    assert not np.allclose(head.before_refit[0], after[0])


def test_answers_are_float32_under_a_half_precision_policy() -> None:  # F8
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        head = fit_linear(rows(40, 1), rows(20, 2), 3, (1e-2,))
        out = head.layers[1](head.layers[0](rows(20, 2).vectors))
    finally:
        keras.config.set_dtype_policy("float32")
    assert out.dtype == "float32"
