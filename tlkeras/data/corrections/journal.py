"""The journal of corrections: `labels.csv` in the root folder, one row a correction.

    time,path,label,was,reason
    2026-01-31T09:15:00Z,rose/7.jpg,daisy,rose,white petals
    2026-01-31T09:16:10Z,rose/9.jpg,,rose,a drawing

The path is relative to the folder, with slashes; an empty label leaves the picture out. Of
several rows about a picture the last one holds. A `labels.csv` with other columns belongs to
somebody else: it is neither read nor written.
"""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tlkeras.data.columns.csv_rows import csv_text
from tlkeras.data.picture import printable
from tlkeras.disk import write_bytes
from tlkeras.errors import DataError

JOURNAL_NAME = "labels.csv"

_COLUMNS = ("time", "path", "label", "was", "reason")
_SEPARATORS = (",", ";", "\t")  # spreadsheets of some countries save the others


@dataclass(frozen=True)
class Correction:
    """One row: the picture, its new label (None: left out), and the one it had before.

    >>> str(Correction("2026-01-31T09:15:00Z", "rose/7.jpg", "daisy", "rose", "white petals"))
    'rose/7.jpg: rose → daisy (white petals)'
    """

    time: str
    path: str
    label: str | None
    was: str | None
    reason: str = ""
    line: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return f"{printable(self.path)}: {change(self.was, self.label)}" + (
            f" ({printable(self.reason)})" if self.reason else ""
        )


@dataclass(frozen=True)
class Journal:
    """The rows of a journal, oldest first, and what of the file is no correction.

    `foreign` says why the file is not a journal, empty where it is one or there is none;
    `broken` are rows that cannot be read, as text.
    """

    corrections: tuple[Correction, ...] = ()
    broken: tuple[str, ...] = ()
    foreign: str = ""

    def last(self) -> dict[str, Correction]:
        """The correction that holds for each path."""
        return {one.path: one for one in self.corrections}


def change(was: str | None, label: str | None) -> str:
    """What a correction does to a label, in a few words.

    >>> change("rose", "daisy"), change("rose", None), change("rose", "rose")
    ('rose → daisy', 'rose → left out', 'rose, as it is')
    """
    if label == was:
        return f"{printable(label)}, as it is" if label else "left out, as it was"
    return " → ".join(printable(name) if name else "left out" for name in (was, label))


def read_journal(root: Path) -> Journal:
    """The journal of a folder, empty where there is none.

    Raises:
        DataError: there is a file of that name which cannot be read.

    >>> read_journal(Path("no/such/folder")).corrections
    ()
    """
    rows = _rows(root / JOURNAL_NAME)
    if rows is None:
        return Journal()
    header = [name.strip().lower() for name in rows[0]] if rows else []
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        found = ", ".join(printable(name) for name in header[:8]) or "no columns"
        return Journal(
            foreign=f"{JOURNAL_NAME} has {found}, not {', '.join(_COLUMNS)}: "
            "it is not a journal of corrections"
        )
    corrections: list[Correction] = []
    broken: list[str] = []
    for line, values in enumerate(rows[1:], 2):
        if not any(values):
            continue
        row = dict(zip(header, values, strict=False))
        path = row.get("path", "").removeprefix("./")
        if not path or "label" not in row:
            broken.append(f"row {line}: no {'label' if path else 'path'}")
            continue
        said = (row["label"] or None, row.get("was") or None, row.get("reason", ""))
        corrections.append(Correction(row.get("time", ""), path, *said, line=line))
    return Journal(tuple(corrections), tuple(broken))


def append(root: Path, corrections: Sequence[Correction]) -> None:
    """Write corrections below the others; the file is complete before it takes its name."""
    target = root / JOURNAL_NAME
    rows = _rows(target) or [list(_COLUMNS)]
    header = [name.strip().lower() for name in rows[0]]
    for one in corrections:
        values = {
            "time": one.time,
            "path": one.path,
            "label": one.label or "",
            "was": one.was or "",
            "reason": one.reason,
        }
        rows.append([values.get(name, "") for name in header])
    _write(target, rows)


def drop_last(root: Path, count: int) -> None:
    """Take the last `count` corrections off the file; other rows stay."""
    target = root / JOURNAL_NAME
    rows = _rows(target) or []
    going = {one.line for one in read_journal(root).corrections[-count:]} if count else set()
    _write(target, [row for line, row in enumerate(rows, 1) if line not in going])


def _rows(path: Path) -> list[list[str]] | None:
    """Every row of the file, its header first; None where there is no file."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "surrogateescape")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as err:
        raise DataError(
            f"Expected a journal of corrections that can be read. Received: {printable(path)!r}: "
            f"{err.strerror}. Check its permissions, or rename it."
        ) from err
    first = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=first.count)
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error:
        return [["not a table"]]


def _write(target: Path, rows: Sequence[Sequence[str]]) -> None:
    try:
        write_bytes(target, csv_text(rows).encode("utf-8", "surrogateescape"))
    except OSError as err:
        raise DataError(
            f"Expected a folder in which {JOURNAL_NAME} can be written. Received: "
            f"{printable(target.parent)!r}: {err}. Make it writable, or work on a copy."
        ) from err
