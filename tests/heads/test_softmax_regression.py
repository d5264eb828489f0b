"""The convex head against scikit-learn's solver of the same problem."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from tlkeras.heads import table
from tlkeras.heads.affine import softmax
from tlkeras.heads.softmax_regression import SoftmaxRegression
from tlkeras.heads.table import Table


def problem(n: int, d: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + 3.0
    labels = (vectors @ rng.normal(size=(d, classes)) + rng.normal(size=(n, classes))).argmax(1)
    return vectors.astype("float32"), labels


@pytest.mark.parametrize(("n", "d", "classes"), [(90, 40, 4), (50, 130, 3), (70, 20, 2)])
@pytest.mark.parametrize("strength", [1e-3, 0.1, 10.0])
def test_optimum_equals_scikit_learn(n: int, d: int, classes: int, strength: float) -> None:
    vectors, labels = problem(n, d, classes)
    ours = SoftmaxRegression(vectors, labels, classes).solve(strength)
    scaled = StandardScaler().fit_transform(vectors.astype("float64"))
    # For two classes scikit-learn has one logit w where we have ±w/2: half the penalty.
    same = 2 * strength if classes == 2 else strength
    theirs = LogisticRegression(C=same, max_iter=10_000, tol=1e-10).fit(scaled, labels)
    expected = theirs.predict_proba(scaled)
    assert ours.probabilities(vectors).shape == expected.shape
    assert ours.probabilities(vectors).dtype == np.float32
    assert expected.std() > 0.01  # the answers differ between rows
    np.testing.assert_allclose(ours.probabilities(vectors), expected, atol=1e-4)
    assert ours.converged


def test_row_weight_two_equals_the_row_twice() -> None:
    vectors, labels = problem(60, 12, 3)
    weights = np.where(np.arange(60) < 20, 2.0, 1.0)
    weighted = SoftmaxRegression(vectors, labels, 3, weights).solve(0.1)
    twice = np.concatenate([np.arange(60), np.arange(20)])
    repeated = SoftmaxRegression(vectors[twice], labels[twice], 3).solve(0.1)
    np.testing.assert_allclose(
        weighted.probabilities(vectors), repeated.probabilities(vectors), atol=1e-4
    )


def test_constant_and_repeated_columns_do_no_harm() -> None:
    vectors, labels = problem(60, 6, 3)
    odd = np.hstack([vectors, vectors[:, :2], np.full((60, 1), 7.0, "float32")])
    answer = SoftmaxRegression(odd, labels, 3).solve(1.0)
    assert np.isfinite(answer.affine.kernel).all()
    assert (answer.probabilities(odd).argmax(1) == labels).mean() > 0.9


@pytest.mark.parametrize("factor", [1e-12, 1e6])
def test_size_of_the_embeddings_does_not_matter(factor: float) -> None:
    vectors, labels = problem(60, 6, 3)
    plain = SoftmaxRegression(vectors, labels, 3).solve(1.0)
    scaled = SoftmaxRegression(vectors * np.float32(factor), labels, 3).solve(1.0)
    np.testing.assert_allclose(
        scaled.probabilities(vectors * np.float32(factor)), plain.probabilities(vectors), atol=1e-3
    )


def test_repeated_rows_and_contradictions_do_no_harm() -> None:
    vectors, labels = problem(30, 80, 3)
    rows = np.concatenate([np.arange(30), np.arange(20), np.arange(5)])
    answers = np.concatenate([labels, labels[:20], (labels[:5] + 1) % 3])
    ours = SoftmaxRegression(vectors[rows], answers, 3).solve(1.0)
    scaled = StandardScaler().fit_transform(vectors[rows].astype("float64"))
    theirs = LogisticRegression(C=1.0, max_iter=10_000, tol=1e-10).fit(scaled, answers)
    np.testing.assert_allclose(
        ours.probabilities(vectors[rows]), theirs.predict_proba(scaled), atol=1e-4
    )


def test_one_row_a_class_is_solved() -> None:
    vectors, _ = problem(3, 9, 3)
    answer = SoftmaxRegression(vectors, np.arange(3), 3).solve(1.0)
    assert answer.probabilities(vectors).argmax(1).tolist() == [0, 1, 2]


def test_warm_start_gives_the_same_optimum_as_a_cold_one() -> None:
    vectors, labels = problem(80, 30, 4)
    path = SoftmaxRegression(vectors, labels, 4)
    warm = [path.solve(strength) for strength in (1e-4, 1e-2, 1.0)][-1]
    cold = SoftmaxRegression(vectors, labels, 4).solve(1.0)
    np.testing.assert_allclose(warm.probabilities(vectors), cold.probabilities(vectors), atol=2e-4)


def test_rows_in_blocks_and_parts_give_the_same_optimum(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, labels = problem(90, 30, 4)
    weights = np.linspace(0.5, 2, 90)
    whole = SoftmaxRegression(vectors, labels, 4, weights).solve(0.1)
    monkeypatch.setattr(table, "BLOCK_BYTES", 4 * 30 * 7)
    monkeypatch.setattr(table, "KEPT_BYTES", 0)
    parts = Table(vectors[:25], vectors[25:40], vectors[40:])
    streamed = SoftmaxRegression(parts, labels, 4, weights).solve(0.1)
    np.testing.assert_allclose(
        streamed.probabilities(parts), whole.probabilities(vectors), atol=1e-4
    )


@pytest.mark.parametrize("d", [40, 300])  # more rows than columns, and fewer
def test_start_at_another_solution_saves_steps(d: int) -> None:
    vectors, labels = problem(200, d, 4)
    answer = SoftmaxRegression(vectors[:180], labels[:180], 4).solve(0.1)
    plain, warm = (SoftmaxRegression(vectors, labels, 4) for _ in range(2))
    warm.start_at(answer)
    cold, quick = plain.solve(0.1), warm.solve(0.1)
    assert quick.steps < cold.steps
    np.testing.assert_allclose(quick.probabilities(vectors), cold.probabilities(vectors), atol=1e-4)


def test_strengths_may_come_in_any_order_and_twice() -> None:
    vectors, labels = problem(80, 30, 4)
    path = SoftmaxRegression(vectors, labels, 4)
    answers = {c: path.solve(c).probabilities(vectors) for c in (1.0, 1e-4, 1e-4, 10.0, 0.01)}
    for strength, found in answers.items():
        alone = SoftmaxRegression(vectors, labels, 4).solve(strength)
        np.testing.assert_allclose(found, alone.probabilities(vectors), atol=2e-4)


def test_softmax_of_huge_logits_is_finite() -> None:
    np.testing.assert_array_equal(softmax(np.array([[1e6, 0.0, -1e6]])), [[1.0, 0.0, 0.0]])
