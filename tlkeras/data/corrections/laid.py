"""A journal laid over a listing: new labels, pictures left out, and the rows that fit nothing."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlkeras.data.columns.paths import Paths
from tlkeras.data.corrections.journal import JOURNAL_NAME, Correction, Journal, change
from tlkeras.data.picture import SetAside, printable


@dataclass(frozen=True)
class InForce:
    """The corrections that hold in a data set.

    `relabelled` are the pictures with another label than their folder's, `changes` one text for
    each of them; `left_out` those that are not used; `unused` tells of rows that fit no picture
    or no class; `foreign` says why a `labels.csv` is not a journal.
    """

    relabelled: tuple[Path, ...] = ()
    changes: tuple[str, ...] = ()
    left_out: tuple[SetAside, ...] = ()
    unused: tuple[str, ...] = ()
    foreign: str = ""

    def __len__(self) -> int:
        return len(self.relabelled) + len(self.left_out)

    def __str__(self) -> str:
        return (
            f"{len(self):,} correction{'s' * (len(self) != 1)} of {JOURNAL_NAME} in force: "
            f"{len(self.relabelled):,} relabelled, {len(self.left_out):,} left out"
        )


def lay_over(
    root: Path, journal: Journal, paths: Paths, labels: np.ndarray, class_names: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, InForce]:
    """(labels int32 (n,) after the corrections, rows int64 (k,) that are used, what is in force).

    Args:
        root: the folder that the journal's paths are relative to.
        journal: the corrections.
        paths: of the n pictures.
        labels: int32 (n,), by their folders.
        class_names: what a label is an index into, and what a correction may name.

    >>> paths = Paths([Path("set/a/1.png"), Path("set/b/1.png")])
    >>> journal = Journal((Correction("", "a/1.png", "b", "a"),))
    >>> new, used, force = lay_over(Path("set"), journal, paths, np.array([0, 1]), ("a", "b"))
    >>> new.tolist(), used.tolist(), force.changes
    ([1, 1], [0, 1], ('a → b',))
    """
    last = journal.last()
    rows = paths.rows_of(root / path for path in last)
    number = {name: label for label, name in enumerate(class_names)}
    new = labels.copy()
    used = np.ones(len(labels), bool)
    relabelled: dict[Path, str] = {}
    left_out: list[SetAside] = []
    unused = [f"{JOURNAL_NAME} {text}" for text in journal.broken]
    for one in last.values():
        path = root / one.path
        row = rows.get(path)
        if row is None or not (one.label is None or one.label in number):
            unused.append(_why_unused(one, row is None, class_names))
        elif one.label is None:
            used[row] = False
            left_out.append(SetAside(path, _with_reason("left out", one), "left-out"))
        elif number[one.label] != labels[row]:
            new[row] = number[one.label]
            relabelled[path] = _with_reason(change(class_names[labels[row]], one.label), one)
    force = InForce(
        tuple(relabelled),
        tuple(relabelled.values()),
        tuple(left_out),
        tuple(unused),
        journal.foreign,
    )
    return new, np.flatnonzero(used), force


def close_to(name: str, names: Sequence[str]) -> str:
    """A hint with the names that are close, empty where none is.

    >>> close_to("dasiy", ["daisy", "rose"])
    ' Did you mean daisy?'
    """
    close = difflib.get_close_matches(name, names, n=3)
    return f" Did you mean {' or '.join(map(printable, close))}?" if close else ""


def _why_unused(one: Correction, missing: bool, class_names: Sequence[str]) -> str:
    where = f"{JOURNAL_NAME} row {one.line}: "
    if missing:
        return f"{where}there is no picture {printable(one.path)}"
    label = one.label or ""
    return (
        f"{where}{printable(one.path)} keeps its label, there is no class "
        f"{printable(label)!r}.{close_to(label, class_names)}"
    )


def _with_reason(words: str, one: Correction) -> str:
    return f"{words} ({printable(one.reason)})" if one.reason else words
