"""What more pictures would bring: power laws through measured points, with their uncertainty.

Growth ─▶ one law for all, one a class with the same rate
   └─ the judged rows taken again, with replacement, 400 times ─▶ as many laws, their rates
      drawn by how likely they are
"""

from dataclasses import dataclass

import numpy as np

from tlkeras.selection.curve import (
    PowerLaws,
    fit_power_laws,
    likely_power_laws,
    point_weights,
)
from tlkeras.selection.growth import Growth

SAMPLES = 400
CONFIDENCE = 0.8
"""Of intervals of what is foretold; a law through four points deserves no 95 %."""


@dataclass(frozen=True)
class Estimate:
    """A number with its interval; `high` may be infinite.

    >>> Estimate(5.0, 2.0, 9.0).scaled(100)
    Estimate(about=500.0, low=200.0, high=900.0)
    """

    about: float
    low: float
    high: float

    def scaled(self, factor: float) -> "Estimate":
        """The estimate in another unit."""
        return Estimate(self.about * factor, self.low * factor, self.high * factor)

    def to_dict(self) -> dict[str, float | None]:
        """The three numbers by name; None for infinity, which JSON lacks."""
        return {
            name: value if np.isfinite(value) else None
            for name, value in (("about", self.about), ("low", self.low), ("high", self.high))
        }


@dataclass(frozen=True)
class Outlook:
    """How the mistakes on some rows fall as all classes grow alike.

    Attributes:
        pictures: how many there are now.
        judged: rows that the mistakes were counted on.
        samples: as many laws as there are bootstrap samples.

    Example::

        outlook = outlooks(growth, classes=10, pictures=400)[0]
        outlook.gain(factor=2)                  # of accuracy, as a share
        outlook.more_for(0.05)                  # pictures for 5 points
    """

    pictures: int
    judged: int
    samples: PowerLaws

    def accuracy(self, pictures: float) -> Estimate:
        """Share of right answers after that many pictures."""
        return _estimate(1 - self.samples.mistakes(pictures))

    def gain(self, factor: float = 2.0) -> Estimate:
        """What that many times the pictures add to the accuracy, as a share.

        The interval is wider by one judged picture on both sides: nothing finer was counted.
        """
        now, then = (self.samples.mistakes(k * self.pictures) for k in (1.0, factor))
        found = _estimate(now - then)
        grain = 1 / self.judged
        return Estimate(found.about, max(0.0, found.low - grain), found.high + grain)

    def more_for(self, gain: float) -> Estimate:
        """Pictures to add for that much more accuracy, a share; inf where it is out of reach."""
        left = self.samples.mistakes(self.pictures) - gain
        more = self.samples.pictures(left) - self.pictures
        return _estimate(np.where(left > 0, more, np.inf))


def outlooks(
    growth: Growth, classes: int, pictures: int, *, seed: int = 0, samples: int = SAMPLES
) -> tuple[Outlook, list[Outlook | None]]:
    """What is foretold for all rows, and for those of each class; None without judged rows.

    A class has too few rows for a rate of its own: it takes that of all.

    Args:
        growth: the measured points.
        classes: number of classes.
        pictures: how many there are now.
        seed: decides the bootstrap samples.
        samples: how many.

    Example::

        overall, per_class = outlooks(growth, classes=10, pictures=400)
    """
    rng = np.random.default_rng((seed, 97))
    judged = len(growth.labels)
    counts = rng.multinomial(judged, np.full(judged, 1 / judged), samples).astype("float32")
    right = np.stack([each.mean(axis=0) for each in growth.right], axis=1).astype("float32")
    weights = judged * point_weights(growth.mistakes)
    again = 1 - counts @ right / judged
    overall = likely_power_laws(growth.pictures, again, weights, rng)
    per_class: list[Outlook | None] = []
    for number in range(classes):
        own = growth.labels == number
        if not own.any():
            per_class.append(None)
            continue
        taken = np.maximum(counts[:, own].sum(axis=1, keepdims=True), 1)
        again = 1 - counts[:, own] @ right[own] / taken
        weights = point_weights(1 - right[own].mean(axis=0))
        laws = fit_power_laws(growth.pictures, again, weights, overall.rate)
        per_class.append(Outlook(pictures, int(own.sum()), laws))
    return Outlook(pictures, judged, overall), per_class


def _estimate(samples: np.ndarray) -> Estimate:
    shares = (0.5 - CONFIDENCE / 2, 0.5, 0.5 + CONFIDENCE / 2)
    low, about, high = np.quantile(samples, shares, method="nearest")  # inf has no mean
    return Estimate(float(about), float(low), float(high))
