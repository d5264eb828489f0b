"""One number that makes a head's probabilities as sure as they are right.

p ─▶ softmax(log p / T):   T above 1: less sure,  T below 1: surer,  the order of classes the same
"""

from dataclasses import dataclass

import numpy as np

LEAST, MOST = 0.1, 10.0
REACH = 1.96  # so many standard errors to either side hold 95 %


@dataclass(frozen=True)
class Temperature:
    """The temperature to divide logits by, and what the rows that decided it say.

    Attributes:
        value: the temperature that is used.
        best: the one with the lowest cross-entropy on these rows.
        low, high: its 95 % interval.
        rows: how many rows there were.

    >>> print(Temperature(1.2, 1.5, 1.2, 1.88, 70))
    temperature 1.20: the answers for 70 validation pictures were too sure (1.20 to 1.88 fit)
    """

    value: float
    best: float
    low: float
    high: float
    rows: int

    def __str__(self) -> str:
        """One sentence for the run's record."""
        about, span = f"{self.rows} validation pictures", f"{self.low:.2f} to {self.high:.2f}"
        if self.value == 1.0:
            return f"temperature 1: for {about} it fits as well as any from {span}"
        sure = "too sure" if self.value > 1 else "less sure than they were right"
        return f"temperature {self.value:.2f}: the answers for {about} were {sure} ({span} fit)"


def fit_temperature(probabilities: np.ndarray, labels: np.ndarray) -> Temperature:
    """The temperature nearest to 1 that fits the rows, from answers by a head new to them.

    The best T has the lowest cross-entropy (C. Guo et al., "On calibration of modern neural
    networks", 2017, arXiv 1706.04599). On a few dozen rows it is a guess that does harm as often
    as good, so of its 95 % interval the end nearest to 1 is taken, and 1 where that is inside.

    Args:
        probabilities: (n, classes) float.
        labels: (n,) int class indices.

    >>> rng = np.random.default_rng(0)
    >>> honest = rng.dirichlet([1, 1, 1], 2000)
    >>> labels = np.array([rng.choice(3, p=row) for row in honest])
    >>> fit_temperature(honest, labels).value
    1.0
    >>> round(fit_temperature(tempered(honest, 0.5), labels).best, 1)
    2.0
    """
    logits = np.log(np.maximum(np.asarray(probabilities, "float64"), np.finfo("float32").tiny))
    low, high = np.log(LEAST), np.log(MOST)
    for _ in range(50):  # the loss falls until its only minimum, and rises from there
        middle = (low + high) / 2
        slopes, _ = _derivatives(logits, labels, middle)
        low, high = (low, middle) if slopes.sum() > 0 else (middle, high)
    best = (low + high) / 2
    slopes, curvature = _derivatives(logits, labels, best)
    # The larger of the error that the model tells and of the one that the rows tell.
    variance = max(1.0, float(slopes @ slopes) / curvature) / curvature
    reach = REACH * float(np.sqrt(variance))
    kept = np.sign(best) * max(0.0, abs(best) - reach)
    ends = np.exp(np.clip([kept, best, best - reach, best + reach], np.log(LEAST), np.log(MOST)))
    value, best, low, high = (float(end) for end in ends)
    return Temperature(value, best, low, high, len(labels))


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, classes) float32 as they are with logits divided by the temperature.

    `tempered(p, 1 / T)` takes the temperature T away again, but for what float32 has lost.

    >>> tempered(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.6669999957084656, 0.3330000042915344]]
    """
    powers = np.asarray(probabilities, "float64") ** (1.0 / temperature)
    return (powers / powers.sum(axis=1, keepdims=True)).astype("float32")


def _derivatives(
    logits: np.ndarray, labels: np.ndarray, log_temperature: float
) -> tuple[np.ndarray, float]:
    """Slopes (n,) of the rows' losses along log T, and the curvature of their sum."""
    scaled = logits * np.exp(-log_temperature)
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    mean = (weights * scaled).sum(axis=1)
    slopes = scaled[np.arange(len(labels)), labels] - mean
    variances = (weights * scaled**2).sum(axis=1) - mean**2
    return slopes, max(float(variances.sum()), 1e-12)
