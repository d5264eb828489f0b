import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tlkeras.heads.affine import AffineHead
from tlkeras.heads.head import Labelled, cross_entropy
from tlkeras.heads.linear import fit_linear
from tlkeras.heads.softmax_regression import SoftmaxRegression
from tlkeras.heads.table import Table

Fitted = tuple[Labelled, Labelled, AffineHead]


def rows(n: int, seed: int) -> Labelled:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, n)
    centres = np.random.default_rng(99).normal(size=(3, 20))
    vectors = (centres[labels] + 2.0 * rng.normal(size=(n, 20))).astype("float32")
    return Labelled(Table(vectors), labels, np.ones(n))


def array(part: Labelled) -> np.ndarray:
    return part.vectors.take(np.arange(len(part)))


@pytest.fixture(scope="module")
def fitted() -> Fitted:
    train, validation = rows(80, 1), rows(31, 2)
    return train, validation, fit_linear(train, validation, 3, (1e-4, 1e-2, 1.0))


def test_strength_is_the_one_with_the_lowest_validation_loss(fitted: Fitted) -> None:
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


def test_head_is_refitted_on_both_parts(fitted: Fitted) -> None:
    train, validation, head = fitted
    both = np.concatenate([array(train), array(validation)])
    scaler = StandardScaler().fit(both.astype("float64"))
    theirs = LogisticRegression(C=head.chosen["strength"], max_iter=10_000, tol=1e-10).fit(
        scaler.transform(both), np.concatenate([train.labels, validation.labels])
    )
    expected = theirs.predict_proba(scaler.transform(array(validation)))
    assert expected.std() > 0.05
    np.testing.assert_allclose(head.probabilities(array(validation)), expected, atol=1e-4)


def test_validation_answers_come_from_before_the_refit(fitted: Fitted) -> None:
    _, validation, head = fitted
    before = head.before_refit.probabilities(array(validation))
    np.testing.assert_array_equal(before, head.validation)
    assert not np.allclose(before, head.probabilities(array(validation)), atol=1e-3)


def test_keras_layers_answer_as_the_head_does(fitted: Fitted) -> None:
    _, validation, head = fitted
    out = array(validation)
    for layer in head.to_layers():
        out = layer(out)
    np.testing.assert_allclose(out, head.probabilities(array(validation)), atol=1e-6)


def test_weights_are_those_of_the_keras_layers(fitted: Fitted) -> None:
    _, _, head = fitted
    of_layers = [value for layer in head.to_layers() for value in layer.get_weights()]
    for ours, theirs in zip(head.weights(), of_layers, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_answers_are_float32_under_a_half_precision_policy() -> None:  # F8
    import keras

    keras.config.set_dtype_policy("mixed_float16")
    try:
        dense, probabilities = fit_linear(rows(40, 1), rows(20, 2), 3, (1e-2,)).to_layers()
        out = probabilities(dense(array(rows(20, 2))))
    finally:
        keras.config.set_dtype_policy("float32")
    assert out.dtype == "float32"
