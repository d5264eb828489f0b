"""`tlkeras compare --scratch`: is transfer right for these pictures, and would more help?"""

from pathlib import Path

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.errors import DataError


def run(
    folders: list[Path], backbone: str, weights: str, plot: Path | None, seed: int, json: bool
) -> None:
    """Print whether transfer helps and the learning curve; with `plot`, draw the first."""
    if len(folders) != 1:
        raise DataError(
            "--scratch compares on one folder of pictures. Received: "
            f"{', '.join(map(str, folders))}. Name one; runs are compared without it."
        )
    data = tl.ImageFolder(folders[0], seed=seed)
    chosen = None if weights == "none" else weights
    transfer = tl.compare_with_scratch(data, backbone, weights=chosen, seed=seed)
    curve = tl.learning_curve(data, backbone, weights=chosen, seed=seed)
    if plot:
        from tlkeras import figures

        figures.write(transfer.plot(), plot)
    if json:
        content = {"transfer": transfer.to_dict(), "learning_curve": curve.to_dict()}
        out.as_json({**content, **({"plot": str(plot)} if plot else {})})
        return
    out.line(transfer)
    out.line(f"\n{curve}")
    if plot:
        out.line(f"\nDrawn: {plot}")
