"""Figures for notebooks and files: one palette that colour-blind people can tell apart.

Imported only where something is drawn, since matplotlib is an extra; every room may.
"""

from io import BytesIO
from pathlib import Path

from tlkeras.disk import write_bytes
from tlkeras.errors import ExportError, MissingExtraError

try:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "matplotlib":
        raise
    raise MissingExtraError("matplotlib", "plots", "Drawing a figure") from error

RIGHT, WRONG, INK, SOFT, LINE = "#1f5fb8", "#c2410c", "#1a2230", "#5a6677", "#dfe4ea"
SERIES = ("#1f5fb8", "#c2410c", "#0f766e", "#8b5cf6", "#a16207", "#475569")
"""Colours of lines that are compared, in this order."""


class Plot(Figure):
    """A figure that a notebook shows once, because pyplot does not know of it.

    Example::

        plot = Plot(figsize=(6, 4), layout="constrained")
        axes = plot.subplots()
        plot.savefig("plot.png", dpi=150)
    """

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        FigureCanvasAgg(self)

    def _repr_png_(self) -> bytes:
        buffer = BytesIO()
        self.savefig(buffer, format="png", dpi=100)
        return buffer.getvalue()


def write(figure: Figure, path: str | Path) -> Path:
    """The path, once the figure is in that file; its suffix says the format.

    Raises:
        ExportError: the suffix is none of a figure, or the file can't be written.

    Example::

        write(comparison.plot(), "comparison.svg")
    """
    target = Path(path)
    formats = sorted(figure.canvas.get_supported_filetypes())
    if target.suffix[1:].lower() not in formats:
        raise ExportError(
            f"A figure is written as {', '.join(formats)}. Received: {str(path)!r}. "
            "Name a file such as figure.png or figure.svg."
        )
    buffer = BytesIO()
    figure.savefig(buffer, format=target.suffix[1:].lower(), dpi=150)
    try:
        if not target.parent.is_dir():
            raise NotADirectoryError(f"there is no folder {str(target.parent)!r}")
        return write_bytes(target, buffer.getvalue())
    except OSError as error:
        raise ExportError(
            f"A figure is written to {target}. Received: {error}. Name a folder that exists and "
            "can be written."
        ) from error
