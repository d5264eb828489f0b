"""Rows that a person is told: a sequence that prints, gravest first where they have a severity."""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from html import escape
from textwrap import wrap
from typing import Literal, Protocol, TypeVar, overload

Severity = Literal["error", "warning", "info"]

WIDTH = 100

_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


class Graded(Protocol):
    """A row with a word for what it is, and how bad that is."""

    @property
    def kind(self) -> str: ...  # noqa: D102
    @property
    def severity(self) -> Severity: ...  # noqa: D102


Row = TypeVar("Row")
GradedRow = TypeVar("GradedRow", bound=Graded)


class Rows(Sequence[Row]):
    """Rows in the order in which they were given.

    >>> rows = Rows(["a", "b", "c"])
    >>> rows[0], rows[1:], len(rows), "c" in rows
    ('a', ('b', 'c'), 3, True)
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = tuple(rows)

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Row, ...]: ...
    def __getitem__(self, index: int | slice) -> Row | tuple[Row, ...]:
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows)


class GradedRows(Rows[GradedRow]):
    """Rows under a summary, gravest first; `ok` when none of them is an error."""

    def __init__(self, summary: str, rows: Iterable[GradedRow]) -> None:
        super().__init__(sorted(rows, key=lambda row: _ORDER.index(row.severity)))
        self.summary = summary

    @property
    def ok(self) -> bool:
        """Whether there is no error among them."""
        return not any(row.severity == "error" for row in self)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kind of each, in order."""
        return tuple(row.kind for row in self)

    @property
    def counts(self) -> str:
        """How many there are of each severity, as one line."""
        number = Counter(row.severity for row in self)
        return ", ".join(f"{number[s]} {s}{'s' * (number[s] != 1)}" for s in _ORDER)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.summary!r}, {self.counts})"


def found_and_fix(head: str, found: str, fix: str) -> list[str]:
    """Lines of a table's row: what was found beside its head, and below it what to do.

    >>> print("\\n".join(found_and_fix("error  dtype  ", "'probs' gives float16", "use float32")))
    error  dtype  'probs' gives float16
                  fix: use float32
    """
    indent = " " * len(head)
    lines = _wrapped(found, head, indent)
    return lines + (_wrapped(f"fix: {fix}", indent, f"{indent}     ") if fix else [])


def html_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Container[int] = ()
) -> str:
    """A table of text as HTML; a cell's lines are kept apart.

    Args:
        header: a name for each column.
        rows: a cell for each column.
        numbers: the columns that stand on the right.

    >>> html_table(["kind"], [["a < b"]]).replace(' style="text-align:left"', "")
    '<table><tr><th>kind</th></tr><tr><td>a &lt; b</td></tr></table>'
    """
    lines = [_html_row("th", header, numbers), *(_html_row("td", row, numbers) for row in rows)]
    return f"<table>{''.join(lines)}</table>"


def _html_row(tag: str, cells: Sequence[str], numbers: Container[int]) -> str:
    """A row; JupyterLab puts every cell on the right that does not say where it stands."""
    sides = ["right" if column in numbers else "left" for column in range(len(cells))]
    texts = [escape(cell).replace("\n", "<br>") for cell in cells]
    shown = (
        f'<{tag} style="text-align:{side}">{text}</{tag}>'
        for side, text in zip(sides, texts, strict=True)
    )
    return f"<tr>{''.join(shown)}</tr>"


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return wrap(
        text,
        max(WIDTH, len(others) + 40),
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )
