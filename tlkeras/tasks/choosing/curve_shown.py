"""A learning curve in words: for a terminal, a notebook and JSON."""

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.wording import percent, plain, shortened, span
from tlkeras.selection.outlook import CONFIDENCE, Estimate

if TYPE_CHECKING:
    from tlkeras.tasks.choosing.learning_curve import LearningCurve

WORTH = 1.0  # points of accuracy for twice the pictures that are worth the work
FAR = 20.0  # times the pictures: nobody collects more, and no law reaches so far
NAME_WIDTH, MOST_ROWS = 28, 50


def verdict(curve: "LearningCurve") -> str:
    """Whether more pictures would help, in one or two sentences."""
    gain, first = curve.gain(2), f"{curve.pictures} pictures"
    bring = f"twice as many would bring {_points(gain)} more"
    if gain.high < WORTH:
        return f"More pictures like these {first} would hardly help: {bring}."
    if gain.low < WORTH / 2:
        return (
            f"{first} do not tell whether more would help: {bring}, which may be nothing. "
            "Ask again when there are half as many more."
        )
    more = curve.pictures_for()
    return f"More pictures would help: {bring}. {_five_points(curve, more)}{_classes(curve)}"


def to_text(curve: "LearningCurve") -> str:
    """Several lines for a terminal, without a newline at the end."""
    lines = [
        f"Learning curve of a linear head on {plain(curve.backbone)}, {curve.pictures} pictures "
        f"of {len(curve.class_names)} classes",
        verdict(curve),
        "",
        "pictures  accuracy",
        *(f"{at:>8}  {share:>8}  {interval}" for at, share, interval in _points_table(curve)),
        "",
    ]
    header, *rows = _class_table(curve)
    width = max(len(row[0]) for row in (header, *rows))
    lines += [
        f"{name:<{width}}  {count:>8}  {now:>10}  {twice:>18}  {more}".rstrip()
        for name, count, now, twice, more in (header, *rows)
    ]
    lines += [_footnote(curve), *map(plain, curve.notes)]
    return "\n".join(lines)


def to_html(curve: "LearningCurve") -> str:
    """The same as a fragment of HTML for a notebook."""
    points = "".join(_row("td", row) for row in _points_table(curve))
    header, *rows = _class_table(curve)
    return (
        f"<p>{escape(verdict(curve))}</p>"
        f"<table><tr><th>pictures</th><th>accuracy</th><th></th></tr>{points}</table>"
        f"<table>{_row('th', header)}{''.join(_row('td', row) for row in rows)}</table>"
        f"<p>{escape(_footnote(curve))}</p>"
    )


def to_dict(curve: "LearningCurve") -> dict[str, object]:
    """Every number, as JSON can hold it."""
    present = [
        name for name, found in zip(curve.class_names, curve.per_class, strict=True) if found
    ]
    return {
        "backbone": curve.backbone,
        "pictures": curve.pictures,
        "verdict": verdict(curve),
        "confidence_of_estimates": CONFIDENCE,
        "points": [
            {"pictures": p.pictures, "accuracy": p.accuracy, "interval": list(p.interval)}
            for p in curve.points
        ],
        "accuracy_now": curve.accuracy(curve.pictures).to_dict(),
        "points_for_twice_the_pictures": curve.gain(2).to_dict(),
        "more_pictures_for_5_points": curve.pictures_for(5).to_dict(),
        "per_class": {
            name: {
                "pictures": curve.counts[curve.class_names.index(name)],
                "recall_now": curve.accuracy(curve.pictures, name).to_dict(),
                "points_for_twice_the_pictures": curve.gain(2, name).to_dict(),
                "more_pictures_for_5_points": curve.pictures_for(5, name).to_dict(),
            }
            for name in present
        },
        "notes": list(curve.notes),
    }


def more_pictures(more: Estimate, now: int) -> str:
    """How many more pictures, in a few words; nothing is foretold far beyond what there is.

    >>> more_pictures(Estimate(41.3, 22.0, 118.0), 40), more_pictures(Estimate(9e9, 55, 1e12), 40)
    ('about 41 (22 to 120)', "can't tell, 55 or more")
    """
    far = FAR * now
    if more.low > far:
        return f"out of reach, over {_round(far)}"
    if more.about > far:
        return f"can't tell, {_round(more.low)} or more"
    high = f" to {_round(more.high)}" if more.high <= far else " or more, can't tell how many"
    return f"about {_round(more.about)} ({_round(more.low)}{high})"


def _points_table(curve: "LearningCurve") -> list[tuple[str, str, str]]:
    rows = [
        (f"{p.pictures:.0f}", percent(p.accuracy), f"95 % interval {span(p.interval)}")
        for p in curve.points
    ]
    for factor, label in ((1, "foretold"), (2, "foretold, twice as many")):
        at = factor * curve.pictures
        found = curve.accuracy(at)
        interval = f"80 % interval {span((found.low, found.high))}, {label}"
        rows.append((f"{at}", percent(found.about), interval))
    return rows


def _class_table(curve: "LearningCurve") -> list[tuple[str, str, str, str, str]]:
    rows = []
    for name, count, outlook in zip(curve.class_names, curve.counts, curve.per_class, strict=True):
        if outlook is None:
            rows.append((-np.inf, (shortened(name, NAME_WIDTH), "0", "-", "-", "no pictures")))
            continue
        gain = curve.gain(2, name)
        now = percent(curve.accuracy(curve.pictures, name).about)
        twice = f"+{gain.low:.1f} to +{gain.high:.1f}"
        more = more_pictures(curve.pictures_for(class_name=name), count)
        cells = (shortened(name, NAME_WIDTH), str(count), now, twice, more)
        rows.append((gain.about, cells))
    rows.sort(key=lambda row: -row[0])
    header = ("class", "pictures", "recognised", "points for twice", "more of it for 5 points")
    return [header, *(cells for _, cells in rows[:MOST_ROWS])]


def _footnote(curve: "LearningCurve") -> str:
    left_out = len(curve.class_names) - MOST_ROWS
    cut = f"{left_out} classes with less to gain are not shown. " if left_out > 0 else ""
    return (
        f"{cut}Foretold by a power law as if every class grew alike, with 80 % intervals; of one "
        "class they are wide."
    )


def _five_points(curve: "LearningCurve", more: Estimate) -> str:
    if more.low > FAR * curve.pictures:
        return "5 points more are out of reach this way."
    needed = more_pictures(more, curve.pictures)
    return f"More pictures for 5 points more, all classes together: {needed}."


def _classes(curve: "LearningCurve") -> str:
    """The classes that gain clearly more than all together, if the pictures tell."""
    overall = curve.gain(2)
    best = [
        (gain.about, name)
        for name, outlook in zip(curve.class_names, curve.per_class, strict=True)
        if outlook is not None and (gain := curve.gain(2, name)).low > overall.about
    ]
    if not best:
        return " Which class would gain most can't be told from so few."
    names = [plain(name) for _, name in sorted(best, reverse=True)[:3]]
    return f" Most would be gained in {', '.join(names)}."


def _points(gain: Estimate) -> str:
    return f"about {gain.about:.1f} points ({gain.low:.1f} to {gain.high:.1f})"


def _round(number: float) -> str:
    """Two digits: more would be made up."""
    if number < 10:
        return str(max(1, round(number)))
    digits = int(np.floor(np.log10(number))) - 1
    return f"{round(number / 10**digits) * 10**digits:,}"


def _row(tag: str, cells: tuple[str, ...]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
