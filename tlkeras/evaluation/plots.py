"""Results as one matplotlib figure: confusion matrix left, recall of every class right.

Imported only by `Report.plot`, since matplotlib is an extra.
"""

from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.page.heatmap import NUMBERED_CLASSES, strength
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import percent, plain, shortened, span
from tlkeras.figures import INK, LINE, RIGHT, SOFT, WRONG, Plot
from tlkeras.intervals import wilson_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(results: Results) -> "Figure":
    """A matplotlib figure with two panels; `.savefig("report.png")` writes it.

    Example::

        figure(results).savefig("report.png", dpi=150)
    """
    classes = len(results.class_names)
    names = [shortened(name, 26) for name in results.class_names]
    font = float(np.clip(330 / max(classes, 33), 4.5, 10))
    # Inches: the squares, and the names beside and, turned, above them.
    square = float(np.clip(0.36 * classes, 2.6, 12.0))
    label = max(len(name) for name in names) * font * 0.0085
    widths = [square + 1.8 * label + 0.7, 3.6 + label]
    plot = Plot(figsize=(sum(widths) + 0.6, square + 0.8 * label + 1.3), layout="constrained")
    left, right = plot.subplots(1, 2, width_ratios=widths)
    _confusion(left, results, names, font)
    _recall(right, results, font)
    headline = f"{percent(results.accuracy)} of {len(results)} right"
    plot.suptitle(
        f"{plain(results.title)}: {headline} (95 % interval {span(results.interval)})",
        color=INK,
        fontsize=13,
        parse_math=False,
    )
    return plot


def _confusion(axes: "Axes", results: Results, names: list[str], font: float) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    confusion = results.confusion
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    own = np.eye(len(confusion), dtype=bool)
    for colour, cells in ((RIGHT, own), (WRONG, ~own)):
        shade = LinearSegmentedColormap.from_list("shade", ["#f1f4f7", colour])
        tones = np.where(shares > 0, strength(shares, right=colour == RIGHT), 0.0)
        shown: np.ma.MaskedArray = np.ma.masked_array(tones, ~cells)
        axes.imshow(shown, cmap=shade, vmin=0, vmax=1)
    places = np.arange(len(names))
    axes.set_xticks(places, names, rotation=45, ha="left", rotation_mode="anchor", fontsize=font)
    axes.set_yticks(places, names, fontsize=font)
    axes.xaxis.tick_top()
    axes.tick_params(length=0, colors=INK)
    axes.set_xticks(places[1:] - 0.5, minor=True)
    axes.set_yticks(places[1:] - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.2)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    axes.set_xlabel("answer", color=SOFT)
    axes.set_ylabel("true class", color=SOFT)
    _literal(axes)
    if len(names) > NUMBERED_CLASSES:
        return
    for row, column in np.argwhere(confusion):
        strong = strength(shares[row, column], row == column) > 0.7
        axes.text(
            column,
            row,
            str(confusion[row, column]),
            ha="center",
            va="center",
            fontsize=font,
            color="white" if strong else INK,
        )


def _recall(axes: "Axes", results: Results, font: float) -> None:
    scores = results.per_class
    places = np.arange(len(scores))
    for place, score in zip(places, scores, strict=True):
        if not score.support:
            axes.text(0.01, place, "no pictures", va="center", color=SOFT, fontsize=font)
            continue
        low, high = wilson_interval(int(results.confusion[place, place]), score.support)
        axes.barh(place, score.recall, height=0.5, color=RIGHT, alpha=0.3)
        axes.plot([low, high], [place, place], color=RIGHT, linewidth=1.6, solid_capstyle="round")
        axes.plot(score.recall, place, "o", color=RIGHT, markersize=5, clip_on=False)
        axes.text(1.03, place, f"n = {score.support}", va="center", color=SOFT, fontsize=font)
    axes.set_yticks(places, [shortened(score.name, 26) for score in scores], fontsize=font)
    axes.set_ylim(len(scores) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 5), ["0", "25", "50", "75", "100 %"])
    axes.set_xlabel("recall, with 95 % interval", color=SOFT)
    axes.tick_params(length=0, colors=INK)
    axes.grid(axis="x", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[:].set_visible(False)
    _literal(axes)


def _literal(axes: "Axes") -> None:
    """Class names with a dollar sign are names, not formulas."""
    for text in [*axes.get_xticklabels(), *axes.get_yticklabels()]:
        text.set_parse_math(False)
