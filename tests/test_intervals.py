"""Intervals against SciPy's."""

import numpy as np
import pytest
from scipy.stats import binomtest

from tlkeras.errors import DataError
from tlkeras.intervals import mcnemar_p, paired_interval, pictures_needed, wilson_interval


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 30), (28, 30), (30, 30), (5, 9)])
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_wilson_interval_is_that_of_scipy(correct: int, n: int, confidence: float) -> None:
    expected = binomtest(correct, n).proportion_ci(confidence, method="wilson")
    found = wilson_interval(correct, n, confidence)
    np.testing.assert_allclose(found, (expected.low, expected.high), atol=1e-12)


@pytest.mark.parametrize(("correct", "n", "confidence"), [(0, 0, 0.95), (3, 2, 0.95), (1, 2, 95)])
def test_wilson_interval_refuses_what_cannot_be(correct: int, n: int, confidence: float) -> None:
    with pytest.raises(DataError, match="received"):
        wilson_interval(correct, n, confidence)


@pytest.mark.parametrize(("only_first", "only_second"), [(0, 0), (0, 1), (7, 4), (30, 12), (2, 90)])
def test_mcnemar_p_is_the_share_of_fair_coin_sequences_as_uneven(
    only_first: int, only_second: int
) -> None:
    n = only_first + only_second
    expected = binomtest(only_first, n).pvalue if n else 1.0
    assert mcnemar_p(only_first, only_second) == pytest.approx(expected, rel=1e-9)
    assert mcnemar_p(only_second, only_first) == mcnemar_p(only_first, only_second)


def test_mcnemar_p_counts_every_sequence_of_coins() -> None:
    heads = np.array([bin(number).count("1") for number in range(2**11)])
    assert mcnemar_p(2, 9) == pytest.approx(np.mean(np.abs(heads - 5.5) >= 3.5))


def test_mcnemar_p_of_thousands_of_disagreements_is_a_number() -> None:
    assert mcnemar_p(1000, 1100) == pytest.approx(binomtest(1000, 2100).pvalue, rel=1e-9)


@pytest.mark.parametrize(("first", "second", "n"), [(0.03, 0.10, 120), (0.0, 0.02, 150)])
def test_paired_interval_holds_the_true_difference_as_often_as_it_says(
    first: float, second: float, n: int
) -> None:
    drawn = np.random.default_rng(0).multinomial(n, [first, second, 1 - first - second], 4000)
    intervals = [paired_interval(a, b, n) for a, b, _ in drawn.tolist()]
    held = np.mean([low <= second - first <= high for low, high in intervals])
    assert 0.935 <= held <= 1.0


def test_that_many_pictures_show_the_difference_four_times_of_five() -> None:
    needed = pictures_needed(4, 7, 120)
    assert needed is not None
    drawn = np.random.default_rng(1).multinomial(needed, [4 / 120, 7 / 120, 109 / 120], 2000)
    found = np.mean([mcnemar_p(a, b) < 0.05 for a, b, _ in drawn.tolist()])
    assert 0.74 <= found <= 0.84  # the exact test is a little more careful than its formula


def test_five_disagreements_are_never_said_to_be_enough() -> None:
    needed = pictures_needed(0, 5, 5)
    assert needed is not None
    assert mcnemar_p(0, needed) < 0.05


def test_no_number_of_pictures_shows_a_difference_that_is_none() -> None:
    assert pictures_needed(3, 3, 50) is None
    assert pictures_needed(0, 0, 50) is None


@pytest.mark.parametrize("counts", [(-1, 2, 50), (3, 4, 6), (0, 0, 0)])
def test_paired_counts_that_cannot_be_are_refused(counts: tuple[int, int, int]) -> None:
    with pytest.raises(DataError, match="received"):
        paired_interval(*counts)
