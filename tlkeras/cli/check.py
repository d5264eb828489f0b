"""`tlkeras check`: what is wrong with the pictures; loads no TensorFlow."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


def run(data: Path, seed: int, json: bool) -> bool:
    """Print the findings; True when there is no error among them."""
    findings = tl.ImageFolder(data, seed=seed).check()
    if json:
        out.as_json(findings.to_dict())
    else:
        out.line(findings)
    return findings.ok
