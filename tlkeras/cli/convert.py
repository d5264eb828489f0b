"""`tlkeras convert`: a network of another framework becomes a Keras file, or the other way."""

from pathlib import Path

from tlkeras.cli import out
from tlkeras.export.convert import convert, frameworks, summary, text


def run(
    source: Path,
    target: Path,
    report: Path | None,
    allow_mismatch: bool,
    allow_ops: tuple[str, ...],
    json: bool,
) -> bool:
    """Write the target and print the certificate; whether it answers as its source does."""
    for package in frameworks(source, target, report):
        out.load_quietly(package)
    done = convert(
        source, target, report=report, allow_mismatch=allow_mismatch, allow_ops=allow_ops
    )
    if json:
        out.as_json(summary(done))
    else:
        out.line(text(done))
    parity = done.report.parity if done.report is not None else None
    return parity is None or parity.passed
