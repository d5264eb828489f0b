"""`tlkeras export`: a run folder becomes a SavedModel."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.export.savedmodel import served_parity


def run(folder: Path, to: Path, json: bool) -> None:
    """Write the SavedModel and print where it is and how far it agrees."""
    path = tl.ImageClassifier.load(folder).export(to)
    parity = served_parity(path)
    if json:
        out.as_json({"path": str(path), "format": "SavedModel", "parity": parity.to_dict()})
        return
    out.line(f"SavedModel: {path}")
    out.line(f"Loaded in a fresh process and compared with the model: {parity}")
