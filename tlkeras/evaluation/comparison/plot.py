"""A comparison as one matplotlib figure: accuracy left, what only one of two has right beside it.

Imported only by `Comparison.plot`, since matplotlib is an extra.
"""

from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.comparison.comparison import Comparison, Row
from tlkeras.evaluation.comparison.pair import Pair
from tlkeras.evaluation.wording import percent, shortened
from tlkeras.figures import INK, LINE, RIGHT, SOFT, WRONG, Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PAIRS = 15
NAME_WIDTH = 24


def figure(comparison: Comparison) -> "Figure":
    """A matplotlib figure with two panels; `.savefig("comparison.png")` writes it.

    Example::

        figure(comparison).savefig("comparison.png", dpi=150)
    """
    # The most uneven pairs, where there are too many to read.
    pairs = sorted(comparison.pairs, key=lambda pair: pair.p)[:MOST_PAIRS]
    height = 1.7 + 0.55 * max(len(comparison.table), len(pairs))
    plot = Plot(figsize=(11.5, height), layout="constrained")
    left, right = plot.subplots(1, 2, width_ratios=[1, 1])
    _accuracy(left, comparison.table)
    _split(right, pairs)
    plot.suptitle(f"Comparison on {len(comparison):,} pictures", color=INK, fontsize=13)
    return plot


def _accuracy(axes: "Axes", rows: tuple[Row, ...]) -> None:
    from matplotlib.ticker import MaxNLocator

    for place, row in enumerate(rows):
        low, high = row.interval
        axes.plot([low, high], [place, place], color=RIGHT, linewidth=2, solid_capstyle="round")
        axes.plot(row.accuracy, place, "o", color=RIGHT, markersize=7, clip_on=False)
        axes.annotate(
            "  ".join([percent(row.accuracy), *_costs(row)]),
            (row.accuracy, place),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=8.5,
            color=INK,
        )
    lows, highs = zip(*(row.interval for row in rows), strict=True)
    pad = 0.25 * (max(highs) - min(lows)) + 0.01
    axes.set_xlim(max(0.0, min(lows) - pad), min(1.0, max(highs) + pad))
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(lambda share, _: percent(round(share, 6), 0))
    _rows(axes, [shortened(row.name, NAME_WIDTH) for row in rows])
    axes.set_xlabel("accuracy, with 95 % interval", color=SOFT)


def _costs(row: Row) -> list[str]:
    size = [] if row.size_mb is None else [f"{row.size_mb:.3g} MB"]
    return size + ([] if row.ms_per_picture is None else [f"{row.ms_per_picture:.3g} ms"])


def _split(axes: "Axes", pairs: list[Pair]) -> None:
    from matplotlib.ticker import MaxNLocator

    largest = max(1, *(max(pair.only_first, pair.only_second) for pair in pairs))
    for place, pair in enumerate(pairs):
        axes.barh(place, -pair.only_first, height=0.45, color=WRONG)
        axes.barh(place, pair.only_second, height=0.45, color=RIGHT)
        for count, side in ((pair.only_first, -1), (pair.only_second, 1)):
            axes.annotate(
                str(count),
                (side * count, place),
                (4 * side, 0),
                textcoords="offset points",
                ha="left" if side > 0 else "right",
                va="center",
                fontsize=9,
                color=INK,
            )
        told = "different" if pair.distinguishable else "not distinguishable"
        p = "p < 0.001" if pair.p_adjusted < 0.001 else f"p {pair.p_adjusted:.2g}"
        axes.text(
            1.02 * 1.25 * largest, place, f"{p}\n{told}", va="center", fontsize=8.5, color=SOFT
        )
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set_xlim(-1.25 * largest, 1.25 * largest)
    axes.xaxis.set_major_formatter(lambda count, _: f"{abs(count):g}")
    axes.xaxis.set_major_locator(MaxNLocator(7, integer=True))
    _rows(
        axes,
        [
            f"{shortened(pair.first, NAME_WIDTH)}\nor {shortened(pair.second, NAME_WIDTH)}"
            for pair in pairs
        ],
    )
    axes.set_xlabel("pictures that only the first (left) or the second has right", color=SOFT)


def _rows(axes: "Axes", names: list[str]) -> None:
    axes.set_yticks(np.arange(len(names)), names, fontsize=9)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    for text in axes.get_yticklabels():
        text.set_parse_math(False)  # a dollar sign in a name is no formula
