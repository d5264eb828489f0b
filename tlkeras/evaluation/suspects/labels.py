"""Labels that the other rows speak against, and how far down the list wrong ones stand.

rows ─┬─ out-of-fold linear head ─┐
      └─ nearest neighbours ──────┴─▶ likelihood of each class ─▶ odds against the given label
the same with some labels changed at random ─▶ from which odds on to look
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tlkeras.errors import DataError
from tlkeras.evaluation.suspects.confident import confident_class
from tlkeras.evaluation.suspects.nearest import nearest
from tlkeras.features.features import Features
from tlkeras.heads.out_of_fold import out_of_fold

STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1)  # finer steps change no ranking, and cost as much again
NEIGHBOURS = 10
VOTE = 0.3  # what all neighbours together count, the linear head counting 1
FLOOR = 0.01  # added to both sides of the odds: below it the likelihoods are noise
LISTED = 0.8  # of the labels changed for a trial, so many stand in the list
SHORT = 20  # pictures are looked at quickly: a shorter list goes on while the odds are above 1
CHANGED = 0.05  # of all labels are changed in a trial
MOST_TRIALS, ENOUGH_CHANGED = 3, 40
FEWEST_ROWS = 20


@dataclass(frozen=True, eq=False)
class Doubts:
    """How far the other rows speak against the labels of n rows.

    Attributes:
        given: (n,) int64, the labels.
        suggested: (n,) int64, the likeliest other class.
        likelihood: (n, c) float32 in [0, 1], of each class by head and neighbours.
        odds: (n,) float32, how many times likelier the suggested class is than the given one.
        confident: (n,) bool, whether confident learning finds the label wrong as well.
        threshold: odds from which a row is listed; never below 1.
        changed: how many labels were changed at random to find the threshold.
        recovered: how many of these stood at or above it.
    """

    given: np.ndarray
    suggested: np.ndarray
    likelihood: np.ndarray
    odds: np.ndarray
    confident: np.ndarray
    threshold: float = 1.0
    changed: int = 0
    recovered: int = 0

    @property
    def ranking(self) -> np.ndarray:
        """All rows int64 (n,), the one whose label is doubted most first."""
        return np.argsort(-self.odds, kind="stable")

    @property
    def listed(self) -> np.ndarray:
        """Rows int64 (k,) that deserve a look, the one that is doubted most first."""
        return self.ranking[: int((self.odds >= self.threshold).sum())]


def doubt(
    features: Features,
    classes: int,
    *,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
) -> Doubts:
    """How likely each label is wrong, by the rows that had no part in judging it.

    A linear head answers for rows that it was not trained on; the ten nearest rows vote beside
    it. Where to stop reading the ranking is tried out: some labels are changed at random, and
    the list is as long as it must be to hold four in five of them. Wrong labels that are
    not random, such as those of two classes that people confuse, are harder to find.

    Args:
        features: embeddings (n, d) with labels and ids.
        classes: number of classes.
        seed: decides the folds and which labels are changed for the trial.
        groups: (n,) rows with the same value, such as copies, do not judge each other; `ids`
            when None.

    Raises:
        DataError: fewer than twenty rows, or of fewer than two classes.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> vectors = (rng.normal(size=(60, 4)) + [[4, 0, 0, 0]] * (labels[:, None] * 2 - 1))
    >>> labels[7] = 0                                                 # it was a 1
    >>> features = Features(vectors.astype("float32"), labels, [str(row) for row in range(60)])
    >>> found = doubt(features, classes=2)
    >>> int(found.ranking[0]), int(found.suggested[7])
    (7, 1)
    """
    labels = np.asarray(features.labels, np.int64)
    if len(labels) < FEWEST_ROWS or len(np.unique(labels)) < 2:
        raise DataError(
            f"Labels can be judged from {FEWEST_ROWS} pictures of two classes on. Received: "
            f"{len(labels)} of {len(np.unique(labels))}. Add pictures."
        )
    together = features.ids if groups is None else groups
    neighbours, _ = nearest(features.vectors, NEIGHBOURS, together)
    found = _judged(features, labels, neighbours, classes, together, seed)
    odds = _of_changed(features, labels, neighbours, classes, together, seed)
    quick = float(np.partition(found.odds, -SHORT)[-SHORT])
    threshold = min(quick, float(np.quantile(odds, 1 - LISTED, method="lower")))
    threshold = max(1.0, threshold)
    return replace(
        found,
        threshold=threshold,
        changed=len(odds),
        recovered=int((odds >= threshold).sum()),
    )


def _judged(
    features: Features,
    labels: np.ndarray,
    neighbours: np.ndarray,
    classes: int,
    groups: Sequence[Hashable],
    seed: int,
) -> Doubts:
    rows = np.arange(len(labels))
    relabelled = Features(features.vectors, labels, features.ids)
    answers = out_of_fold(relabelled, classes, seed=seed, strengths=STRENGTHS, groups=groups)
    likelihood = (answers + VOTE * _votes(neighbours, labels, classes)) / (1 + VOTE)
    others = likelihood.copy()
    others[rows, labels] = -1.0
    suggested = others.argmax(axis=1)
    odds = (likelihood[rows, suggested] + FLOOR) / (likelihood[rows, labels] + FLOOR)
    sure = confident_class(answers, labels)
    return Doubts(labels, suggested, likelihood, odds, (sure >= 0) & (sure != labels))


def _of_changed(
    features: Features,
    labels: np.ndarray,
    neighbours: np.ndarray,
    classes: int,
    groups: Sequence[Hashable],
    seed: int,
) -> np.ndarray:
    """Odds (k,) of rows whose labels were changed at random, each row's own group as a whole."""
    rng = np.random.default_rng([seed, len(labels)])
    count = max(1, round(CHANGED * len(labels)))
    odds = []
    for trial in range(min(MOST_TRIALS, math.ceil(ENOUGH_CHANGED / count))):
        rows = rng.choice(len(labels), count, replace=False)
        changed = labels.copy()
        changed[rows] = (labels[rows] + rng.integers(1, classes, count)) % classes
        judged = _judged(features, changed, neighbours, classes, groups, seed + 1 + trial)
        odds.append(judged.odds[rows])
    return np.concatenate(odds)


def _votes(neighbours: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Share (n, c) float32 of each class among the neighbours (n, k); -1 is nobody."""
    votes = np.zeros((len(neighbours), classes), np.float32)
    rows, columns = np.nonzero(neighbours >= 0)
    np.add.at(votes, (rows, labels[neighbours[rows, columns]]), 1.0)
    return votes / np.maximum(votes.sum(axis=1, keepdims=True), 1.0)
