"""Numbers that say how good a classifier's answers are, from labels and predictions alone.

A share with nothing under the line is 0: precision of a class never predicted, recall of a
class without pictures, F1 when both are 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ClassScore:
    """How one class fared; `support` is the number of its pictures."""

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """Share of right answers in [0, 1]; both arrays (n,) int.

    >>> accuracy(np.array([0, 1, 2, 1]), np.array([0, 1, 1, 1]))
    0.75
    """
    return float(np.mean(np.asarray(labels) == np.asarray(predicted)))


def confusion_matrix(labels: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """Counts (classes, classes) int64; the row is the true class, the column the answer.

    >>> confusion_matrix(np.array([0, 1, 2, 1]), np.array([0, 1, 1, 1]), classes=3)
    array([[1, 0, 0],
           [0, 2, 0],
           [0, 1, 0]])
    """
    cell = np.asarray(labels, np.int64) * classes + np.asarray(predicted, np.int64)
    return np.bincount(cell, minlength=classes * classes).reshape(classes, classes)


def per_class(confusion: np.ndarray, class_names: Sequence[str]) -> tuple[ClassScore, ...]:
    """Precision, recall, F1 and support of every class, in the order of `class_names`.

    >>> per_class(np.array([[3, 1], [0, 4]]), ["daisy", "rose"])[1]
    ClassScore(name='rose', precision=0.8, recall=1.0, f1=0.888888888888889, support=4)
    """
    right = np.diag(confusion).astype(np.float64)
    support, answers = confusion.sum(axis=1), confusion.sum(axis=0)
    precision, recall = _share(right, answers), _share(right, support)
    f1 = _share(2 * precision * recall, precision + recall)
    columns = zip(class_names, precision, recall, f1, support, strict=True)
    return tuple(ClassScore(n, float(p), float(r), float(f), int(s)) for n, p, r, f, s in columns)


def macro_average(scores: Sequence[ClassScore]) -> ClassScore:
    """Plain mean over the classes that have pictures; `support` is the sum.

    A class without pictures has no recall to average: it is left out, not counted as 0.

    >>> macro_average(per_class(np.array([[3, 1], [0, 4]]), ["daisy", "rose"])).recall
    0.875
    """
    present = [score for score in scores if score.support]
    precision, recall, f1 = np.mean([[s.precision, s.recall, s.f1] for s in present], axis=0)
    total = sum(score.support for score in present)
    return ClassScore("macro average", float(precision), float(recall), float(f1), total)


def balanced_accuracy(confusion: np.ndarray) -> float:
    """Mean recall over the classes that have pictures, in [0, 1].

    >>> balanced_accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    support = confusion.sum(axis=1)
    return float(np.mean(_share(np.diag(confusion), support)[support > 0]))


def log_loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean of -ln p(true class) in nats, for labels (n,) int and probabilities (n, c) float.

    Probabilities are kept one machine epsilon of their dtype away from 0 and 1.

    >>> round(log_loss(np.array([0, 1]), np.array([[0.5, 0.5], [0.2, 0.8]])), 4)
    0.4581
    """
    probabilities = np.asarray(probabilities)
    eps = float(np.finfo(probabilities.dtype).eps)
    of_truth = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.mean(np.log(np.clip(of_truth, eps, 1 - eps))))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Give part / whole (c,) float64, and 0 where whole is 0."""
    part = np.asarray(part, np.float64)
    return np.divide(part, whole, out=np.zeros_like(part), where=np.asarray(whole) > 0)
