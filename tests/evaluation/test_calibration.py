"""The calibration error against one computed bin by bin, and what chance alone gives."""

import json

import numpy as np
import pytest

from tlkeras.errors import DataError
from tlkeras.evaluation.calibration import Calibration
from tlkeras.heads.temperature import tempered


def honest(rows: int, seed: int = 0, classes: int = 3) -> Calibration:
    """Labels drawn from the probabilities themselves."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet([0.5] * classes, rows).astype("float32")
    labels = (probabilities.cumsum(1)[:, :-1] < rng.random((rows, 1))).sum(1)
    return Calibration(labels, probabilities)


def by_hand(calibration: Calibration) -> float:
    gap = 0.0
    rows = list(zip(calibration.labels, calibration.probabilities, strict=True))
    for number in range(15):
        some = [
            (float(p.max()), p.argmax() == label)
            for label, p in rows
            if number / 15 < p.max() <= (number + 1) / 15
        ]
        gap += abs(sum(sure - right for sure, right in some))
    return gap / len(rows)


def test_error_is_the_mean_gap_of_fifteen_bins() -> None:
    calibration = honest(400)
    assert calibration.ece == pytest.approx(by_hand(calibration), abs=1e-6)
    assert calibration.before(0.4).ece == pytest.approx(by_hand(calibration.before(0.4)), abs=1e-6)


def test_bins_count_every_answer_once() -> None:
    calibration = honest(400)
    assert sum(bin.count for bin in calibration.bins) == 400
    for bin in calibration.bins:
        assert bin.low <= bin.confidence <= bin.high
        assert bin.interval[0] <= bin.accuracy <= bin.interval[1]


def test_certain_answers_have_a_bin() -> None:
    calibration = Calibration(np.array([0, 1]), np.array([[1.0, 0.0], [0.5, 0.5]]))
    assert [bin.high for bin in calibration.bins] == [pytest.approx(8 / 15), 1.0]


@pytest.mark.parametrize("rows", [100, 400, 5000])
def test_chance_is_the_mean_error_of_honest_answers(rows: int) -> None:
    errors = [honest(rows, seed).ece for seed in range(60)]
    told = honest(rows).by_chance
    assert told == pytest.approx(np.mean(errors), rel=0.15)


def test_answers_that_are_too_sure_have_a_larger_error_than_chance() -> None:
    calibration = honest(1000)
    sure = Calibration(calibration.labels, tempered(calibration.probabilities, 0.3))
    assert sure.ece > 3 * sure.by_chance
    assert sure.before(0.3).ece == pytest.approx(calibration.ece, abs=0.01)


def test_dictionary_is_json() -> None:
    told = json.loads(json.dumps(honest(50).to_dict()))
    assert told["n"] == 50
    assert set(told["bins"][0]) == {"low", "high", "count", "confidence", "accuracy", "interval"}


def test_labels_and_probabilities_of_other_pictures_are_refused() -> None:
    with pytest.raises(DataError, match="same pictures"):
        Calibration(np.array([0, 1, 1]), np.array([[0.5, 0.5]]))
    with pytest.raises(DataError, match="Received: labels"):
        Calibration(np.empty(0, int), np.empty((0, 2)))


def test_plot_shows_both_curves() -> None:
    pytest.importorskip("matplotlib")
    calibration = honest(200)
    top, low = calibration.plot(before=calibration.before(2.0)).axes
    assert len(top.get_legend().get_texts()) == 2
    assert sum(bar.get_height() for bar in low.patches) == 200
