"""Quality of a file (trap E5): counted right, refused above the limit, read back as written."""

from pathlib import Path

import numpy as np
import pytest

from tlkeras.errors import ExportError, ParityError
from tlkeras.export.formats.quality import Quality, check_drop, quality, read_quality


def test_shares_are_counted() -> None:
    expected = np.eye(4, dtype=np.float32)
    found = expected[[0, 1, 3, 3]]
    told = quality("test", expected, found, np.array([0, 1, 2, 2]))
    assert (told.before, told.after, told.agreement) == (0.75, 0.5, 0.75)
    assert told.largest_difference == 1.0
    assert told.drop == 0.25


def test_answers_that_are_no_numbers_agree_with_nothing() -> None:
    expected = np.array([[0.8, 0.2], [0.7, 0.3]])
    found = np.array([[np.nan, 0.2], [0.7, 0.3]])
    told = quality("test", expected, found, np.array([0, 0]))
    assert (told.agreement, told.after) == (0.5, 0.5)
    assert told.largest_difference == np.inf


def test_a_drop_of_just_the_limit_is_allowed() -> None:
    check_drop(Quality("test", 50, 0.96, 0.94, 0.98, 0.1), 0.02, "a.tflite")
    with pytest.raises(ParityError, match=r"no more than 0\.02 .*0\.960 before and 0\.920 after"):
        check_drop(Quality("test", 50, 0.96, 0.92, 0.98, 0.1), 0.02, "a.tflite")


def test_without_classes_labels_that_differ_are_the_drop() -> None:
    with pytest.raises(ParityError, match=r"90\.0 % of the labels agree"):
        check_drop(Quality("training", 50, None, None, 0.9, 0.1), 0.02, "a.tflite")


def test_unequal_shapes_are_told() -> None:
    with pytest.raises(ExportError, match=r"\(2, 3\) and \(2, 4\)"):
        quality("test", np.zeros((2, 3)), np.zeros((2, 4)))


def test_nothing_beside_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=r"a\.tflite\.parity\.json"):
        read_quality(tmp_path / "a.tflite")


def test_marks_are_counted_beside_the_labels() -> None:
    expected = np.array([[0.9, 0.1, 0.2], [0.2, 0.8, 1.4], [0.6, 0.4, 0.9], [0.1, 0.9, 3.0]])
    found = np.array([[0.8, 0.2, 0.4], [0.2, 0.8, 1.1], [0.6, 0.4, 1.1], [0.1, 0.9, np.nan]])
    told = quality("test", expected, found, classes=2)
    assert (told.agreement, told.unknown_agreement) == (1.0, 0.5)
    assert told.unknown_difference == np.inf
    assert "50.0 % of the marks" in str(told)
    assert quality("test", expected[:, :2], found[:, :2], classes=2).unknown_agreement is None
