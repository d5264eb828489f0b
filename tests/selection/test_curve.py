"""Power laws against SciPy's own solvers."""

import numpy as np
import pytest
from scipy.optimize import least_squares, nnls

from tlkeras.selection.curve import PowerLaws, fit_power_laws, point_weights

SIZES = np.array([32.0, 80, 160, 320])


@pytest.mark.parametrize("seed", range(6))
def test_known_rate_gives_the_non_negative_least_squares(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mistakes, weights = rng.uniform(0, 1, 4), rng.uniform(0.5, 3, 4)
    law = fit_power_laws(SIZES, mistakes[None], weights, np.array([0.4]))
    table = np.stack([np.ones(4), SIZES**-0.4], axis=1) * np.sqrt(weights)[:, None]
    (floor, scale), _ = nnls(table, mistakes * np.sqrt(weights))
    assert law.floor[0] == pytest.approx(floor, abs=1e-9)
    assert law.scale[0] == pytest.approx(scale, abs=1e-8)


@pytest.mark.parametrize("seed", range(6))
def test_fit_is_as_near_as_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mistakes = 0.1 + 1.6 * SIZES**-0.35 + rng.normal(0, 0.02, 4)
    law = fit_power_laws(SIZES, mistakes[None], np.ones(4))

    def off(p: np.ndarray) -> np.ndarray:
        return p[0] + p[1] * SIZES ** -p[2] - mistakes

    starts = [(0.0, 1.0, rate) for rate in (0.15, 0.4, 0.9)]
    bounds = ([0, 0, 0.1], [1, 20, 1])
    theirs = min(2 * least_squares(off, start, bounds=bounds).cost for start in starts)
    ours = float((off(np.array([law.floor[0], law.scale[0], law.rate[0]])) ** 2).sum())
    assert ours <= theirs * 1.05 + 1e-5


def test_law_is_found_again() -> None:
    truth = PowerLaws(np.array([0.05]), np.array([1.5]), np.array([0.5]))
    mistakes = np.stack([truth.mistakes(size) for size in SIZES], axis=1)
    law = fit_power_laws(SIZES, mistakes, point_weights(mistakes))
    assert law.mistakes(1280)[0] == pytest.approx(truth.mistakes(1280)[0], abs=0.005)
    assert law.pictures(0.1)[0] == pytest.approx(900, rel=0.12)


def test_mistakes_that_do_not_fall_need_pictures_without_end() -> None:
    law = fit_power_laws(SIZES, np.full((1, 4), 0.3), np.ones(4))
    assert law.scale[0] == pytest.approx(0, abs=1e-9)
    assert law.pictures(0.2)[0] > 1e12
    rising = fit_power_laws(SIZES, np.array([[0.2, 0.25, 0.3, 0.35]]), np.ones(4))
    assert rising.scale[0] == 0
    assert np.isinf(rising.pictures(0.1)[0])
