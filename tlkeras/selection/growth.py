"""Probes that grow: a linear head on more and more of the rows, judged on rows held out.

folds ─ each: the others, in chance order ─ 10, 25, 50, 100 % of them ─▶ head ─▶ held-out rows
                                             several draws of the small ones
"""

import time
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tlkeras.features.features import Features
from tlkeras.heads.head import cross_entropy
from tlkeras.heads.out_of_fold import deal
from tlkeras.heads.softmax_regression import SoftmaxRegression
from tlkeras.progress import Progress, silent

SHARES = (0.1, 0.25, 0.5, 1.0)
DRAWS = (3, 2, 1, 1)  # of each share in each fold: a small one depends more on chance
FOLDS = 5
STRENGTHS = tuple(10.0**power for power in (-3.5, -2.75, -2, -1.25))
TOLERANCE = 3e-3  # moves a held-out loss by less than the choice of the strength turns on
ROWS_TO_HOLD_OUT_ONCE = 4000  # of more, one fifth tells enough, and five fits take minutes


@dataclass(frozen=True)
class Growth:
    """What heads on so many rows got right of rows they had not seen.

    Attributes:
        pictures: (k,) float64, how many rows the heads of each step were trained on.
        right: k arrays (draws, n) bool, one row a draw, one column a judged row.
        rows: (n,) int64, the judged rows.
        labels: (n,) int64, their classes.
        seconds: what it took.
    """

    pictures: np.ndarray
    right: tuple[np.ndarray, ...]
    rows: np.ndarray
    labels: np.ndarray
    seconds: float

    @property
    def mistakes(self) -> np.ndarray:
        """Share of mistakes (k,) float64, the mean over draws and judged rows."""
        return 1 - np.array([float(each.mean()) for each in self.right])


def grow(
    features: Features,
    classes: int,
    *,
    shares: Sequence[float] = SHARES,
    draws: Sequence[int] = DRAWS,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    progress: Progress = silent,
) -> Growth:
    """What linear heads on a growing share of the rows get right, every class growing alike.

    Every row is held out once; of more than 4,000 rows one fifth is. All heads of one share
    have the strength with the lowest held-out cross-entropy, as in `out_of_fold`.

    Args:
        features: embeddings (n, d) with labels and ids.
        classes: number of classes.
        shares: of the rows that are not held out, ascending, the last one 1.
        draws: how many heads of each share are trained in each fold.
        seed: decides folds and draws.
        groups: (n,) rows with the same value stay in one fold; `features.ids` when None.
        progress: told about every head.

    Raises:
        DataError: fewer than two different pictures.

    Example::

        growth = grow(features, classes=10)
        growth.pictures, growth.mistakes       # (4,), (4,)
    """
    begun = time.monotonic()
    labels = np.asarray(features.labels)
    fold_of = deal(labels, features.ids if groups is None else groups, FOLDS, seed)
    folds = 1 if len(labels) > ROWS_TO_HOLD_OUT_ONCE else int(fold_of.max()) + 1
    tests = [np.flatnonzero(fold_of == fold) for fold in range(folds)]
    judged = np.concatenate(tests)
    orders = [
        [in_chance_order(labels, np.flatnonzero(fold_of != fold), (seed, fold, draw))
         for draw in range(max(draws))]
        for fold in range(folds)
    ]  # fmt: skip
    done, total = 0, folds * sum(draws)
    pictures, right = [], []
    for share, count in zip(shares, draws, strict=True):
        answers = np.empty((len(STRENGTHS), count, len(judged), classes), "float32")
        trained = []
        for draw in range(count):
            start = 0
            for test, own in zip(tests, orders, strict=True):
                rows = own[draw][: max(classes, round(share * len(own[draw])))]
                here = slice(start, start + len(test))
                answers[:, draw, here] = _path(features, rows, test, classes)
                trained.append(len(rows))
                start += len(test)
                done += 1
                progress("probes on more and more pictures", done, total)
        pictures.append(float(np.mean(trained)))
        right.append(_right(answers, labels[judged]))
    seconds = time.monotonic() - begun
    return Growth(np.array(pictures), tuple(right), judged, labels[judged], seconds)


def in_chance_order(labels: np.ndarray, rows: np.ndarray, seed: tuple[int, ...]) -> np.ndarray:
    """The rows in an order of which each start has every class in proportion, one at least.

    >>> in_chance_order(np.array([0, 0, 0, 0, 1, 1]), np.arange(6), seed=(0,)).tolist()
    [3, 5, 2, 0, 4, 1]
    """
    shuffled = np.random.default_rng(seed).permutation(rows)
    own = labels[shuffled]
    counts = np.bincount(own)
    by_class = np.argsort(own, kind="stable")
    rank = np.empty(len(own))
    rank[by_class] = np.arange(len(own)) - np.repeat(counts.cumsum() - counts, counts)
    first = np.where(rank == 0, -1.0, (rank + 0.5) / counts[own])
    return shuffled[np.argsort(first, kind="stable")]


def _path(features: Features, rows: np.ndarray, test: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities (strengths, len(test), classes) of heads trained on the rows."""
    problem = SoftmaxRegression(features.vectors[rows], features.labels[rows], classes)
    held_out = features.vectors[test]
    return np.stack(
        [problem.solve(strength, TOLERANCE).probabilities(held_out) for strength in STRENGTHS]
    )


def _right(answers: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which rows (draws, n) the best strength gets right; answers (strengths, draws, n, c)."""
    losses = [cross_entropy(each.reshape(-1, each.shape[-1]), np.tile(labels, len(each)))
              for each in answers]  # fmt: skip
    return answers[int(np.argmin(losses))].argmax(axis=-1) == labels
