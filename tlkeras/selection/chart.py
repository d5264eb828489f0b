"""Accuracy against time, the size as the area: the picture that people choose a backbone by.

Imported only by `Ranking.plot`, since matplotlib is an extra.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.figures import INK, LINE, RIGHT, SOFT, Plot
from tlkeras.selection.candidate import Candidate
from tlkeras.selection.ranking import Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LARGEST_POINT = 900.0  # area in square points
SMALLEST_POINT = 14.0
ROUND = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]


def chart(ranking: Ranking) -> Plot:
    """A figure of the ranking: one point a candidate, with the interval of its accuracy.

    Those that cannot be told from the best are in colour. A candidate whose time could not be
    measured is named below the axis.

    Example::

        chart(ranking).savefig("ranking.png", dpi=150)
    """
    plot = Plot(figsize=(8.4, 5.2), layout="constrained")
    axes = plot.subplots()
    short = ranking.shortlist
    timed = [one for one in ranking.table if one.ms_per_picture is not None]
    largest = max((one.size_mb or 0.0 for one in timed), default=0.0) or 1.0
    areas = [max(LARGEST_POINT * (one.size_mb or 0.0) / largest, SMALLEST_POINT) for one in timed]
    for one, area in zip(timed, areas, strict=True):
        _point(axes, one, area, RIGHT if one in short else SOFT)
    _frame(axes, ranking, timed)
    _sizes(axes, largest)
    _labels(plot, axes, timed, areas)
    return plot


def _point(axes: "Axes", one: Candidate, area: float, colour: str) -> None:
    low, high = one.interval
    x, y = _place(one)
    axes.plot([x, x], [100 * low, 100 * high], color=colour, linewidth=1.3, zorder=2)
    axes.scatter([x], [y], s=area, color=colour, alpha=0.35, edgecolors="none", zorder=3)
    axes.plot(x, y, "o", color=colour, markersize=3.5, zorder=4)


def _frame(axes: "Axes", ranking: Ranking, timed: list[Candidate]) -> None:
    from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

    times = [one.ms_per_picture or 0.0 for one in timed] or [1.0]
    axes.set_xscale("log")
    axes.set_xlim(min(times) / 1.5, max(times) * 1.9)
    axes.xaxis.set_major_locator(FixedLocator(ROUND))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda ms, _: f"{ms:g}")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(lambda percent, _: f"{percent:.0f} %")
    missing = [one.name for one in ranking.table if one not in timed]
    below = f"\nnot timed: {', '.join(missing)}" if missing else ""
    text = f"milliseconds a picture, all cores busy, on this machine{below}"
    axes.set_xlabel(text, color=SOFT, parse_math=False)
    axes.set_ylabel("accuracy, each picture left out in turn, with 95 % interval", color=SOFT)
    count = len(ranking.table)
    axes.set_title(
        f"{count} backbone{'s' if count > 1 else ''} on {ranking.pictures} pictures; in colour: "
        "the best and what cannot be told from it",
        color=INK,
        loc="left",
        fontsize=11.5,
    )
    axes.grid(color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    axes.spines[:].set_visible(False)


def _sizes(axes: "Axes", largest: float) -> None:
    """What the areas mean: two points of round sizes."""
    places = [size for size in ROUND if size <= largest] or [largest]
    handles = [
        axes.scatter([], [], s=LARGEST_POINT * size / largest, color=SOFT, alpha=0.35)
        for size in places[-1:-4:-2]
    ]
    axes.legend(
        handles,
        [f"{size:g} MB" for size in places[-1:-4:-2]],
        loc="best",
        frameon=False,
        labelcolor=SOFT,
        labelspacing=1.6,
        fontsize=9,
    )


def _labels(plot: Plot, axes: "Axes", timed: list[Candidate], areas: list[float]) -> None:
    """A name beside each point, where it covers as little as can be of what is there."""
    from matplotlib.patheffects import withStroke

    plot.draw_without_rendering()
    pixels = plot.dpi / 72
    corners = [axes.transData.transform(_place(one)) for one in timed]
    radii = [np.sqrt(area / np.pi) * pixels for area in areas]
    legend = axes.get_legend()
    frame = axes.get_window_extent()
    taken = [(x - r, y - r, x + r, y + r) for (x, y), r in zip(corners, radii, strict=True)]
    taken += [legend.get_window_extent().extents] if legend else []
    for one, (x, y), radius in zip(timed, corners, radii, strict=True):
        wide, high = 5.7 * pixels * len(one.name), 11.0 * pixels
        gap = radius + 3 * pixels
        boxes = [
            (left, y + up - high / 2, left + wide, y + up + high / 2)
            for up in sorted(np.arange(-4, 5) * high * 0.7, key=abs)
            for left in (x + gap, x - gap - wide)
        ]
        inside = [box for box in boxes if frame.x0 <= box[0] and box[2] <= frame.x1] or boxes
        box = min(inside, key=lambda box: sum(_overlap(box, other) for other in taken))
        taken.append(box)
        axes.annotate(
            one.name,
            _place(one),
            xytext=((box[0] - x) / pixels, (box[1] + high / 2 - y) / pixels),
            textcoords="offset points",
            va="center",
            fontsize=9,
            color=INK,
            parse_math=False,
            zorder=5,
            path_effects=[withStroke(linewidth=2.5, foreground="white")],
        )


def _place(one: Candidate) -> tuple[float, float]:
    return one.ms_per_picture or 0.0, 100 * one.accuracy


def _overlap(one: Sequence[float], other: Sequence[float]) -> float:
    """Area that two boxes (left, low, right, high) share."""
    wide = min(one[2], other[2]) - max(one[0], other[0])
    high = min(one[3], other[3]) - max(one[1], other[1])
    return max(0.0, wide) * max(0.0, high)
