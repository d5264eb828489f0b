"""What goes in is checked, and stays together."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tlkeras.errors import DataError
from tlkeras.evaluation import Report

CLASSES = ("cat", "dog", "emu")
GOOD = [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]]


def test_accuracy_is_the_trace_of_the_confusion_matrix(report: Report) -> None:
    """D7."""
    assert report.accuracy == np.trace(report.confusion) / len(report)
    assert report.confusion.sum() == len(report)


def test_shuffled_rows_give_the_same_answer_for_every_name(report: Report) -> None:
    """D7."""
    order = np.random.default_rng(3).permutation(len(report))
    shuffled = Report(
        report.class_names,
        report.labels[order],
        report.probabilities[order],
        tuple(report.names[row] for row in order),
    )
    assert shuffled.names != report.names
    assert dict(zip(shuffled.names, shuffled.predicted, strict=True)) == dict(
        zip(report.names, report.predicted, strict=True)
    )
    np.testing.assert_array_equal(shuffled.confusion, report.confusion)
    by_name = [(m.name, m.truth, m.predicted, m.probability) for m in report.worst(20)]
    assert [(m.name, m.truth, m.predicted, m.probability) for m in shuffled.worst(20)] == by_name


def test_a_mistake_points_to_its_row(report: Report) -> None:
    for mistake in report.worst(5):
        row = mistake.index
        assert report.names[row] == mistake.name
        assert report.class_names[report.labels[row]] == mistake.truth
        assert report.class_names[report.predicted[row]] == mistake.predicted
        assert report.probabilities[row].max() == np.float32(mistake.probability)
        assert report.probabilities[row, report.labels[row]] == np.float32(
            mistake.probability_of_truth
        )


def test_mistakes_come_surest_first_and_only_mistakes(report: Report) -> None:
    mistakes = report.worst(1000)
    assert len(mistakes) == len(report) - report.correct
    chances = [mistake.probability for mistake in mistakes]
    assert chances == sorted(chances, reverse=True)


def test_highest_losses_come_first_and_hold_right_answers_too(report: Report) -> None:
    losses = -np.log(report.probabilities[np.arange(len(report)), report.labels])
    found = report.top_losses(10)
    assert [one.index for one in found] == np.argsort(-losses, kind="stable")[:10].tolist()
    assert {one.truth == one.predicted for one in report.top_losses(1000)} == {True, False}


def test_recall_intervals_are_those_of_each_class_alone(report: Report) -> None:
    for label, interval in enumerate(report.recall_intervals):
        own = report.labels == label
        if not own.any():
            assert interval is None
            continue
        expected = binomtest(
            int((report.predicted[own] == label).sum()), int(own.sum())
        ).proportion_ci(method="wilson")
        np.testing.assert_allclose(interval, (expected.low, expected.high), atol=1e-12)


def test_class_without_pictures_has_support_zero_and_is_left_out_of_the_mean(
    report: Report,
) -> None:
    lily = report.per_class[3]
    assert (lily.name, lily.support, lily.recall) == ("lily", 0, 0.0)
    present = [score.recall for score in report.per_class if score.support]
    assert report.balanced_accuracy == pytest.approx(np.mean(present))


def test_perfect_score_has_no_mistakes_and_an_interval_below_one() -> None:
    report = Report(("cat", "dog"), [0, 1, 1], np.eye(2)[[0, 1, 1]])
    assert report.accuracy == 1
    assert report.interval[0] == pytest.approx(0.4385, abs=1e-4)
    assert report.interval[1] == 1
    assert (report.worst(), report.confused()) == ([], [])


def test_one_picture_is_enough() -> None:
    report = Report(CLASSES, [1], [[0.2, 0.5, 0.3]])
    assert (report.accuracy, len(report), report.baseline) == (1.0, 1, ("dog", 1.0))


def test_a_tie_goes_to_the_first_class() -> None:
    assert Report(("cat", "dog"), [1], [[0.5, 0.5]]).predicted.tolist() == [0]


@pytest.mark.parametrize(
    ("sure", "reliability"), [(0.99, "overconfident"), (0.51, "underconfident"), (0.8, "honest")]
)
def test_reliability_compares_confidence_with_accuracy(sure: float, reliability: str) -> None:
    labels = np.repeat([0, 1], [80, 20])
    report = Report(("cat", "dog"), labels, np.tile([sure, 1 - sure], (100, 1)))
    assert report.reliability == reliability


def test_arrays_are_copies_that_cannot_be_changed() -> None:
    labels = np.array([0, 1])
    report = Report(CLASSES, labels, GOOD)
    labels[0] = 2
    assert report.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match="read-only"):
        report.probabilities[0, 0] = 1


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([], np.zeros((0, 3)), r"at least one labelled picture.*received none.*test folder"),
        ([0, 3], GOOD, r"within 0 … 2; received 3 in row 1"),
        ([0, -1], GOOD, r"within 0 … 2; received -1 in row 1"),
        ([0.0, 1.0], GOOD, r"integer dtype; received shape \(2,\), dtype float64"),
        (np.eye(3, dtype=int)[:2], GOOD, r"received shape \(2, 3\).*argmax"),
        ([0, 1, 2], GOOD, r"shape \(3, 3\).*received \(2, 3\)"),
        ([0, 1], [[0.7, 0.3]] * 2, r"shape \(2, 3\).*received \(2, 2\)"),
        ([0, 1], [[0.7, 0.2, 0.1], [0.2, np.nan, 0.3]], r"finite.*nan.*in row 1 \(1 such rows"),
        ([0, 1], [[0.7, 0.2, 0.1], [np.inf, 0, 0]], r"finite.*inf"),
        ([0, 1], [[0.7, 0.2, 0.1], [2.5, -1, -0.5]], r"\[0, 1\].*softmax"),
        ([0, 1], [[0.7, 0.2, 0.1], [0.2, 0.5, 0.302]], r"add to 1 within 0.001.*row 1"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(
    labels: list[int], probabilities: list[list[float]], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Report(CLASSES, labels, probabilities)


def test_rows_that_add_to_nearly_one_are_taken() -> None:
    Report(CLASSES, [0, 1], [[0.7, 0.2, 0.1], [0.2, 0.5, 0.3009]])


@pytest.mark.parametrize(
    ("names", "message"),
    [(("cat",), "at least 2"), (("cat", "dog", "cat"), "more than once: cat"), ("cat", "text")],
)
def test_class_names_are_checked(names: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Report(names, [0, 1], GOOD)


def test_names_must_be_one_a_row() -> None:
    with pytest.raises(DataError, match="2 labels; received 1 names"):
        Report(CLASSES, [0, 1], GOOD, ("a.jpg",))
