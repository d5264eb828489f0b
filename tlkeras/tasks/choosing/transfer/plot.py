"""What transfer brings, as a figure: accuracy against epochs left, against pictures right.

Imported only by `Transfer.plot`, since matplotlib is an extra.
"""

from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.wording import plain
from tlkeras.figures import INK, SERIES, SOFT, Plot
from tlkeras.intervals import wilson_interval
from tlkeras.tasks.choosing.curve_plot import draw_points, plain_axes
from tlkeras.tasks.choosing.learning_curve import points_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tlkeras.tasks.choosing.transfer.result import Transfer

MARKERS = ("o", "s", "^", "D")
WORDS = {
    True: "transfer helps",
    False: "transfer does not help",
    None: "too few pictures to tell whether transfer helps",
}


def figure(transfer: "Transfer") -> "Figure":
    """A figure with two panels, or one where no network was trained.

    Example::

        figure(tl.compare_with_scratch("flowers/")).savefig("transfer.png", dpi=150)
    """
    both = transfer.pretrained is not None
    plot = Plot(figsize=(11 if both else 6, 4.6), layout="constrained")
    panels = plot.subplots(1, 2 if both else 1, sharey=True, squeeze=False)[0]
    if both:
        _epochs(panels[0], transfer)
    _pictures(panels[-1], transfer)
    panels[0].set_ylabel("accuracy, %", color=SOFT)
    plot.suptitle(
        f"{plain(transfer.backbone)} on {transfer.pictures} pictures: {WORDS[transfer.helps]}",
        color=INK,
        fontsize=13,
        parse_math=False,
    )
    return plot


def _epochs(axes: "Axes", transfer: "Transfer") -> None:
    from matplotlib.ticker import MaxNLocator

    assert transfer.pretrained is not None
    courses = [("pretrained network", transfer.pretrained)]
    courses += [("untrained network", course) for course in transfer.untrained[-1:]]
    for (name, course), colour, marker in zip(courses, (SERIES[0], SERIES[1]), "os", strict=False):
        share = np.array(course.accuracy)
        at = np.arange(len(share))
        judged = len(course.right)
        ends = np.array([wilson_interval(round(one * judged), judged) for one in share])
        axes.fill_between(
            at, 100 * ends[:, 0], 100 * ends[:, 1], color=colour, alpha=0.12, linewidth=0
        )
        axes.plot(at, 100 * share, f"{marker}-", color=colour, markersize=4, label=name)
    _chance(axes, transfer)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel(
        f"epochs on {transfer.pretrained.pictures} pictures of {transfer.size_px} px", color=SOFT
    )
    _finish(axes)


def _pictures(axes: "Axes", transfer: "Transfer") -> None:
    colours = (SERIES[0], SERIES[2], SERIES[4])
    for (name, growth), colour, marker in zip(
        transfer.probes.items(), colours, MARKERS[:1] + MARKERS[2:], strict=True
    ):
        draw_points(axes, points_of(growth), colour, f"{marker}-", f"head on {name}")
    if transfer.untrained:
        at = [course.pictures for course in transfer.untrained]
        share = [100 * course.end for course in transfer.untrained]
        axes.plot(at, share, "s--", color=SERIES[1], label="untrained network, end to end")
    _chance(axes, transfer)
    axes.set_xscale("log")
    ticks = np.round(next(iter(transfer.probes.values())).pictures).astype(int).tolist()
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("pictures trained on, with 95 % intervals", color=SOFT)
    _finish(axes)


def _chance(axes: "Axes", transfer: "Transfer") -> None:
    axes.axhline(
        100 * transfer.baseline, color=SOFT, linewidth=1, linestyle=":", label="one answer for all"
    )


def _finish(axes: "Axes") -> None:
    plain_axes(axes)
    axes.set_ylim(0, 101)
    axes.legend(frameon=False, fontsize=9, labelcolor=INK, loc="best")
