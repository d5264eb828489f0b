"""CSV tables: pictures as rows, and any rows as a text that is read back the same."""

import csv
import io
import logging
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path

from tlkeras.data.picture import printable
from tlkeras.errors import DataError

logger = logging.getLogger(__name__)

NEEDED = ("path", "label")
OPTIONAL = ("split", "group")


def csv_rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """(line number, values by lower-case column name) of each row that is not empty.

    The order of the columns is free. Others than path, label, split and group are told in the
    log, with the one they may be meant for.

    Raises:
        DataError: no such file, not UTF-8, or without one of the columns.

    Example::

        for line, row in csv_rows(Path("flowers.csv")):
            row["path"], row["label"], row.get("split", "")
    """
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            _check(table, header)
            for values in reader:
                if any(values):
                    yield reader.line_num, dict(zip(header, map(str.strip, values), strict=False))
    except (OSError, UnicodeError, csv.Error) as err:
        raise DataError(
            f"Expected a comma-separated UTF-8 table of pictures, got {printable(table)}: {err}. "
            "Check the name and save it as CSV UTF-8."
        ) from err


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Rows as CSV, a line each; values are quoted where they have to be.

    >>> csv_text([["path", "label"], ["Icon\\r", "a,b"]])
    'path,label\\n"Icon\\r","a,b"\\n'
    """
    text = io.StringIO(newline="")
    plain = csv.writer(text, lineterminator="\n")
    # Python's writer leaves a lone carriage return bare, and its reader ends the row there.
    quoted = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    for row in rows:
        (quoted if any("\r" in str(value) for value in row) else plain).writerow(row)
    return text.getvalue()


def _check(table: Path, header: Sequence[str]) -> None:
    missing = [name for name in NEEDED if name not in header]
    if missing:
        got = ", ".join(map(printable, header)) or "an empty file"
        raise DataError(
            f"Expected the columns path and label (and perhaps split, group) in "
            f"{printable(table)}, got {got}: {' and '.join(missing)} missing. Name them in the "
            "first line, separated by commas."
        )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(
            f"Expected each column once in {printable(table)}, got "
            f"{', '.join(map(printable, twice))} more than once. Rename or delete one."
        )
    known = (*NEEDED, *OPTIONAL)
    for name in header:
        if name not in known:
            close = get_close_matches(name, [each for each in known if each not in header], n=1)
            meant = f"; is it meant for {close[0]}?" if close else ""
            logger.warning(
                "the column %s of %s is not used%s", printable(name), printable(table), meant
            )
