"""Findings with their pictures, and the command that corrects each: to look before one acts."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path

from tlkeras.data.check import Finding, Findings
from tlkeras.data.picture import printable
from tlkeras.evaluation.page.markup import counted, picture, text
from tlkeras.evaluation.suspects.findings import SuspectedLabels

SHOWN = 24  # pictures of a finding
LISTED = 8  # files of a finding that has no pictures to show

PictureOf = Callable[[Path], bytes | None]

_NO_PICTURES = ("ignored", "unreadable", "repeated", "stale-correction", "foreign-labels")


def sheet_fragment(findings: Findings, picture_of: PictureOf, folder: Path | None = None) -> str:
    """HTML with each finding, gravest first, and up to 24 of its pictures, for within a section.

    Args:
        findings: of `tl.check` or `data.check()`.
        picture_of: gives a small encoded picture for a path, None where there is none.
        folder: the data set's own; paths are told from there, and commands name it.

    >>> found = Findings("2 pictures", [Finding("tiny", "warning", "1 is small")])
    >>> sheet_fragment(found, lambda path: None)[:21]
    '<div class="finding">'
    """
    if not len(findings):
        return "<p>Nothing is odd about them.</p>"
    parts = [_finding(one, picture_of, folder) for one in findings]
    correctable = any(_options(one) for one in findings)
    return (_how_to(folder) if correctable else "") + "".join(parts)


def _how_to(folder: Path | None) -> str:
    where = "FOLDER" if folder is None else _word(folder)
    return (
        "<p>To correct a picture, add what stands below it to the command "
        f"<code>tlkeras check {text(where)}</code>. It goes into labels.csv in that folder and "
        "can be taken back with <code>--undo 1</code>; the picture itself stays as it is. A label "
        "that is right after all is no longer suspected once it is given again in that way.</p>"
    )


def _finding(finding: Finding, picture_of: PictureOf, folder: Path | None) -> str:
    message = "<br>".join(text(line) for line in finding.message.split("\n"))
    return (
        f'<div class="finding"><h3>{text(finding.kind)}<span class="severity {finding.severity}">'
        f"{finding.severity}</span></h3><p>{message}</p>{_shown(finding, picture_of, folder)}</div>"
    )


def _shown(finding: Finding, picture_of: PictureOf, folder: Path | None) -> str:
    if finding.kind in _NO_PICTURES:
        return _listed(finding, folder)
    options = _options(finding)
    cards = []
    for number, path in enumerate(finding.paths[:SHOWN]):
        detail = finding.details[number] if finding.details else ""
        option = _option(options[number], path, folder) if options else ""
        cards.append(_card(picture_of(path), detail, _from(path, folder), option))
    left = len(finding.paths) - len(cards)
    more = f"<p>And {counted(left, 'more picture')}.</p>" if left else ""
    return f'<div class="cards">{"".join(cards)}</div>{more}' if cards else ""


def _listed(finding: Finding, folder: Path | None) -> str:
    names = [_from(path, folder) for path in finding.paths[:LISTED]]
    details: Sequence[str] = finding.details or [""] * len(names)
    left = len(finding.paths) - len(names)
    rows = [
        f"<li>{text(printable(name) + (f': {detail}' if detail else ''))}</li>"
        for name, detail in zip(names, details, strict=False)
        if printable(name) not in finding.message
    ]
    rows += [f"<li>and {left:,} more</li>"] if left else []
    return f"<ul>{''.join(rows)}</ul>" if rows else ""


def _card(content: bytes | None, detail: str, name: Path, option: str) -> str:
    head, mark, tail = detail.rpartition(" (")
    told = f"<b>{text(head or tail)}</b>" if detail else ""
    told += f' <span class="fixed">({text(tail)}</span>' if mark else ""
    command = f"<code>{text(option)}</code>" if option else ""
    return (
        f"<figure>{picture(content, printable(name))}<figcaption>{told}"
        f'<span class="soft">{text(printable(name))}</span>{command}</figcaption></figure>'
    )


def _options(finding: Finding) -> list[str]:
    """For each path the class to relabel it to, "" to leave it out; [] where neither fits."""
    if isinstance(finding, SuspectedLabels):
        return list(finding.suggested)
    return [""] * len(finding.paths) if finding.kind == "outlier" else []


def _option(label: str, path: Path, folder: Path | None) -> str:
    name = _from(path, folder).as_posix()
    wanted = f"{name}={label}" if label else name
    if printable(wanted) != wanted:
        return ""  # such a name cannot be typed
    return f"--relabel {shlex.quote(wanted)}" if label else f"--leave-out {shlex.quote(wanted)}"


def _from(path: Path, folder: Path | None) -> Path:
    return path.relative_to(folder) if folder and path.is_relative_to(folder) else path


def _word(folder: Path) -> str:
    return shlex.quote(printable(folder))
