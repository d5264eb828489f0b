"""`tlkeras compare --scratch`: is transfer right for these pictures, and would more help?"""

from pathlib import Path
from typing import TYPE_CHECKING

import tlkeras as tl
from tlkeras.cli import out
from tlkeras.errors import DataError

if TYPE_CHECKING:
    from tlkeras.tasks.choosing.transfer.result import Transfer


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
        _draw(transfer, plot)
    if json:
        content = {"transfer": transfer.to_dict(), "learning_curve": curve.to_dict()}
        out.as_json({**content, **({"plot": str(plot)} if plot else {})})
        return
    out.line(transfer)
    out.line(f"\n{curve}")
    if plot:
        out.line(f"\nDrawn: {plot}")


def _draw(transfer: "Transfer", plot: Path) -> None:
    try:
        transfer.plot().savefig(plot, dpi=150)
    except (OSError, ValueError) as err:
        raise DataError(
            f"--plot names a file to draw to, such as transfer.png. Received: {plot} ({err}). "
            "Name a .png, .svg or .pdf file in a folder that can be written."
        ) from err
