"""How many pictures fit into some minutes, and which they are."""

import time

import numpy as np
import pytest

from tlkeras.errors import DataError
from tlkeras.tasks.choosing.budget import FEWEST, RESERVE, Budget, spread


def test_without_minutes_all_pictures_are_taken() -> None:
    assert Budget(None).pictures(10_000, 1e6) == 10_000
    assert Budget(None).is_over is False
    assert Budget(None).line(400, 400) == ""


def test_pictures_fill_the_time_that_is_left() -> None:
    # Beside the fewest, which were embedded already, 60 s x 0.9 at 0.5 s each.
    assert Budget(1).pictures(10_000, 0.5) == pytest.approx(FEWEST + 60 * RESERVE / 0.5, abs=1)
    assert Budget(1).pictures(80, 0.5) == 80


def test_a_budget_that_is_over_leaves_the_fewest(monkeypatch: pytest.MonkeyPatch) -> None:
    budget = Budget(1)
    later = time.monotonic() + 180
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert budget.is_over
    assert budget.pictures(10_000, 0.5) == FEWEST
    assert "2.0 minutes more than the 1 given" in budget.line(FEWEST, 10_000)


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_minutes_that_are_none_are_refused(minutes: float) -> None:
    with pytest.raises(DataError, match="minutes is expected above 0"):
        Budget(minutes)


def test_any_beginning_has_each_class_in_its_share() -> None:
    labels = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [60, 30, 10]))
    order = spread(labels, seed=1)
    assert sorted(order.tolist()) == list(range(100))
    for count in (10, 30, 55):
        counts = np.bincount(labels[order[:count]], minlength=3)
        np.testing.assert_allclose(counts, count * np.array([0.6, 0.3, 0.1]), atol=1)


def test_the_first_of_each_class_comes_before_the_second_of_any() -> None:
    labels = np.repeat(np.arange(5), [50, 1, 9, 3, 20])
    assert set(labels[spread(labels)[:5]].tolist()) == {0, 1, 2, 3, 4}


def test_the_order_depends_on_the_seed_alone() -> None:
    labels = np.arange(40) % 4
    np.testing.assert_array_equal(spread(labels, 3), spread(labels, 3))
    assert (spread(labels, 3) != spread(labels, 4)).any()
