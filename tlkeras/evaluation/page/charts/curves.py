"""Training curves: of each phase the losses and the accuracies, over epochs or settings tried.

history rows ─ by phase ─▶ loss, val_loss │ accuracy, val_accuracy
"""

from collections.abc import Mapping, Sequence
from html import escape
from math import floor, isfinite, log10

from tlkeras.evaluation.page.charts.axes import Axes
from tlkeras.evaluation.wording import percent

Row = Mapping[str, object]
Points = list[tuple[float, float]]

_SERIES = {
    "loss": (("loss", "training", "--c0"), ("val_loss", "validation", "--c1")),
    "accuracy": (("accuracy", "training", "--c0"), ("val_accuracy", "validation", "--c1")),
}
_MOST_TICKS = 7
_MOST_POINTS = 400


def curves(history: Sequence[Row]) -> list[tuple[str, list[str]]]:
    """Of each phase its name and its charts; nothing of a phase with no figures.

    >>> rows = [{"phase": "head", "epoch": e, "loss": 1 / e, "val_loss": 2 / e} for e in (1, 2, 3)]
    >>> [(name, len(charts)) for name, charts in curves(rows)]
    [('head', 1)]
    """
    phases: dict[str, list[Row]] = {}
    for row in history:
        phases.setdefault(str(row.get("phase", "training")), []).append(row)
    drawn = [(name, _charts(rows)) for name, rows in phases.items()]
    return [(name, charts) for name, charts in drawn if charts]


def _charts(rows: list[Row]) -> list[str]:
    charts = []
    for what, series in _SERIES.items():
        lines = [(word, colour, _points(rows, key)) for key, word, colour in series]
        lines = [line for line in lines if line[2]]
        if lines:
            charts.append(_chart(what, lines, _steps_of(rows)))
    return charts


def _steps_of(rows: list[Row]) -> str:
    return "strength" if "strength" in rows[0] else "epoch"


def _points(rows: list[Row], key: str) -> Points:
    """(step, value) of rows that have both; strengths by their power of ten."""
    found: Points = []
    for number, row in enumerate(rows, start=1):
        value, strength = _number(row.get(key)), _number(row.get("strength"))
        step = log10(strength) if strength else _number(row.get("epoch")) or float(number)
        if value is not None:
            found.append((step, value))
    return found[:: -(-len(found) // _MOST_POINTS)] if found else found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and isfinite(value) else None


def _chart(what: str, lines: list[tuple[str, str, Points]], step: str) -> str:
    xs = [x for _, _, points in lines for x, _ in points]
    ys = [y for _, _, points in lines for _, y in points]
    wide = (min(xs), max(xs)) if max(xs) > min(xs) else (min(xs) - 0.5, min(xs) + 0.5)
    axes = Axes(
        what.capitalize(),
        wide,
        (0.0, max(ys) * 1.05 or 1.0)
        if what == "loss"
        else (floor(min(0.9, min(ys)) * 10 + 1e-9) / 10, 1.0),
        x_title="epoch" if step == "epoch" else "strength C (larger: less regularised)",
        x_word=(lambda power: f"1e{power:g}") if step == "strength" else "{:g}".format,
        y_word=(lambda share: percent(share, digits=0)) if what == "accuracy" else "{:g}".format,
    )
    inside = [_line(axes, points, colour) for _, colour, points in lines]
    inside += [_best(axes, *line, what) for line in lines if line[0] == "validation"]
    inside.append(_legend(lines))
    return axes.draw(inside, _whole(wide))


def _whole(wide: tuple[float, float]) -> list[float]:
    """Whole numbers from end to end, at most `_MOST_TICKS`."""
    low, high = round(wide[0] + 0.499), int(wide[1] // 1)
    step = max(1, -(-(high - low + 1) // _MOST_TICKS))
    return [float(number) for number in range(low, high + 1, step)] or [wide[0]]


def _line(axes: Axes, points: Points, colour: str) -> str:
    places = [axes.place(*point) for point in points]
    if len(places) == 1:
        x, y = places[0]
        return f'<circle cx="{x}" cy="{y}" r="3.5" style="fill:var({colour})"/>'
    told = " ".join(f"{x},{y}" for x, y in places)
    return f'<polyline points="{told}" style="fill:none;stroke:var({colour});stroke-width:2"/>'


def _best(axes: Axes, word: str, colour: str, points: Points, what: str) -> str:
    """A ring around the lowest loss or the first of the highest accuracies."""
    sign = 1 if what == "loss" else -1
    best = min(points, key=lambda point: sign * point[1])
    x, y = axes.place(*best)
    shown = f"{best[1]:.3f}" if what == "loss" else percent(best[1])
    name = "lowest" if what == "loss" else "highest"
    return (
        f'<circle cx="{x}" cy="{y}" r="5" '
        f'style="fill:var(--card);stroke:var({colour});stroke-width:2">'
        f"<title>{escape(f'{name} {what} in {word}: {shown}')}</title></circle>"
    )


def _legend(lines: list[tuple[str, str, Points]]) -> str:
    parts, right = [], 424
    for word, colour, _ in reversed(lines):
        right -= 7 * len(word)
        parts.append(
            f'<text class="soft" x="{right}" y="16">{word}</text>'
            f'<line x1="{right - 20}" x2="{right - 5}" y1="12" y2="12" '
            f'style="stroke:var({colour});stroke-width:3"/>'
        )
        right -= 32
    return "".join(parts)
