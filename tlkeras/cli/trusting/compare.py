"""`tlkeras compare`: which of several runs is better, smaller, faster, and whether one can tell."""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out


def run(runs: list[Path], data: Path | None, plot: Path | None, json: bool) -> None:
    """Print the comparison; with `plot`, draw it too."""
    comparison = tl.compare(runs, data)
    if plot:
        from tlkeras import figures

        figures.write(comparison.plot(), plot)
    if json:
        out.as_json({**comparison.to_dict(), **({"plot": str(plot)} if plot else {})})
        return
    out.line(comparison)
    if plot:
        out.line(f"\nThe comparison as a figure: {plot}")
