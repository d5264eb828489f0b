"""One number for all probabilities: found, bounded by what the rows can tell, order kept."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tlkeras.heads.temperature import LEAST, MOST, fit_temperature, tempered


def drawn(
    rows: int, factor: float, seed: int = 0, classes: int = 4
) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from honest probabilities, and these with logits multiplied by a factor."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (rows, classes))
    honest = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    labels = (honest.cumsum(1) < rng.random((rows, 1))).sum(1)
    return tempered(honest, 1 / factor), labels


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_best_temperature_is_the_one_that_scipy_finds(factor: float) -> None:
    probabilities, labels = drawn(500, factor)

    def loss(log_temperature: float) -> float:
        answers = tempered(probabilities, np.exp(log_temperature))
        return float(-np.log(answers[np.arange(500), labels]).sum())

    expected = minimize_scalar(loss, bounds=(-2, 2), method="bounded", options={"xatol": 1e-6})
    assert fit_temperature(probabilities, labels).best == pytest.approx(
        np.exp(expected.x), rel=1e-3
    )


def test_many_rows_bring_back_the_factor() -> None:
    found = fit_temperature(*drawn(20_000, 2.0))
    assert found.value == pytest.approx(2.0, rel=0.05)
    assert found.low <= found.best <= found.high
    assert found.value == found.low


def test_interval_holds_the_truth_nineteen_times_of_twenty() -> None:
    fits = [fit_temperature(*drawn(200, 2.0, seed)) for seed in range(200)]
    assert 0.91 <= np.mean([fit.low <= 2.0 <= fit.high for fit in fits]) <= 0.99


def test_few_rows_leave_the_probabilities_alone() -> None:
    changed = [fit_temperature(*drawn(12, 1.0, seed)).value != 1.0 for seed in range(100)]
    assert np.mean(changed) < 0.15


def test_rows_that_are_all_right_do_not_make_it_certain() -> None:
    probabilities = np.full((30, 2), [0.9, 0.1], "float32")
    found = fit_temperature(probabilities, np.zeros(30, int))
    assert found.best < 0.2
    assert found.value > 0.5


def test_one_row_and_probabilities_of_nought_are_no_trouble() -> None:
    for label in (0, 1):
        found = fit_temperature(np.array([[1.0, 0.0]], "float32"), np.array([label]))
        assert LEAST <= found.value <= MOST
        assert np.isfinite([found.best, found.low, found.high]).all()


def test_tempering_keeps_the_order_of_classes() -> None:
    probabilities, _ = drawn(300, 1.0)
    for temperature in (0.3, 1.7, 8.0):
        assert (tempered(probabilities, temperature).argsort(1) == probabilities.argsort(1)).all()


def test_tempering_is_undone_by_its_inverse() -> None:
    probabilities, _ = drawn(300, 1.0)
    again = tempered(tempered(probabilities, 1.8), 1 / 1.8)
    assert np.abs(again - probabilities).max() < 1e-5


def test_record_says_which_way() -> None:
    assert "too sure" in str(fit_temperature(*drawn(2000, 2.0)))
    assert "less sure than they were right" in str(fit_temperature(*drawn(2000, 0.5)))
    assert str(fit_temperature(*drawn(2000, 1.0))).startswith("temperature 1: for 2000 validation")
