"""`tlkeras check`: what is wrong with the pictures, and corrections of their labels.

Loads no TensorFlow unless a backbone is named.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.data.check import Findings
from tlkeras.data.corrections.corrections import Corrections as Journal
from tlkeras.data.corrections.journal import Correction, append
from tlkeras.errors import DataError

REASON = "tlkeras check"


@dataclass(frozen=True)
class Corrections:
    """What to write into the journal first: the last `undo` taken back, then the others.

    `relabel` are words PATH=CLASS, `leave_out` paths.
    """

    relabel: tuple[str, ...] = ()
    leave_out: tuple[str, ...] = ()
    undo: int = 0

    def __len__(self) -> int:
        return len(self.relabel) + len(self.leave_out) + self.undo


def run(
    data: Path,
    corrections: Corrections,
    backbone: str | None,
    weights: str,
    html: Path | None,
    seed: int,
    json: bool,
) -> bool:
    """Correct, then print the findings; True when there is no error among them."""
    made = _corrected(data, corrections)
    folder = tl.ImageFolder(data, seed=seed)
    chosen = None if weights == "none" else weights
    findings = tl.check(folder, backbone, weights=chosen, seed=seed)
    written = None if html is None else _written(findings, folder, html)
    if json:
        more = {"corrections": made} if len(corrections) else {}
        page = {"html": str(written)} if written else {}
        out.as_json({**findings.to_dict(), **more, **page})
    else:
        for text in made:
            out.line(text)
        out.line(findings)
        if written:
            out.line(f"\nPage with the pictures: {written}")
    return findings.ok


def _corrected(data: Path, wanted: Corrections) -> list[str]:
    """What was taken back and written, one text each; the journal stays if a word is wrong."""
    if not len(wanted):
        return []
    journal = Journal(data)
    undone = journal.undo(wanted.undo)
    before = len(journal)
    try:
        made = list(_made(journal, wanted))
    except DataError:
        journal.undo(len(journal) - before)
        if undone:
            append(data, undone)
        raise
    return [f"undone: {one}" for one in undone] + [f"corrected: {one}" for one in made]


def _made(journal: Journal, wanted: Corrections) -> Iterator[Correction]:
    for word in wanted.relabel:
        yield _relabelled(journal, word)
    for path in wanted.leave_out:
        yield journal.leave_out(path, REASON)


def _relabelled(journal: Journal, word: str) -> Correction:
    """The correction that PATH=CLASS stands for, either of which may have a = of its own."""
    splits: Sequence[int] = [place for place, mark in enumerate(word) if mark == "="]
    if not splits:
        raise DataError(
            f"--relabel takes PATH=CLASS. Received: {word!r}. Write for instance "
            "--relabel rose/7.jpg=daisy."
        )
    for place in splits[:-1]:
        try:
            return journal.relabel(word[:place], word[place + 1 :], REASON)
        except DataError:
            continue
    return journal.relabel(word[: splits[-1]], word[splits[-1] + 1 :], REASON)


def _written(findings: Findings, folder: tl.ImageFolder, path: Path) -> Path:
    from tlkeras.disk import write_bytes
    from tlkeras.tasks.trusting.check import to_sheet

    title = f"Findings in {folder.root}"
    return write_bytes(path, to_sheet(findings, folder, title).encode("utf-8"))
