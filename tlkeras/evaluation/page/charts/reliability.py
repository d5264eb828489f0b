"""How often a classifier is right when it is so and so sure, as a chart."""

from collections.abc import Sequence
from html import escape

from tlkeras.evaluation.calibration import Bin
from tlkeras.evaluation.page.charts.axes import Axes
from tlkeras.evaluation.wording import percent


def reliability(title: str, bins: Sequence[Bin]) -> str:
    """One `<svg>`: a point a bin with its interval; on the diagonal confidence is honest.

    >>> reliability("After", [Bin(0.8, 1.0, 10, 0.9, 0.8, (0.49, 0.94))]).count("<circle")
    1
    """
    axes = Axes(
        title,
        (0.0, 1.0),
        (0.0, 1.0),
        x_title="how sure it is",
        y_title="how often it is right",
        x_word=lambda share: percent(share, digits=0),
        y_word=lambda share: percent(share, digits=0),
    )
    (left, bottom), (right, top) = axes.place(0, 0), axes.place(1, 1)
    diagonal = (
        f'<line x1="{left}" y1="{bottom}" x2="{right}" y2="{top}" '
        'style="stroke:var(--soft);stroke-dasharray:4 4"/>'
    )
    most = max((one.count for one in bins), default=1)
    return axes.draw([diagonal, *(_point(axes, one, most) for one in bins)])


def _point(axes: Axes, one: Bin, most: int) -> str:
    x, y = axes.place(one.confidence, one.accuracy)
    low, high = one.interval
    radius = 2.5 + 4 * (one.count / most) ** 0.5
    told = (
        f"{one.count} answered with {percent(one.confidence)} on average, "
        f"{percent(one.accuracy)} of them right"
    )
    return (
        f'<line x1="{x}" x2="{x}" y1="{axes.place(0, low)[1]}" y2="{axes.place(0, high)[1]}" '
        'style="stroke:var(--c0);stroke-opacity:.45;stroke-width:2"/>'
        f'<circle cx="{x}" cy="{y}" r="{radius:.1f}" style="fill:var(--c0)">'
        f"<title>{escape(told)}</title></circle>"
    )
