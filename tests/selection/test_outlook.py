"""What is foretold, on pictures whose true law is known."""

import numpy as np
import pytest

from tlkeras.selection.growth import Growth
from tlkeras.selection.outlook import Estimate, outlooks

SIZES = np.array([32.0, 80, 160, 320])
DRAWS = (3, 2, 1, 1)


def measured(
    floor: float, scale: float, rate: float, seed: int, n: int = 400, sizes: np.ndarray = SIZES
) -> Growth:
    """Rows that are right with the chance that the law gives, harder rows more rarely."""
    rng = np.random.default_rng(seed)
    hardness = rng.uniform(size=n)
    right = []
    for size, draws in zip(sizes, DRAWS, strict=True):
        mistakes = floor + scale * size**-rate
        noisy = hardness + rng.normal(0, 0.15, (draws, n))
        right.append(noisy < np.quantile(noisy, 1 - mistakes))
    # Which rows come up is chance too.
    rows = rng.integers(0, n, n)
    return Growth(sizes, tuple(r[:, rows] for r in right), rows, np.arange(n) % 2, 0.0)


@pytest.mark.parametrize(
    ("floor", "scale", "rate"), [(0.05, 1.5, 0.4), (0.0, 1.2, 0.3), (0.2, 6, 1.0)]
)
def test_interval_holds_the_true_accuracy_about_as_often_as_it_says(
    floor: float, scale: float, rate: float
) -> None:
    truth = 1 - (floor + scale * 800**-rate)
    held = 0
    for seed in range(60):
        found = outlooks(measured(floor, scale, rate, seed), 2, 400, seed=seed)[0].accuracy(800)
        held += found.low <= truth <= found.high
    assert held >= 39  # 48 are meant; a law through four points is somewhat too sure


def test_flat_mistakes_promise_nothing() -> None:
    overall, _ = outlooks(measured(0.25, 0.0, 0.5, 1), 2, 400)
    assert overall.gain(2).low < 0.005
    assert overall.more_for(0.05).high == np.inf


def test_falling_mistakes_promise_a_gain() -> None:
    overall, per_class = outlooks(measured(0.02, 2.0, 0.4, 2), 2, 400)
    assert overall.gain(2).low > 0.01
    more = overall.more_for(0.03)
    assert 50 < more.low <= more.about <= more.high
    assert all(each is not None and each.gain(2).low > 0.0 for each in per_class)


def test_class_without_rows_has_no_outlook() -> None:
    growth = measured(0.05, 1.5, 0.4, 3)
    _, per_class = outlooks(growth, 3, 400)
    assert per_class[2] is None
    assert per_class[0] is not None


def test_infinity_becomes_none_in_json() -> None:
    assert Estimate(3.0, 1.0, np.inf).to_dict() == {"about": 3.0, "low": 1.0, "high": None}
