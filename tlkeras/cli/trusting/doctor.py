"""`tlkeras doctor`: what commonly goes wrong in a Keras model, ours or not."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


def run(model: Path, pictures: Path | None, json: bool) -> bool:
    """Print what was found; True when there is no error among it."""
    diagnosis = tl.doctor(model, pictures)
    if json:
        out.as_json(diagnosis.to_dict())
    else:
        out.line(diagnosis)
    return diagnosis.ok
