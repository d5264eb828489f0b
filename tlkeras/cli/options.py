"""Options and arguments that several commands share, each with its one wording."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Data = Annotated[
    Path,
    typer.Argument(metavar="DATA", help="Class folders, or train/ val/ test/ above them."),
]
Run = Annotated[Path, typer.Argument(metavar="RUN", help="Run folder that `tlkeras train` wrote.")]
Pictures = Annotated[
    list[str],
    typer.Argument(metavar="PICTURE", help="Files, folders or patterns.", show_default=False),
]
Backbone = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Look for wrong labels too, with this backbone."),
]
Weights = Annotated[
    str,
    typer.Option(
        metavar="WEIGHTS",
        help="imagenet, builtin, none, or a file; without: the backbone's own.",
        show_default=False,
    ),
]
Seed = Annotated[
    int, typer.Option(min=0, metavar="N", help="Decides the split and all randomness.")
]
