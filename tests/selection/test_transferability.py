"""LogME and H-score against slow, dense implementations of their definitions."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.covariance import LedoitWolf

from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.selection.transferability import h_score, logme

SHAPES = [(60, 9, 3), (40, 70, 4), (50, 50, 2)]


def rows(n: int, d: int, classes: int, apart: float = 0.7, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % classes
    vectors = rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) / np.sqrt(d) + 0.5
    vectors += apart * rng.normal(size=(classes, d))[labels]
    return Features(vectors.astype("float32"), labels, [f"{row}" for row in range(n)])


def slow_logme(features: Features, classes: int) -> float:
    """The largest log N(y; 0, FFᵀ/weights + I/noise) over both, by a general optimiser."""
    n = len(features)
    products = features.vectors.astype("float64") @ features.vectors.astype("float64").T
    best = []
    for one in range(classes):
        target = (features.labels == one).astype("float64")

        def minus(logs: np.ndarray, target: np.ndarray = target) -> float:
            covariance = products / np.exp(logs[0]) + np.eye(n) / np.exp(logs[1])
            return -float(multivariate_normal.logpdf(target, np.zeros(n), covariance))

        starts = [(0.0, 0.0), (3.0, 2.0), (5.0, 4.0)]
        options = {"xatol": 1e-6, "fatol": 1e-8, "maxiter": 4000}
        found = [minimize(minus, s, method="Nelder-Mead", options=options) for s in starts]
        best.append(-min(answer.fun for answer in found))
    return float(np.mean(best)) / n


def slow_h_score(features: Features, classes: int) -> float:
    vectors = features.vectors.astype("float64")
    estimate = LedoitWolf().fit(vectors)
    means = np.zeros_like(vectors)
    for one in range(classes):
        means[features.labels == one] = vectors[features.labels == one].mean(axis=0)
    between = np.cov(means, rowvar=False, bias=True)
    shrunk = (1 - estimate.shrinkage_) * np.linalg.pinv(estimate.covariance_) @ between
    return float(np.trace(shrunk))


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
def test_logme_is_the_largest_evidence(n: int, d: int, classes: int) -> None:
    features = rows(n, d, classes)
    assert logme(features, classes) == pytest.approx(slow_logme(features, classes), abs=2e-4)


@pytest.mark.parametrize(("n", "d", "classes"), SHAPES)
def test_h_score_equals_the_dense_definition(n: int, d: int, classes: int) -> None:
    features = rows(n, d, classes)
    expected = slow_h_score(features, classes)
    assert expected > 0.1
    assert h_score(features, classes) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("score", [logme, h_score])
def test_classes_further_apart_score_higher(score: object) -> None:
    far, near, chance = (score(rows(90, 20, 3, apart), 3) for apart in (2.0, 0.5, 0.0))
    assert far > near > chance


@pytest.mark.parametrize("score", [logme, h_score])
def test_embeddings_that_are_all_the_same_have_a_finite_score(score: object) -> None:
    same = Features(np.full((6, 4), 0.5, "float32"), np.arange(6) % 2, list("abcdef"))
    assert np.isfinite(score(same, 2))


@pytest.mark.parametrize("score", [logme, h_score])
def test_a_class_without_rows_does_no_harm(score: object) -> None:
    assert np.isfinite(score(rows(40, 6, 2), 3))


@pytest.mark.parametrize("score", [logme, h_score])
def test_one_row_is_refused(score: object) -> None:
    with pytest.raises(DataError, match="two embeddings"):
        score(Features(np.ones((1, 3), "float32"), np.zeros(1, int), ["a"]), 1)
