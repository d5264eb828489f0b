"""A learning curve as a figure: measured points, the law through them, the classes beside it.

Imported only by `LearningCurve.plot`, since matplotlib is an extra.
"""

from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.wording import percent, plain, shortened
from tlkeras.figures import INK, LINE, RIGHT, SOFT, WRONG, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tlkeras.tasks.choosing.learning_curve import CurvePoint, LearningCurve

MOST_CLASSES = 30
TWICE = 2


def figure(curve: "LearningCurve") -> "Figure":
    """A figure with two panels; `.savefig("curve.png")` writes it.

    Example::

        figure(tl.learning_curve("flowers/")).savefig("curve.png", dpi=150)
    """
    classes = min(MOST_CLASSES, sum(found is not None for found in curve.per_class))
    plot = Plot(figsize=(11, max(4.2, 1.2 + 0.26 * classes)), layout="constrained")
    left, right = plot.subplots(1, 2, width_ratios=(3, 2))
    _accuracy(left, curve)
    _classes(right, curve)
    plot.suptitle(
        f"{curve.pictures} pictures, linear head on {plain(curve.backbone)}",
        color=INK,
        fontsize=13,
        parse_math=False,
    )
    return plot


def draw_points(
    axes: "Axes", points: "tuple[CurvePoint, ...]", colour: str, marker: str, label: str
) -> None:
    """Measured points with their 95 % intervals; the accuracy axis is in per cent."""
    at = [point.pictures for point in points]
    share = np.array([point.accuracy for point in points])
    ends = np.array([point.interval for point in points]).T
    axes.errorbar(
        at,
        100 * share,
        yerr=100 * np.abs(ends - share),
        fmt=marker,
        color=colour,
        markersize=6,
        linewidth=1.4,
        capsize=3,
        label=label,
    )


def plain_axes(axes: "Axes") -> None:
    """Thin lines, no frame."""
    axes.tick_params(length=0, colors=INK)
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)


def _accuracy(axes: "Axes", curve: "LearningCurve") -> None:
    first, last = curve.growth.pictures[0], TWICE * curve.pictures
    at = np.geomspace(first, last, 60)
    found = [curve.accuracy(float(pictures)) for pictures in at]
    low, middle, high = (
        100 * np.array([getattr(one, name) for one in found]) for name in ("low", "about", "high")
    )
    axes.fill_between(at, low, high, color=RIGHT, alpha=0.16, linewidth=0, label="80 % interval")
    axes.plot(at, middle, color=RIGHT, linewidth=1.6, label="power law")
    draw_points(axes, curve.points, INK, "o", "measured, 95 % interval")
    axes.axvline(curve.pictures, color=SOFT, linewidth=1, linestyle=":")
    axes.annotate(
        "now", (curve.pictures, 1.0), xycoords=("data", "axes fraction"), xytext=(-4, -10),
        textcoords="offset points", color=SOFT, ha="right",
    )  # fmt: skip
    axes.set_xscale("log")
    ticks = sorted({*np.round(curve.growth.pictures).astype(int).tolist(), curve.pictures, last})
    axes.set_xticks(_apart(ticks), [f"{tick:,}" for tick in _apart(ticks)])
    axes.minorticks_off()
    axes.set_xlabel("pictures trained on", color=SOFT)
    axes.set_ylabel("accuracy, %", color=SOFT)
    plain_axes(axes)
    axes.legend(frameon=False, loc="lower right", labelcolor=INK)


def _classes(axes: "Axes", curve: "LearningCurve") -> None:
    rows = [
        (curve.gain(TWICE, name), name, curve.accuracy(curve.pictures, name).about)
        for name, found in zip(curve.class_names, curve.per_class, strict=True)
        if found is not None
    ]
    rows.sort(key=lambda row: -row[0].about)
    rows = rows[:MOST_CLASSES]
    for place, (gain, _, _) in enumerate(rows):
        axes.plot([gain.low, gain.high], [place, place], color=WRONG, linewidth=1.6)
        axes.plot(gain.about, place, "D", color=WRONG, markersize=5)
    labels = [f"{shortened(name, 22)}, now {percent(now, 0)}" for _, name, now in rows]
    axes.set_yticks(range(len(rows)), labels)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
    axes.set_xlabel("points gained by twice the pictures, 80 % interval", color=SOFT)
    plain_axes(axes)


def _apart(ticks: list[int]) -> list[int]:
    """Ticks far enough from one another for their numbers to be read, the last ones first."""
    kept: list[int] = []
    for tick in reversed(ticks):
        if not kept or kept[-1] / tick > 1.18:
            kept.append(tick)
    return kept[::-1]
