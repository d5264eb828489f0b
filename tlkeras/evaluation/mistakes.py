"""Which answers were wrong: single pictures, and pairs of classes taken for each other."""

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import nsmallest

import numpy as np


@dataclass(frozen=True)
class Mistake:
    """One picture and its answer; `index` is its row, probabilities are in [0, 1]."""

    name: str
    truth: str
    predicted: str
    probability: float
    probability_of_truth: float
    index: int


@dataclass(frozen=True)
class ConfusedPair:
    """`count` of the `support` pictures of class `truth` were taken for `predicted`."""

    truth: str
    predicted: str
    count: int
    support: int


def most_wrong(
    k: int,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    class_names: Sequence[str],
) -> list[Mistake]:
    """Up to `k` mistakes, the surest first; ties go by name, so that order never matters.

    >>> probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    >>> most_wrong(1, np.array([0, 0, 1]), probabilities, ["a", "b", "c"], ["cat", "dog"])[0].name
    'b'
    """
    wrong = np.flatnonzero(probabilities.argmax(axis=1) != labels)
    mistakes = [_answer(row, labels, probabilities, names, class_names) for row in wrong]
    mistakes.sort(key=lambda m: (-m.probability, m.probability_of_truth, m.name))
    return mistakes[: max(k, 0)]


def highest_losses(
    k: int,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    class_names: Sequence[str],
) -> list[Mistake]:
    """The `k` answers that gave their true class the least, right ones among them.

    >>> probabilities = np.array([[0.9, 0.1], [0.3, 0.7], [0.6, 0.4]])
    >>> labels, classes = np.array([0, 0, 1]), ["cat", "dog"]
    >>> [one.name for one in highest_losses(2, labels, probabilities, ["a", "b", "c"], classes)]
    ['b', 'c']
    """
    truth = probabilities[np.arange(len(labels)), labels]
    order = nsmallest(k, range(len(truth)), key=lambda row: (truth[row], names[row]))
    return [_answer(row, labels, probabilities, names, class_names) for row in order]


def _answer(
    row: int,
    labels: np.ndarray,
    probabilities: np.ndarray,
    names: Sequence[str],
    class_names: Sequence[str],
) -> Mistake:
    predicted = int(probabilities[row].argmax())
    return Mistake(
        name=names[row],
        truth=class_names[labels[row]],
        predicted=class_names[predicted],
        probability=float(probabilities[row, predicted]),
        probability_of_truth=float(probabilities[row, labels[row]]),
        index=int(row),
    )


def most_confused(k: int, confusion: np.ndarray, class_names: Sequence[str]) -> list[ConfusedPair]:
    """Up to `k` pairs with the most mistakes, from confusion (c, c) int, rows true.

    >>> most_confused(1, np.array([[3, 1], [2, 4]]), ["cat", "dog"])
    [ConfusedPair(truth='dog', predicted='cat', count=2, support=6)]
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[: max(k, 0)]
    cells = [(int(cell // len(wrong)), int(cell % len(wrong))) for cell in order]
    support = confusion.sum(axis=1)
    return [
        ConfusedPair(
            class_names[row], class_names[column], int(wrong[row, column]), int(support[row])
        )
        for row, column in cells
        if wrong[row, column]
    ]
