"""Confident learning beside the paper's definition, written out in loops."""

import numpy as np
import pytest

from tlkeras.evaluation.suspects.confident import confident_class, confident_joint


def slow_joint(probabilities: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """Equation (1) of arXiv 1911.00068, counts only."""
    classes = probabilities.shape[1]
    thresholds = []
    for j in range(classes):
        own = [p[j] for p, label in zip(probabilities, labels, strict=True) if label == j]
        thresholds.append(sum(own) / len(own) if own else float("inf"))
    joint = [[0] * classes for _ in range(classes)]
    for p, label in zip(probabilities, labels, strict=True):
        able = [j for j in range(classes) if p[j] >= thresholds[j]]
        if able:
            joint[label][max(able, key=lambda j: p[j])] += 1
    return joint


@pytest.mark.parametrize("absent", [None, 2])
def test_joint_is_that_of_the_paper(absent: int | None) -> None:
    rng = np.random.default_rng(1)
    labels = rng.integers(0, 5, 203)
    labels[labels == absent] = 0
    scores = rng.normal(size=(203, 5)) + 1.5 * np.eye(5)[labels]
    probabilities = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    joint = confident_joint(probabilities, labels)
    assert joint.tolist() == slow_joint(probabilities, labels)
    assert 0 < np.trace(joint) < joint.sum()


def test_a_class_that_is_unsure_as_a_whole_is_not_suspected() -> None:
    # Of the second class every row gets 0.4: below one half, but as usual for it.
    probabilities = np.array([[0.9, 0.1]] * 6 + [[0.6, 0.4]] * 6)
    labels = np.array([0] * 6 + [1] * 6)
    assert confident_class(probabilities, labels).tolist() == [0] * 6 + [1] * 6
