"""Whether answers are as often right as they are sure: bins of confidence, and one number.

confidence 0 ┄┄┄ 1/15 ┄┄┄ 2/15 ┄┄┄ … ┄┄┄ 1        in each: mean confidence against share right
"""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import DataError
from tlkeras.heads.temperature import tempered
from tlkeras.intervals import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 15


@dataclass(frozen=True)
class Bin:
    """The answers whose confidence is above `low` and at most `high`.

    Attributes:
        low, high: edges in [0, 1].
        count: how many answers there are.
        confidence: their mean probability of the answered class.
        accuracy: share of them that is right.
        interval: Wilson's 95 % interval of that share.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True, eq=False, repr=False)
class Calibration:
    """How far confidence and accuracy are apart, for labels (n,) and probabilities (n, c).

    >>> calibration = Calibration(np.array([0, 1]), np.array([[0.8, 0.2], [0.6, 0.4]]))
    >>> calibration
    Calibration(error 40.0 % on 2 pictures, 35.5 % by chance alone)
    >>> [(bin.count, bin.accuracy) for bin in calibration.bins]
    [(1, 0.0), (1, 1.0)]
    """

    labels: np.ndarray
    probabilities: np.ndarray

    def __post_init__(self) -> None:
        labels, probabilities = np.asarray(self.labels), np.asarray(self.probabilities)
        if probabilities.ndim != 2 or labels.shape != probabilities.shape[:1] or not len(labels):
            raise DataError(
                "Calibration is of labels (n,) and probabilities (n, c), n from 1. Received: "
                f"labels {labels.shape}, probabilities {probabilities.shape}. Pass both for the "
                "same pictures."
            )
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "probabilities", probabilities)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return (
            f"Calibration(error {self.ece:.1%} on {len(self)} pictures, "
            f"{self.by_chance:.1%} by chance alone)"
        ).replace("%", " %")

    @cached_property
    def bins(self) -> tuple[Bin, ...]:
        """The bins with answers in them, of 15 of equal width, from the least sure up."""
        place = self._place
        found = []
        for number in np.unique(place).tolist():
            inside = place == number
            count, right = int(inside.sum()), int(self._right[inside].sum())
            found.append(
                Bin(
                    number / BINS,
                    (number + 1) / BINS,
                    count,
                    float(self._confidence[inside].mean()),
                    right / count,
                    wilson_interval(right, count),
                )
            )
        return tuple(found)

    @property
    def ece(self) -> float:
        """Expected calibration error in [0, 1]: the mean gap of the bins, weighted by count.

        M. P. Naeini, G. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
        Bayesian binning", 2015; 15 bins of equal width, as C. Guo et al., 2017.
        """
        gaps = [bin.count * abs(bin.accuracy - bin.confidence) for bin in self.bins]
        return float(sum(gaps) / len(self))

    @property
    def by_chance(self) -> float:
        """The error that answers as honest as can be would have on so few pictures, on average.

        The gap of a bin is then a sum of independent draws, near a normal one. An error that
        is no larger than this says nothing against the probabilities.
        """
        noise = np.bincount(self._place, self._confidence * (1 - self._confidence), BINS)
        return float(np.sqrt(2 / np.pi * noise).sum() / len(self))

    def before(self, temperature: float) -> "Calibration":
        """The same with a temperature that is folded into the probabilities taken out again."""
        return Calibration(self.labels, tempered(self.probabilities, 1 / temperature))

    def to_dict(self) -> dict[str, object]:
        """The error and the bins as plain Python values, ready for JSON."""
        bins = [{**vars(bin), "interval": list(bin.interval)} for bin in self.bins]
        return {"n": len(self), "ece": self.ece, "by_chance": self.by_chance, "bins": bins}

    def plot(self, before: "Calibration | None" = None) -> "Figure":
        """A matplotlib figure: share right against confidence, and how many answers are where.

        Args:
            before: drawn beside it, such as `calibration.before(temperature)`.

        Raises:
            MissingExtraError: matplotlib is not installed.

        Example::

            report.calibration.plot().savefig("calibration.png")
        """
        from tlkeras.figures import INK, LINE, RIGHT, SOFT, WRONG, Plot

        plot = Plot(figsize=(5, 5.6), layout="constrained")
        top, low = plot.subplots(2, 1, height_ratios=[4, 1], sharex=True)
        top.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
        if before is not None:
            _draw(top, before, WRONG, f"before: error {before.ece:.1%}", "s")
        _draw(top, self, RIGHT, f"error {self.ece:.1%}", "o")
        top.set_ylabel("share right, with 95 % interval", color=SOFT)
        top.set_ylim(0, 1)
        top.legend(frameon=False, loc="upper left", labelcolor=INK)
        middles = [(bin.low + bin.high) / 2 for bin in self.bins]
        low.bar(middles, [bin.count for bin in self.bins], width=0.8 / BINS, color=RIGHT)
        low.set_ylabel("answers", color=SOFT)
        low.set_xlim(0, 1)
        low.set_xlabel("confidence", color=SOFT)
        for axes in (top, low):
            axes.tick_params(length=0, colors=INK)
            axes.grid(color=LINE, linewidth=0.8)
            axes.set_axisbelow(True)
            axes.spines[:].set_visible(False)
        return plot

    @cached_property
    def _confidence(self) -> np.ndarray:
        return np.minimum(self.probabilities.max(axis=1).astype("float64"), 1.0)

    @cached_property
    def _right(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1) == self.labels

    @cached_property
    def _place(self) -> np.ndarray:
        """Number (n,) of each answer's bin; an edge belongs to the bin below it."""
        return np.clip(np.ceil(self._confidence * BINS).astype(int) - 1, 0, BINS - 1)


def _draw(axes: "Axes", calibration: Calibration, colour: str, label: str, marker: str) -> None:
    sure = [bin.confidence for bin in calibration.bins]
    shares = [bin.accuracy for bin in calibration.bins]
    spans = zip(sure, calibration.bins, strict=True)
    for at, bin in spans:
        axes.plot([at, at], bin.interval, color=colour, linewidth=1.4, alpha=0.5)
    axes.plot(sure, shares, color=colour, marker=marker, linewidth=1.6, label=label)
