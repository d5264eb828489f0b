"""Answers of heads that had not seen the rows they answer for: every row is held out once.

rows ─ k folds, copies together, classes spread evenly
    each fold: a linear head on the others answers for it      one strength for all folds
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Protocol

import numpy as np

from tlkeras.data.duplicates import codes
from tlkeras.errors import DataError
from tlkeras.heads.head import cross_entropy
from tlkeras.heads.softmax_regression import SoftmaxRegression
from tlkeras.heads.table import Table

FIRST = 1e-2  # the strength that is tried first
STRENGTHS = tuple(10.0**power for power in (-4, -3.5, -3, -2.5, -2, -1.5, -1, -0.5))
TOLERANCE = 1e-3  # moves a held-out loss by less than the choice of the strength turns on
COPIED_BYTES = 2**26  # a larger table is not copied for each fold; its held-out rows count 0


class Rows(Protocol):
    """Embeddings that are held out in turn, such as `Features`.

    Attributes:
        vectors: (n, d) float32.
        labels: (n,) int class indices.
        ids: (n,) the picture each row belongs to; rows with one id stay in one fold.
    """

    @property
    def vectors(self) -> np.ndarray: ...  # noqa: D102
    @property
    def labels(self) -> np.ndarray: ...  # noqa: D102
    @property
    def ids(self) -> Sequence[str]: ...  # noqa: D102


def out_of_fold(
    features: Rows,
    classes: int,
    *,
    folds: int = 5,
    seed: int = 0,
    strengths: Sequence[float] = STRENGTHS,
    groups: Sequence[Hashable] | None = None,
) -> np.ndarray:
    """Probabilities (n, classes) float32, each row's from a linear head that had not seen it.

    All folds share the strength C with the lowest held-out cross-entropy. That one number is
    chosen on the same rows, so a figure made of the answers is better than the truth by no more
    than the choice among a few strengths can make it.

    Args:
        features: embeddings (n, d) with labels and ids.
        classes: number of classes; one without rows gets probabilities near zero.
        folds: parts the rows are dealt into; fewer where there are fewer pictures.
        seed: decides which rows share a fold.
        strengths: values of C to try; the search goes on from 0.01 while the loss falls.
        groups: (n,) rows with the same value stay in one fold; `features.ids` when None.

    Raises:
        DataError: fewer than two pictures or fewer than two folds.

    >>> from types import SimpleNamespace
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(40) % 2
    >>> vectors = (rng.normal(size=(40, 3)) + 4 * labels[:, None]).astype("float32")
    >>> rows = SimpleNamespace(vectors=vectors, labels=labels, ids=[str(i) for i in range(40)])
    >>> probabilities = out_of_fold(rows, classes=2)
    >>> probabilities.shape, float((probabilities.argmax(axis=1) == labels).mean())
    ((40, 2), 1.0)
    """
    labels = np.asarray(features.labels)
    fold_of = deal(labels, features.ids if groups is None else groups, folds, seed)
    table = Table(features.vectors)
    tests = [np.flatnonzero(fold_of == fold) for fold in range(int(fold_of.max()) + 1)]
    problems = [_without(table, labels, fold_of == fold, classes) for fold in range(len(tests))]

    def held_out(strength: float) -> tuple[float, np.ndarray]:
        answers = np.empty((len(labels), classes), "float32")
        for problem, test in zip(problems, tests, strict=True):
            affine = problem.solve(strength, TOLERANCE).affine  # from its last solution on
            for some in np.array_split(test, -(-len(test) // table.block_rows)):
                answers[some] = affine(table.take(some))
        return cross_entropy(answers, labels), answers

    return _downhill(sorted(strengths), held_out)


def _downhill(
    strengths: Sequence[float], held_out: Callable[[float], tuple[float, np.ndarray]]
) -> np.ndarray:
    """The answers with the lowest loss: from the middle upwards while it falls, or downwards."""
    start = place = int(np.argmin(np.abs(np.log(np.array(strengths) / FIRST))))
    least, best = held_out(strengths[start])
    for step in (1, -1):
        while 0 <= place + step < len(strengths):
            loss, answers = held_out(strengths[place + step])
            if loss >= least:
                break
            place, least, best = place + step, loss, answers
        if place != start:
            break
    return best


def deal(
    labels: np.ndarray, groups: Sequence[Hashable], folds: int = 5, seed: int = 0
) -> np.ndarray:
    """The fold (n,) int64 of each row: groups stay whole, classes are spread evenly.

    >>> deal(np.array([0, 0, 0, 1, 1, 1]), ["a", "b", "b", "c", "d", "e"], folds=2).tolist()
    [1, 0, 0, 0, 0, 1]
    """
    group_of = codes(list(groups))
    different = int(group_of.max(initial=-1)) + 1
    if different < 2 or folds < 2:
        raise DataError(
            "Holding rows out needs two folds and two different pictures or more. "
            f"Received: folds={folds} and {different} different pictures. Add pictures."
        )
    sizes = np.bincount(group_of)
    class_of = np.empty(len(sizes), "int64")
    class_of[group_of[::-1]] = labels[::-1]  # of a group's first row
    chance = np.random.default_rng(seed).permutation(len(sizes))
    # The dealer goes on from class to class, so that the folds are of one size, too.
    order = np.lexsort([chance, -sizes, class_of])
    fold_of = np.empty(len(sizes), "int64")
    fold_of[order] = np.arange(len(sizes)) % min(folds, len(sizes))
    return fold_of[group_of]


def _without(
    table: Table, labels: np.ndarray, held_out: np.ndarray, classes: int
) -> SoftmaxRegression:
    if 4 * np.prod(table.shape) > COPIED_BYTES:
        return SoftmaxRegression(table, labels, classes, (~held_out).astype("float64"))
    rest = np.flatnonzero(~held_out)
    return SoftmaxRegression(table.take(rest), labels[rest], classes)
