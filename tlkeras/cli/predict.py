"""`tlkeras predict`: a label for each picture."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


def run(folder: Path, pictures: list[str], json: bool) -> bool:
    """Print an answer a picture; True when every picture could be read."""
    answers = tl.ImageClassifier.load(folder).predict(pictures)
    if json:
        out.as_json(answers.to_dict())
    else:
        out.line(answers)
    return not answers.unreadable
