"""An import report as plain text for a terminal, in aligned columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from converters.parity.result import Parity
    from converters.report.facts import ImportReport

_SHOWN = 12
_NAME_WIDTH = 48


def to_text(report: ImportReport) -> str:
    """Headline, facts, parity by output, and what needs attention; no newline at the end."""
    lines = [headline(report), ""]
    width = max(len(name) for name, _ in facts(report))
    lines += [f"{name:<{width}}  {value}" for name, value in facts(report)]
    if report.parity is not None:
        lines += ["", *parity_table(report.parity)]
        if report.parity.first_divergence:
            lines.append(f"first divergence: {report.parity.first_divergence}")
    if report.without_gradient:
        lines += ["", "No gradient reaches", *_indented(report.without_gradient)]
    if report.warnings:
        lines += ["", "Notes", *_indented(report.warnings)]
    return "\n".join(lines)


def headline(report: ImportReport) -> str:
    """One line: what was imported, and whether it may be trusted."""
    if report.parity is None:
        verdict = "not compared with its source"
    elif not report.parity.passed:
        verdict = "DIFFERS from its source"
    elif report.without_gradient:
        verdict = "agrees with its source, but not every weight can be trained"
    else:
        verdict = "agrees with its source"
    return f"{report.kind} {report.source}: {verdict}"


def facts(report: ImportReport) -> list[tuple[str, str]]:
    """Name and value of each figure that a report shows."""
    counts, parity = report.counts, report.parity
    rows = [("weights", f"{counts.trainable} of {counts.weights} trainable")]
    rows += [("parameters", f"{counts.trainable_parameters:,} of {counts.parameters:,} trainable")]
    rows += [("gradients", _gradients(report))]
    if parity is not None:
        rows += [
            ("largest difference", f"{parity.max_abs:.2g}, relative {parity.max_rel:.2g}"),
            ("compared with", f"{parity.reference}, tolerance {parity.tolerance:g}"),
        ]
    rows += [
        ("layers", f"{counts.operations}, of them {counts.batch_norms} BatchNorm"),
        ("transposes left", str(counts.transposes)),
        ("custom layers", ", ".join(counts.custom_layers) or "none"),
        ("batch", "any" if report.fixed_batch is None else f"fixed at {report.fixed_batch}"),
        ("preprocessing", _pairs(report.preprocessing) or "nothing in the file"),
        ("labels", _labels(report.labels)),
    ]
    if report.versions:
        rows += [("versions", _pairs(report.versions))]
    return rows


def parity_table(parity: Parity) -> list[str]:
    """Lines of a table with a row for each output and batch size."""
    rows: list[Sequence[str]] = [("output", "shape", "max abs", "max rel", "worst", "")]
    for output in parity.outputs:
        rows.append(
            (
                shortened(output.name, _NAME_WIDTH),
                "x".join(map(str, output.shape)) or "scalar",
                f"{output.max_abs:.2g}",
                f"{output.max_rel:.2g}",
                f"sample {output.worst_input}",
                verdict(output.passed, output.varies),
            )
        )
    return list(_aligned(rows))


def verdict(passed: bool, varies: bool) -> str:
    """One word or two for an output's row."""
    if not passed:
        return "DIFFERS"
    return "ok" if varies else "ok, but the same for every sample"


def shortened(text: str, width: int) -> str:
    """At most `width` printable characters, the middle left out.

    >>> shortened("a_very_long_name", 9)
    'a_ve…name'
    """
    text = "".join(c if c.isprintable() else "�" for c in text)
    half = (width - 1) // 2
    return text if len(text) <= width else f"{text[:half]}…{text[-half:]}"


def _aligned(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            f"{cell:<{width}}" if column in (0, len(row) - 1) else f"{cell:>{width}}"
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _gradients(report: ImportReport) -> str:
    if report.without_gradient is None:
        return "not checked"
    missing = len(report.without_gradient)
    reached = report.counts.trainable - missing
    zero = f", {len(report.zero_gradient)} exactly zero" if report.zero_gradient else ""
    return f"reach {reached} of {report.counts.trainable} trainable weights{zero}"


def _pairs(values: object) -> str:
    return ", ".join(f"{key} {value}" for key, value in dict(values).items())  # type: ignore[call-overload]


def _labels(labels: Sequence[str]) -> str:
    if not labels:
        return "nothing in the file"
    shown = ", ".join(shortened(label, 24) for label in labels[:3])
    return f"{len(labels)}: {shown}{', …' if len(labels) > 3 else ''}"


def _indented(items: Sequence[str]) -> list[str]:
    more = [f"  and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return [f"  {shortened(item, 200)}" for item in items[:_SHOWN]] + more
