"""`tlkeras verify`: a run folder against its own record."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


def run(folder: Path, deep: bool, json: bool) -> bool:
    """Print what was held against the record; True when nothing differs."""
    verification = tl.verify(folder, deep=deep)
    if json:
        out.as_json(verification.to_dict())
    else:
        out.line(verification)
    return verification.ok
