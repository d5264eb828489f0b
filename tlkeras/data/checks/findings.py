"""Findings about a data set: they print well and go into JSON.

An "error" makes the numbers wrong (a picture with two labels), a "warning" may cost accuracy
(copies, few pictures), an "info" is good to know (pictures that were turned upright).
"""

import html
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, overload

from tlkeras.data.picture import printable

Severity = Literal["error", "warning", "info"]

SHOWN = 5
_ORDER: tuple[Severity, ...] = ("error", "warning", "info")


@dataclass(frozen=True)
class Finding:
    """One thing that was found, and the pictures it concerns.

    `details`, where there are any, say something of each path: one text a path.

    >>> Finding("blurred", "info", "1 picture", [Path("a.png")], ["sharpness 1.2"]).details
    ['sharpness 1.2']
    """

    kind: str
    severity: Severity
    message: str
    paths: Sequence[Path] = ()
    details: Sequence[str] = ()

    def __post_init__(self) -> None:
        if len(self.details) not in (0, len(self.paths)):
            raise ValueError(
                f"Expected one detail for each of {len(self.paths)} paths, or none. Received: "
                f"{len(self.details)}. Give as many details as paths."
            )


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

    def with_(self, more: Iterable[Finding]) -> "Findings":
        """These findings and some more, under the same summary.

        >>> found = Findings("2 pictures, 2 classes", [])
        >>> len(found.with_([Finding("outlier", "info", "1 picture unlike the others")]))
        1
        """
        return Findings(self.summary, [*self, *more])

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
                    "details": list(finding.details),
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


def _lines(finding: Finding) -> list[str]:
    """Message and at most five example paths, those left out that the message names already."""
    shown = [printable(path) for path in finding.paths[:SHOWN]]
    left = len(finding.paths) - len(shown)
    if finding.details:
        examples = [f"{path}: {text}" for path, text in zip(shown, finding.details, strict=False)]
    else:
        examples = [path for path in shown if path not in finding.message]
    return [
        *finding.message.split("\n"),
        *examples,
        *([f"and {left:,} more"] if left else []),
    ]
