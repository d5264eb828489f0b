"""A ranking as text for a terminal and as HTML for a notebook."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from html import escape

from tlkeras.data.picture import printable
from tlkeras.selection.candidate import Candidate, LeftOut
from tlkeras.selection.ranking import Ranking

MANY = 3  # left out for one reason: they are counted, and only the first is named
HEADERS = (
    "",
    "backbone",
    "accuracy",
    "95 % interval",
    "kNN",
    "LogME",
    "H-score",
    "ms",
    "peak MB",
    "MB",
    "top-1",
    "licence",
)
LEFT = (0, 1, len(HEADERS) - 1)  # columns of words
FOOTNOTE = (
    "* not to be told from the best. accuracy: of a linear head trained on all other pictures. "
    "ms: a picture through the backbone, all cores busy, on this machine. peak MB: of a process "
    "that runs the backbone alone. MB: of the saved model. top-1: published, on ImageNet."
)


def to_text(ranking: Ranking) -> str:
    """The table, the reason, notes and what was left out, as lines of plain text.

    Example::

        print(to_text(ranking))
    """
    rows = [HEADERS, *_rows(ranking)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(HEADERS))]
    lines = ["  ".join(_aligned(row, widths)).rstrip() for row in rows]
    notes = [FOOTNOTE, *ranking.notes, *_told(ranking.left_out)]
    return "\n".join([printable(ranking.reason), "", *lines, "", *notes])


def to_html(ranking: Ranking) -> str:
    """The same as an HTML fragment.

    Example::

        IPython.display.HTML(to_html(ranking))
    """
    head = _html_cells(HEADERS, "th")
    body = "".join(f"<tr>{_html_cells(row, 'td')}</tr>" for row in _rows(ranking))
    notes = [FOOTNOTE, *ranking.notes, *_told(ranking.left_out)]
    return (
        f"<p>{escape(ranking.reason)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        + "".join(f"<p><small>{escape(note)}</small></p>" for note in notes)
    )


def _rows(ranking: Ranking) -> list[tuple[str, ...]]:
    short = ranking.shortlist
    return [_row(one, one in short) for one in ranking.table]


def _row(one: Candidate, short: bool) -> tuple[str, ...]:
    low, high = one.interval
    return (
        "*" if short else "",
        printable(one.name),
        f"{100 * one.accuracy:.1f} %",
        f"{100 * low:.1f} to {100 * high:.1f} %",
        f"{100 * one.knn:.1f} %",
        f"{one.logme:.3f}",
        f"{one.h_score:.2f}",
        _figure(one.ms_per_picture, lambda ms: f"{ms:.2f}" if ms < 10 else f"{ms:.0f}"),
        _figure(one.peak_mb, lambda mb: f"{mb:.0f}"),
        _figure(one.size_mb, lambda mb: f"{mb:.1f}" if mb < 100 else f"{mb:.0f}"),
        _figure(one.published_top1, lambda top1: f"{top1:.1f} %"),
        printable(one.licence) or "not stated",
    )


def _figure(value: float | None, write: Callable[[float], str]) -> str:
    return "-" if value is None else write(value)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        cell.ljust(width) if place in LEFT else cell.rjust(width)
        for place, (cell, width) in enumerate(zip(row, widths, strict=True))
    ]


def _html_cells(row: Sequence[str], tag: str) -> str:
    sides = ("left" if place in LEFT else "right" for place in range(len(row)))
    return "".join(
        f'<{tag} style="text-align:{side}">{escape(cell)}</{tag}>'
        for side, cell in zip(sides, row, strict=True)
    )


def _told(left_out: Sequence[LeftOut]) -> list[str]:
    """One line a reason; of many backbones with the same one the first is named."""
    by_reason: dict[str, list[str]] = defaultdict(list)
    for one in left_out:
        by_reason[one.reason].append(printable(one.name))
    return [
        f"left out: {', '.join(names)} ({reason})"
        if len(names) <= MANY
        else f"left out: {len(names)} backbones such as {names[0]} ({reason})"
        for reason, names in by_reason.items()
    ]
