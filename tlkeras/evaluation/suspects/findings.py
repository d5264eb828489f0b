"""Suspected labels and outliers as findings, in words that say what is known and what is not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlkeras.data.checks.findings import Finding
from tlkeras.data.picture import printable
from tlkeras.evaluation.suspects.labels import Doubts
from tlkeras.evaluation.wording import percent


@dataclass(frozen=True)
class SuspectedLabels(Finding):
    """Pictures whose label the others speak against, the likeliest wrong first.

    Attributes:
        suggested: the name of the class, one for each path, that is likelier.
    """

    suggested: Sequence[str] = ()


def suspected_labels(
    doubts: Doubts, rows: np.ndarray, paths: Sequence[Path], class_names: Sequence[str]
) -> SuspectedLabels:
    """The finding about some rows, in their order.

    Args:
        doubts: about n rows.
        rows: (k,) int, those that are told.
        paths: k, of these rows.
        class_names: c names.
    """
    sure = int(doubts.confident[rows].sum())
    one = len(rows) == 1
    message = (
        f"{len(rows):,} {'picture' if one else 'pictures'} whose label the others speak against, "
        f"the likeliest wrong first; confident learning names {sure:,} of them.\n"
        f"Tried out: of {doubts.changed} labels changed at random, {doubts.recovered} would be "
        "in such a list. Look at the pictures before you correct one."
    )
    return SuspectedLabels(
        "suspected-label",
        "warning",
        message,
        tuple(paths),
        tuple(_change(doubts, row, class_names) for row in rows.tolist()),
        tuple(class_names[label] for label in doubts.suggested[rows].tolist()),
    )


def outlying(far: np.ndarray, paths: Sequence[Path]) -> Finding:
    """The finding about k outliers that are `far` (k,) deviations beyond the usual distance."""
    one = len(far) == 1
    return Finding(
        "outlier",
        "info",
        f"{len(far):,} {'picture' if one else 'pictures'} unlike all others: perhaps not of this "
        "set, perhaps the only one of its kind",
        tuple(paths),
        tuple(f"{value:.1f} deviations beyond the usual distance" for value in far.tolist()),
    )


def _change(doubts: Doubts, row: int, class_names: Sequence[str]) -> str:
    """What is given → what is suggested, with the likelihood of each.

    Such as "rose → daisy (97 % against 1 %)".
    """
    given, suggested = int(doubts.given[row]), int(doubts.suggested[row])
    likely = [
        percent(float(doubts.likelihood[row, label]), digits=0) for label in (suggested, given)
    ]
    names = [printable(class_names[label]) for label in (given, suggested)]
    return f"{' → '.join(names)} ({' against '.join(likely)})"
