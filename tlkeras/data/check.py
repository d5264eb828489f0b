"""What is odd about a data set, as findings that print well and go into JSON.

An "error" makes the numbers wrong (a picture with two labels), a "warning" may cost accuracy
(copies, few pictures), an "info" is good to know (pictures that were turned upright).
"""

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

import numpy as np

from tlkeras.data.columns.paths import Paths
from tlkeras.data.duplicates.clustering import unique_contents
from tlkeras.data.duplicates.partition import several
from tlkeras.data.picture import Part, SetAside, printable

Severity = Literal["error", "warning", "info"]

MIN_SIDE_PX = 32
MAX_ASPECT = 5
MAX_IMBALANCE = 3
MIN_TRAIN_PICTURES = 10

_SHOWN = 5
_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that was found, and the pictures it concerns."""

    kind: str
    severity: Severity
    message: str
    paths: Sequence[Path] = ()


@dataclass(frozen=True, eq=False)
class Examined:
    """What is known of the n pictures that are trained or tested on, a column each.

    `parts`, `clusters` and `groups` are int (n,): pictures with the same number are in the same
    part, are copies, or belong together. `facts` is (n,) with the fields sha256, width, height,
    mode and rotated.
    """

    paths: Paths
    labels: np.ndarray
    facts: np.ndarray
    parts: np.ndarray
    clusters: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def paths_of(self, rows: Sequence[np.ndarray] | np.ndarray) -> Paths:
        """Paths of some rows, or of several sets of rows."""
        return self.paths.take(rows if isinstance(rows, np.ndarray) else np.concatenate(rows))


class Findings(Sequence[Finding]):
    """The findings, gravest first; `ok` when none of them is an error.

    >>> found = Findings("2 pictures, 2 classes", [Finding("tiny", "warning", "1 is small")])
    >>> found.ok, len(found), found[0].kind
    (True, 1, 'tiny')
    >>> print(found)
    2 pictures, 2 classes
    0 errors, 1 warning, 0 infos
    <BLANKLINE>
    warning  tiny  1 is small
    """

    def __init__(self, summary: str, findings: Iterable[Finding]) -> None:
        self.summary = summary
        self._findings = tuple(sorted(findings, key=lambda f: _ORDER.index(f.severity)))

    @property
    def ok(self) -> bool:
        """Whether there is no error among the findings."""
        return not any(finding.severity == "error" for finding in self)

    @overload
    def __getitem__(self, index: int) -> Finding: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Finding, ...]: ...
    def __getitem__(self, index: int | slice) -> Finding | tuple[Finding, ...]:
        return self._findings[index]

    def __len__(self) -> int:
        return len(self._findings)

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def __repr__(self) -> str:
        return f"Findings({self.summary!r}, {self._counts()})"

    def to_dict(self) -> dict[str, object]:
        """The same for JSON: every path as text, all of them."""
        return {
            "ok": self.ok,
            "summary": self.summary,
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "message": finding.message,
                    "paths": [printable(path) for path in finding.paths],
                }
                for finding in self
            ],
        }

    def __str__(self) -> str:
        width = max((len(finding.kind) for finding in self), default=0)
        indent = " " * (9 + width + 2)
        lines = [self.summary, self._counts()]
        if self._findings:
            lines.append("")
        for finding in self:
            first, *others = _lines(finding)
            lines.append(f"{finding.severity:<9}{finding.kind:<{width}}  {first}")
            lines += [indent + text for text in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{finding.severity}</td><td>{html.escape(finding.kind)}</td><td>"
            + "<br>".join(html.escape(text) for text in _lines(finding))
            + "</td></tr>"
            for finding in self
        )
        return (
            f"<p>{html.escape(self.summary)}<br>{self._counts()}</p>"
            f"<table><tr><th>severity</th><th>kind</th><th>finding</th></tr>{rows}</table>"
        )

    def _counts(self) -> str:
        number = Counter(finding.severity for finding in self)
        return ", ".join(f"{number[s]} {s}{'s' * (number[s] != 1)}" for s in _ORDER)


def find(
    parts: Sequence[Part],
    examined: Examined,
    set_aside: Sequence[SetAside],
    ignored: Sequence[Path],
) -> list[Finding]:
    """Every finding about a data set that was scanned and split."""
    return [
        *_not_used(set_aside, ignored),
        *copies(examined, parts[0].class_names),
        *_torn_groups(examined),
        *_class_sizes(parts),
        *_shapes(examined),
    ]


def _not_used(set_aside: Sequence[SetAside], ignored: Sequence[Path]) -> Iterator[Finding]:
    said = {
        "unreadable": ("picture", "set aside, unreadable"),
        "leaked": ("training picture", "set aside, a copy of a validation or test picture"),
        "repeated": ("row of the table", "set aside, the same as an earlier one"),
    }
    for kind, (noun, words) in said.items():
        some = [item for item in set_aside if item.kind == kind]
        if some:
            reasons = [f"{printable(item.path)}: {item.reason}" for item in some[:_SHOWN]]
            message = "\n".join([f"{_counted(some, noun)} {words}", *reasons])
            yield Finding(kind, "warning", message, tuple(item.path for item in some))
    if ignored:
        suffixes = Counter(path.suffix.lower() or "(no suffix)" for path in ignored)
        listed = ", ".join(f"{number} {printable(name)}" for name, number in suffixes.most_common())
        yield Finding(
            "ignored",
            "info",
            f"{_counted(ignored, 'other file')} left out: {listed}",
            ignored,
        )


def copies(examined: Examined, class_names: Sequence[str]) -> Iterator[Finding]:
    """Equal files and near copies, those with two labels first."""
    _, contents = unique_contents(examined.facts["sha256"])
    exact = several(contents)
    clustered = several(examined.clusters)
    near = [rows for rows in clustered if _differ(contents[rows])]
    kinds: tuple[tuple[str, Severity, str, list[np.ndarray]], ...] = (
        ("two-labels", "error", "the same file in several classes", exact),
        ("two-labels-near", "warning", "near copies in several classes", near),
        ("duplicate", "warning", "equal files", exact),
        ("near-duplicate", "warning", "near copies of one another", near),
    )
    for kind, severity, words, candidates in kinds:
        two = kind.startswith("two-labels")
        sets = [rows for rows in candidates if two == _differ(examined.labels[rows])]
        if not sets:
            continue
        paths = examined.paths_of(sets)
        message = f"{_counted(paths, 'picture')} in {_counted(sets, 'set')}: {words}"
        if two:
            mixed = Counter(tuple(np.unique(examined.labels[rows]).tolist()) for rows in sets)
            message += "\n" + "\n".join(
                f"{' and '.join(class_names[label] for label in labels)}: {number}"
                for labels, number in mixed.most_common(_SHOWN)
            )
        yield Finding(kind, severity, message, paths)
    straddling = [rows for rows in clustered if _differ(examined.parts[rows])]
    if straddling:
        yield Finding(
            "leaked",
            "warning",
            f"{_counted(straddling, 'picture')} with a copy in another part of the given split",
            examined.paths_of(straddling),
        )


def _torn_groups(examined: Examined) -> Iterator[Finding]:
    torn = [
        rows
        for rows in several(examined.groups)
        if _differ(examined.parts[rows]) and _differ(examined.clusters[rows])
    ]
    if torn:
        yield Finding(
            "torn-group",
            "warning",
            f"{_counted(torn, 'group')} with pictures in several parts of the given split",
            examined.paths_of(torn),
        )


def _class_sizes(parts: Sequence[Part]) -> Iterator[Finding]:
    training = parts[0].counts()
    most, least = max(training.values()), min(training.values())
    if most > MAX_IMBALANCE * least:
        large, small = max(training, key=training.__getitem__), min(
            training, key=training.__getitem__
        )  # fmt: skip
        yield Finding(
            "unbalanced",
            "warning",
            f"the largest class has {most / least:.1f} times the training pictures of the "
            f"smallest: {large} {most}, {small} {least}",
        )
    few = {name: number for name, number in training.items() if number < MIN_TRAIN_PICTURES}
    if few:
        listed = ", ".join(f"{name} {number}" for name, number in few.items())
        yield Finding(
            "few-pictures",
            "warning",
            f"fewer than {MIN_TRAIN_PICTURES} training pictures: {listed}",
        )
    for part in parts[1:]:
        absent = [name for name, number in part.counts().items() if number == 0]
        if absent and len(part):
            yield Finding(
                "missing-class", "warning", f"not in {part.name} at all: {', '.join(absent)}"
            )


def _shapes(examined: Examined) -> Iterator[Finding]:
    width = examined.facts["width"].astype(np.int64)
    height = examined.facts["height"].astype(np.int64)
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    tiny = np.flatnonzero(shorter < MIN_SIDE_PX)
    if len(tiny):
        smallest = tiny[np.argmin(width[tiny] * height[tiny])]
        yield _about(
            examined,
            tiny,
            "tiny",
            "warning",
            f"with a side below {MIN_SIDE_PX} px, the smallest {width[smallest]} x "
            f"{height[smallest]}",
        )
    long = np.flatnonzero(longer > MAX_ASPECT * shorter)
    if len(long):
        yield _about(examined, long, "extreme-aspect", "warning", f"longer than {MAX_ASPECT} : 1")
    rotated = np.flatnonzero(examined.facts["rotated"])
    if len(rotated):
        words = "turned upright by the EXIF orientation"
        yield _about(examined, rotated, "rotated", "info", words)
    others = np.flatnonzero(examined.facts["mode"] != b"RGB")
    if len(others):
        modes = Counter(examined.facts["mode"][others].tolist())
        listed = ", ".join(f"{number} {mode.decode()}" for mode, number in modes.most_common())
        yield _about(examined, others, "not-rgb", "info", f"converted to RGB: {listed}")


def _about(
    examined: Examined, rows: np.ndarray, kind: str, severity: Severity, words: str
) -> Finding:
    return Finding(kind, severity, f"{_counted(rows, 'picture')} {words}", examined.paths_of(rows))


def _differ(values: np.ndarray) -> bool:
    return bool((values != values[0]).any())


def _counted(some: Sized, noun: str) -> str:
    first, _, rest = noun.partition(" of ")
    plural = first if len(some) == 1 else first + "s"
    return f"{len(some):,} {plural}" + (f" of {rest}" if rest else "")


def _lines(finding: Finding) -> list[str]:
    """Message and at most five example paths, those left out that the message names already."""
    shown = [printable(path) for path in finding.paths[:_SHOWN]]
    left = len(finding.paths) - len(shown)
    return [
        *finding.message.split("\n"),
        *(path for path in shown if path not in finding.message),
        *([f"and {left:,} more"] if left else []),
    ]
