"""`tlkeras backbones`: the catalogue as a table; loads no TensorFlow."""

from dataclasses import asdict

from tlkeras.backbones.catalogue import backbones
from tlkeras.backbones.spec import Backbone
from tlkeras.cli import out
from tlkeras.errors import BackboneError

HEADINGS = ("name", "px", "width", "params M", "MB", "top-1", "top-5", "licence", "weights")


def run(part: str | None, json: bool) -> None:
    """Print the backbones whose name contains `part`, or all of them."""
    found = [b for b in backbones() if part is None or part.lower() in b.name.lower()]
    if not found:
        raise BackboneError(
            f"No backbone's name contains {part!r}. `tlkeras backbones` lists all names."
        )
    if json:
        out.as_json([asdict(backbone) for backbone in found])
        return
    rows = [HEADINGS, *map(_row, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    for row in rows:
        cells = [
            text.ljust(width) if column in (0, 7, 8) else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        out.line("  ".join(cells).rstrip())
    out.line()
    out.line("px: side of the pictures; width: of the embedding; params: without classifier;")
    out.line("MB, top-1 and top-5 (ImageNet, %): as published, - where nothing was; see --json.")


def _row(backbone: Backbone) -> tuple[str, ...]:
    published = backbone.published
    return (
        backbone.name,
        str(backbone.size_px),
        str(backbone.width),
        f"{backbone.parameters / 1e6:.1f}",
        _figure(published.size_mb if published else None),
        _figure(published.top1 if published else None),
        _figure(published.top5 if published else None),
        backbone.licence or "-",
        " ".join(backbone.weights) or "-",
    )


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
