"""Numbers against scikit-learn and SciPy."""

import numpy as np
import pytest
from sklearn import metrics as sk

from tlkeras.evaluation import Report, metrics


def test_accuracy_is_that_of_sklearn(report: Report) -> None:
    assert report.accuracy == pytest.approx(sk.accuracy_score(report.labels, report.predicted))


def test_confusion_matrix_is_that_of_sklearn(report: Report) -> None:
    expected = sk.confusion_matrix(report.labels, report.predicted, labels=range(5))
    assert report.confusion.shape == (5, 5)
    assert report.confusion.dtype == np.int64
    np.testing.assert_array_equal(report.confusion, expected)
    assert (report.confusion != report.confusion.T).any()


def test_class_scores_are_those_of_sklearn(report: Report) -> None:
    expected = sk.precision_recall_fscore_support(
        report.labels, report.predicted, labels=range(5), zero_division=0
    )
    found = [[s.precision, s.recall, s.f1, s.support] for s in report.per_class]
    np.testing.assert_allclose(np.transpose(found), expected, rtol=1e-12)


def test_macro_average_is_that_of_sklearn_over_the_classes_with_pictures(report: Report) -> None:
    precision, recall, f1, _ = sk.precision_recall_fscore_support(
        report.labels, report.predicted, labels=[0, 1, 2, 4], average="macro", zero_division=0
    )
    macro = report.macro
    np.testing.assert_allclose(
        [macro.precision, macro.recall, macro.f1], [precision, recall, f1], rtol=1e-12
    )
    assert macro.support == len(report)


def test_balanced_accuracy_is_the_mean_of_sklearns_recalls(report: Report) -> None:
    expected = sk.recall_score(
        report.labels, report.predicted, labels=[0, 1, 2, 4], average="macro"
    )
    assert report.balanced_accuracy == pytest.approx(expected)


def test_log_loss_is_that_of_sklearn(report: Report) -> None:
    # In float64, since sklearn divides by the row's sum.
    probabilities = report.probabilities.astype(np.float64)
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    expected = sk.log_loss(report.labels, probabilities, labels=range(5))
    assert metrics.log_loss(report.labels, probabilities) == pytest.approx(expected, rel=1e-9)
    assert report.log_loss == pytest.approx(expected, rel=1e-5)


def test_log_loss_of_a_certain_mistake_is_finite() -> None:
    loss = metrics.log_loss(np.array([0]), np.array([[0.0, 1.0]], np.float32))
    assert loss == pytest.approx(-np.log(np.finfo(np.float32).eps))


def test_shares_of_nothing_are_zero() -> None:
    scores = metrics.per_class(np.array([[0, 2], [0, 0]]), ["never right", "no pictures"])
    assert [(s.precision, s.recall, s.f1) for s in scores] == [(0, 0, 0), (0, 0, 0)]
