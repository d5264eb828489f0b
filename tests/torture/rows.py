"""One row of the table of `python -m tests.torture`: what was done to it, and what came of it."""

import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HEADS = ("part", "what was done", "done", "wrong", "worst")
WIDTH = 80  # of the lines below the table


@dataclass(frozen=True)
class Row:
    """One kind of torture and its outcome.

    >>> row = Row("images", "opened mutated files", 20_000, 0, "0.8 s", "no crash, no hang")
    >>> row.ok
    True

    Attributes:
        part: kills, images, zoo, cache or disk.
        what: what was done, as a short phrase.
        done: how many times.
        wrong: how many of these ended as they must not; more than 0 fails the run.
        worst: the worst figure that was met, with its unit; empty where there is none.
        said: one sentence: what was looked at, and of what went wrong the first.
    """

    part: str
    what: str
    done: int
    wrong: int
    worst: str = ""
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether it was done and nothing went wrong; what was not done proves nothing."""
        return self.done > 0 and not self.wrong


def not_done(part: str, what: str, why: str) -> Row:
    """The row of what the time or the machine did not allow; it is not ok.

    >>> not_done("disk", "filled a disk", "only root may mount one").said
    'not done: only root may mount one'
    """
    return Row(part, what, 0, 0, "", f"not done: {why}")


def verdict(rows: Sequence[Row]) -> str:
    """How it went in a few words.

    >>> verdict([Row("zoo", "opened hostile files", 9, 0), not_done("zoo", "made them", "late")])
    '1 of 2 rows not done'
    """
    wrong = sum(row.wrong > 0 for row in rows)
    undone = sum(not row.ok for row in rows) - wrong
    kinds = ((wrong, "wrong"), (undone, "not done"))
    said = [f"{number} of {len(rows)} rows {how}" for number, how in kinds if number]
    return ", ".join(said) or "all well"


def as_text(rows: Iterable[Row]) -> str:
    """The rows as a table of aligned columns and a list of what they say, in GitHub's Markdown.

    >>> print(as_text([Row("zoo", "opened hostile files", 9, 0, "1.5 s", "none fired")]))
    | part | what was done        | done | wrong | worst |
    | ---- | -------------------- | ---: | ----: | ----- |
    | zoo  | opened hostile files |    9 |     0 | 1.5 s |
    <BLANKLINE>
    - opened hostile files: none fired
    """
    rows = list(rows)
    table = [HEADS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [_line(cells, widths) for cells in table]
    words = [_words(row) for row in rows if row.said]
    return "\n".join([lines[0], _rule(widths), *lines[1:], "", *words]).strip()


def write(rows: Sequence[Row], path: Path) -> None:
    """Leave the rows as JSON, for the process that asked for them."""
    path.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")


def read(path: Path) -> list[Row]:
    """The rows that `write` left."""
    return [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]


def _cells(row: Row) -> tuple[str, ...]:
    wrong = f"{row.wrong:,}" if row.wrong or row.done else "-"
    return row.part, row.what, f"{row.done:,}", wrong, row.worst


def _words(row: Row) -> str:
    said = " ".join(f"{row.what}: {row.said}".split())
    return textwrap.fill(said, WIDTH, initial_indent="- ", subsequent_indent="  ")


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (2, 3)
    padded = [
        cell.rjust(width) if place in numbers else cell.ljust(width)
        for place, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"


def _rule(widths: Sequence[int]) -> str:
    marks = [
        "-" * (width - 1) + ":" if place in (2, 3) else "-" * width
        for place, width in enumerate(widths)
    ]
    return f"| {' | '.join(marks)} |"
