"""Answers of made-up classifiers."""

from collections.abc import Callable

import numpy as np
import pytest

from tlkeras.evaluation import Report


def made_up(classes: int, n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels (n,) and probabilities (n, classes) float32 that are right about half the time."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    scores = rng.normal(0, 1, (n, classes))
    scores[np.arange(n), labels] += 1.5
    odds = np.exp(scores)
    return labels, (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="session")
def answers() -> Callable[[int, int], tuple[np.ndarray, np.ndarray]]:
    """Gives labels and probabilities for a number of classes and of rows."""
    return made_up


@pytest.fixture(scope="session")
def report() -> Report:
    """Five classes, of which "lily" has no pictures, 83 rows."""
    labels, probabilities = made_up(5, 97)
    kept = labels != 3
    names = [f"test/{row:03}.jpg" for row in np.flatnonzero(kept)]
    classes = ("daisy", "iris", "rose", "lily", "a very long class name, indoors")
    return Report(classes, labels[kept], probabilities[kept], tuple(names), "Flowers")
