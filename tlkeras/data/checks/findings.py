"""Findings about a data set: they print well and go into JSON.

An "error" makes the numbers wrong (a picture with two labels), a "warning" may cost accuracy
(copies, few pictures), an "info" is good to know (pictures that were turned upright).
"""

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tlkeras.data.picture import printable
from tlkeras.rows import GradedRows, Severity, html_table

SHOWN = 5


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


class Findings(GradedRows[Finding]):
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

    def with_(self, more: Iterable[Finding]) -> "Findings":
        """These findings and some more, under the same summary.

        >>> found = Findings("2 pictures, 2 classes", [])
        >>> len(found.with_([Finding("outlier", "info", "1 picture unlike the others")]))
        1
        """
        return Findings(self.summary, [*self, *more])

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
        lines = [self.summary, self.counts]
        if len(self):
            lines.append("")
        for finding in self:
            first, *others = _lines(finding)
            lines.append(f"{finding.severity:<9}{finding.kind:<{width}}  {first}")
            lines += [indent + text for text in others]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = [[one.severity, one.kind, "\n".join(_lines(one))] for one in self]
        return (
            f"<p>{html.escape(self.summary)}<br>{self.counts}</p>"
            f"{html_table(['severity', 'kind', 'finding'], rows)}"
        )


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
