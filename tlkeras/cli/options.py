"""Options and arguments that several commands share, each with its one wording."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Data = Annotated[Path, typer.Argument(help="Class folders, or train/ val/ test/ above them.")]
Run = Annotated[Path, typer.Argument(help="Run folder that `tlkeras train` wrote.")]
Backbone = Annotated[
    str | None, typer.Option(help="Look for wrong labels too, with this backbone.")
]
Weights = Annotated[str, typer.Option(help="default, imagenet, builtin, none, or a file.")]
Seed = Annotated[int, typer.Option(min=0, help="Decides the split and all randomness.")]
