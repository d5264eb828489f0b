"""Words that look for faults: check, explain, doctor, verify."""

from pathlib import Path
from typing import Annotated

import typer

from tlkeras.cli.options import Backbone, Data, Json, Pictures, Run, Seed, Weights
from tlkeras.cli.status import CHECK_FAILED


def check(
    data: Data,
    backbone: Backbone = None,
    weights: Weights = "default",
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the findings as one page.")
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH=CLASS", help="Correct a label; repeatable."),
    ] = None,
    leave_out: Annotated[
        list[str] | None,
        typer.Option(metavar="PATH", help="Leave a picture out; repeatable."),
    ] = None,
    undo: Annotated[
        int, typer.Option(min=0, metavar="N", help="Take back the last N corrections.")
    ] = 0,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Find broken, copied, odd and wrongly labelled pictures.

    Corrections are kept in labels.csv in the folder; no picture is moved, changed or deleted.
    Exit 1 on errors.
    """
    from tlkeras.cli.trusting import check as command

    wanted = command.Corrections(tuple(relabel or ()), tuple(leave_out or ()), undo)
    if not command.run(data, wanted, backbone, weights, html, seed, json):
        raise typer.Exit(CHECK_FAILED)


def explain(
    run: Run,
    pictures: Pictures,
    to: Annotated[
        Path, typer.Option("--to", "-o", metavar="FOLDER", help="For the drawings.")
    ] = Path("explained"),
    label: Annotated[
        str | None, typer.Option(metavar="CLASS", help="Class to explain instead of the answer.")
    ] = None,
    method: Annotated[str, typer.Option(metavar="NAME", help="gradcam or occlusion.")] = "gradcam",
    json: Json = False,
) -> None:
    """Draw which parts of a picture spoke for its label.

    Exit 1 if one could not be read.
    """
    from tlkeras.cli.trusting import explain as command

    if not command.run(run, pictures, to, label, method, json):
        raise typer.Exit(CHECK_FAILED)


def doctor(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A .keras or .h5 file, or a run folder.")
    ],
    pictures: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Real pictures, to see what the first layers get."),
    ] = None,
    json: Json = False,
) -> None:
    """Look for what commonly goes wrong in a Keras model.

    Exit 1 on errors.
    """
    from tlkeras.cli.trusting import doctor as command

    if not command.run(model, pictures, json):
        raise typer.Exit(CHECK_FAILED)


def verify(
    run: Run,
    deep: Annotated[
        bool, typer.Option("--deep", help="Load the Keras model, and hold it against them too.")
    ] = False,
    json: Json = False,
) -> None:
    """Hold a run's files, pictures and answers against its record.

    Exports that it knows of, too. Exit 1 if something is off.
    """
    from tlkeras.cli.trusting import verify as command

    if not command.run(run, deep, json):
        raise typer.Exit(CHECK_FAILED)
