"""Power laws of learning: how the share of mistakes falls as pictures are added.

    mistakes(n) = floor + scale · n ** -rate          0 <= floor <= 1, scale >= 0, rate in RATES

Sources: C. Cortes et al., "Learning curves: asymptotic values and rate of convergence", NIPS 6,
1993; J. Hestness et al., "Deep learning scaling is predictable, empirically", arXiv 1712.00409.
"""

from dataclasses import dataclass

import numpy as np

RATES = np.geomspace(0.1, 1.0, 47)
"""Rates that are tried: deep networks were found between 0.07 and 0.5, simple models near 1."""
LEAST_SHARE = 0.01  # of mistakes: no point is surer than one with so few


@dataclass(frozen=True)
class PowerLaws:
    """Several laws at once, such as one for each bootstrap sample.

    Attributes:
        floor, scale, rate: (m,) float64 each.

    >>> law = PowerLaws(np.array([0.1]), np.array([2.0]), np.array([0.5]))
    >>> law.mistakes(100).round(3).tolist(), law.pictures(0.2).round().tolist()
    ([0.3], [400.0])
    """

    floor: np.ndarray
    scale: np.ndarray
    rate: np.ndarray

    def mistakes(self, pictures: float | np.ndarray) -> np.ndarray:
        """Share of mistakes (m,) float64 in [0, 1] after that many pictures, one or (m,)."""
        return np.clip(self.floor + self.scale * np.asarray(pictures, float) ** -self.rate, 0, 1)

    def pictures(self, mistakes: float | np.ndarray) -> np.ndarray:
        """Pictures (m,) float64 until so few mistakes are left, one or (m,); inf for never."""
        above = np.asarray(mistakes, float) - self.floor
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            needed = (self.scale / np.maximum(above, 0.0)) ** (1 / self.rate)
        return np.where(self.scale > 0, needed, np.where(above >= 0, 0.0, np.inf))


def fit_power_laws(
    pictures: np.ndarray,
    mistakes: np.ndarray,
    weights: np.ndarray,
    rate: np.ndarray | None = None,
) -> PowerLaws:
    """The laws with the least weighted squares, one for each row of `mistakes`.

    Args:
        pictures: (k,) how many were trained on.
        mistakes: (m, k) share of mistakes after them, in [0, 1].
        weights: (k,) or (m, k) how much each point counts.
        rate: (m,) rates that are known; without, the best of `RATES`.

    >>> sizes = np.array([10, 40, 160, 640])
    >>> law = fit_power_laws(sizes, 0.1 + 1.5 * sizes[None] ** -0.5, np.ones(4))
    >>> law.floor.round(2).tolist(), law.rate.round(1).tolist()
    ([0.1], [0.5])
    """
    laws, off = _at_each_rate(pictures, mistakes, weights, rate)
    # A flat row fits every rate as well: the middle of those that are as good as the best.
    as_good = off <= off.min(1, keepdims=True) + 1e-12
    return _picked(laws, np.argmax(as_good.cumsum(1) * 2 > as_good.sum(1, keepdims=True), axis=1))


def likely_power_laws(
    pictures: np.ndarray,
    mistakes: np.ndarray,
    weights: np.ndarray,
    rng: np.random.Generator,
) -> PowerLaws:
    """Laws whose rates are drawn by how likely they make the points, one for each row.

    A few points leave the rate open; the one best rate would foretell more than they know.

    Args:
        pictures: (k,) how many were trained on.
        mistakes: (m, k) share of mistakes after them, in [0, 1].
        weights: (k,) or (m, k), one over the variance of each point.
        rng: draws the rates.

    >>> sizes, rng = np.array([10, 40, 160, 640]), np.random.default_rng(0)
    >>> laws = likely_power_laws(sizes, np.full((50, 4), 0.3), np.full(4, 1e6), rng)
    >>> len(set(laws.rate)) > 20, laws.mistakes(1e4).round(3).max()
    (True, 0.3)
    """
    laws, off = _at_each_rate(pictures, mistakes, weights, None)
    chance = np.exp(-(off - off.min(1, keepdims=True)) / 2).cumsum(1)
    drawn = rng.uniform(size=(len(chance), 1)) * chance[:, -1:]
    return _picked(laws, np.argmax(chance > drawn, axis=1))


def _at_each_rate(
    pictures: np.ndarray, mistakes: np.ndarray, weights: np.ndarray, rate: np.ndarray | None
) -> tuple[PowerLaws, np.ndarray]:
    """Laws (m, rates) and how far each is off: two unknowns, neither below zero."""
    mistakes = np.asarray(mistakes, float)
    w = np.broadcast_to(np.asarray(weights, float), mistakes.shape)[:, None]
    rates = np.broadcast_to(RATES, (len(mistakes), len(RATES))) if rate is None else rate[:, None]
    x, y = np.asarray(pictures, float)[None, None] ** -rates[:, :, None], mistakes[:, None]
    total = w.sum(-1)
    mean_x, mean_y = (w * x).sum(-1) / total, (w * y).sum(-1) / total
    off_x, off_y = x - mean_x[..., None], y - mean_y[..., None]
    slope = (w * off_x * off_y).sum(-1) / np.maximum((w * off_x**2).sum(-1), 1e-300)
    scale = np.maximum(slope, 0.0)
    floor = mean_y - scale * mean_x
    through_zero = (w * x * y).sum(-1) / np.maximum((w * x * x).sum(-1), 1e-300)
    scale = np.where(floor < 0, through_zero, scale)
    floor = np.maximum(floor, 0.0)
    off = (w * (floor[..., None] + scale[..., None] * x - y) ** 2).sum(-1)
    return PowerLaws(floor, scale, rates), off


def _picked(laws: PowerLaws, column: np.ndarray) -> PowerLaws:
    row = np.arange(len(column))
    return PowerLaws(laws.floor[row, column], laws.scale[row, column], laws.rate[row, column])


def point_weights(mistakes: np.ndarray) -> np.ndarray:
    """How much a share of mistakes in [0, 1] tells: one over its variance, up to a factor.

    >>> point_weights(np.array([0.5, 0.1])).round(1).tolist()
    [4.0, 11.1]
    """
    spread = np.clip(mistakes, LEAST_SHARE, 1 - LEAST_SHARE)
    return 1 / (spread * (1 - spread))
