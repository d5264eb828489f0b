"""`tlkeras evaluate`: how good a trained classifier is."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.tasks.trusting.story import with_export


def run(
    folder: Path, data: Path | None, html: Path | None, export: Path | None, json: bool
) -> None:
    """Print the report; with `html`, write it as a page too, which tells of an `export`."""
    classifier = tl.ImageClassifier.load(folder)
    report = classifier.evaluate(data)
    if export:
        report = with_export(report, export)
    if html:
        report.to_html(html)
    if json:
        out.as_json({**report.to_dict(), **({"html": str(html)} if html else {})})
        return
    out.line(report)
    if html:
        out.line(f"\nThe report as a page: {html}")
