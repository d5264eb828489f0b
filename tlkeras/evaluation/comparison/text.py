"""A comparison as plain text for a terminal, and as a table for a notebook."""

from html import escape
from textwrap import wrap

from tlkeras.evaluation.comparison.comparison import Comparison, Row
from tlkeras.evaluation.wording import columns, percent, plain, shortened, span
from tlkeras.rows import html_table

FLIPS = 10
PAIRS = 15
NAME_WIDTH = 36
HEADER = ("classifier", "right", "accuracy", "95 % interval", "model file", "a picture")


def to_text(comparison: Comparison) -> str:
    """Several lines, without a newline at their end: table, sentences, the first flips."""
    cells = [HEADER, *map(_cells, comparison.table)]
    widths = [max(columns(row[column]) for row in cells) for column in range(len(HEADER))]
    lines = [f"Comparison on {len(comparison):,} pictures", ""]
    for name, *numbers in cells:
        padded = name + " " * (widths[0] - columns(name))
        shown = [
            " " * (width - columns(cell)) + cell
            for cell, width in zip(numbers, widths[1:], strict=True)
        ]
        lines.append("  ".join([padded, *shown]))
    for sentence in _said(comparison):
        lines += ["", *wrap(plain(sentence), 95, break_long_words=False, break_on_hyphens=False)]
    return "\n".join([*lines, *_flips(comparison)])


def to_html(comparison: Comparison) -> str:
    """Tables for a notebook; every name from outside is escaped."""
    table = html_table(HEADER, map(_cells, comparison.table), numbers=range(1, len(HEADER)))
    said = "".join(f"<p>{escape(plain(s))}</p>" for s in _said(comparison))
    return (
        f"<p>Comparison on {len(comparison):,} pictures</p>{table}{said}{_flip_table(comparison)}"
    )


def _cells(row: Row) -> tuple[str, ...]:
    return (
        shortened(row.name, NAME_WIDTH),
        f"{row.correct:,}",
        percent(row.accuracy),
        span(row.interval),
        "-" if row.size_mb is None else f"{_figure(row.size_mb)} MB",
        "-" if row.ms_per_picture is None else f"{_figure(row.ms_per_picture)} ms",
    )


def _said(comparison: Comparison) -> list[str]:
    """Sentences about the pairs and the notes; of very many pairs the most uneven ones."""
    pairs = sorted(comparison.pairs, key=lambda pair: pair.p)
    left = len(pairs) - PAIRS
    kept = [pair for pair in comparison.pairs if left <= 0 or pair in pairs[:PAIRS]]
    more = [f"{left:,} pairs that are less uneven are in --json and .pairs."] if left > 0 else []
    return [*(pair.sentence for pair in kept), *more, *comparison.notes]


def _flips(comparison: Comparison) -> list[str]:
    flips = comparison.flips
    if not flips:
        return []
    names = ", ".join(shortened(row.name, NAME_WIDTH) for row in comparison.table)
    count = f"{len(flips):,} {'picture' if len(flips) == 1 else 'pictures'}"
    lines = ["", f"Not answered alike: {count} (answers of {names})"]
    for flip in flips[:FLIPS]:
        answers = ", ".join(shortened(answer, NAME_WIDTH) for answer in flip.answers)
        lines.append(f"  {plain(flip.path)} is {shortened(flip.truth, NAME_WIDTH)}: {answers}")
    if len(flips) > FLIPS:
        lines.append(f"  and {len(flips) - FLIPS:,} more, all of them in --json and .flips")
    return lines


def _flip_table(comparison: Comparison) -> str:
    flips = comparison.flips
    if not flips:
        return ""
    header = ("picture", "true class", *(row.name for row in comparison.table))
    rows = [(flip.path, flip.truth, *flip.answers) for flip in flips[:FLIPS]]
    table = html_table([plain(cell) for cell in header], [[plain(c) for c in r] for r in rows])
    left = len(flips) - FLIPS
    more = f"<p>and {left:,} more in .flips</p>" if left > 0 else ""
    return f"<p>Not answered alike: {len(flips):,}</p>{table}{more}"


def _figure(value: float) -> str:
    return f"{value:.1f}" if value >= 0.1 else f"{value:.2g}"
