"""Words that make a classifier and use it: demo, train, evaluate, predict."""

from pathlib import Path
from typing import Annotated

import typer

from tlkeras.cli.options import Data, Json, Pictures, Run, Seed, Weights
from tlkeras.cli.status import CHECK_FAILED, INTERRUPTED


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="For pictures, run and export.")
    ] = Path("demo"),
    json: Json = False,
) -> None:
    """Train on handwritten digits, and export; needs no network."""
    from tlkeras.cli import demo as command

    command.run(folder, json)


def train(
    data: Data,
    to: Annotated[
        Path | None,
        typer.Option("--to", "-o", metavar="RUN", help="Run folder to write; else runs/DATA."),
    ] = None,
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="From `tlkeras backbones`, or a model file.")
    ] = "MobileNetV2",
    weights: Weights = "default",
    preprocessing: Annotated[
        str | None,
        typer.Option(
            metavar="MODE",
            help="Scaling of a file's network: none, unit, tf, torch, caffe, or MEAN/DEVIATION.",
        ),
    ] = None,
    head: Annotated[str, typer.Option(metavar="KIND", help="linear or mlp.")] = "linear",
    unfreeze: Annotated[
        str | None,
        typer.Option(
            metavar="DEPTH", help="Fine-tune too: layer name, count or fraction from the top."
        ),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON file of knobs; see tlkeras.Recipe.")
    ] = None,
    knob: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KNOB=VALUE", help="One knob of the recipe; repeatable."),
    ] = None,
    seed: Seed = 0,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits each time on this machine.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was broken off.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the run folder if it exists.")
    ] = False,
    json: Json = False,
) -> None:
    """Train a head on a frozen backbone; evaluate and save it."""
    from tlkeras.cli import train as command

    knobs = tuple(knob or ())
    choice = command.Choice(
        backbone, weights, head, unfreeze, recipe, knobs, seed, preprocessing, deterministic
    )
    if not command.run(data, to, choice, command.Before(resume, force), json):
        raise typer.Exit(INTERRUPTED)


def evaluate(
    run: Run,
    data: Annotated[
        Path | None,
        typer.Argument(metavar="DATA", help="Labelled pictures; without: the run's test part."),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as one HTML file.")
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="With --html: a SavedModel of the run, to tell of it."),
    ] = None,
    json: Json = False,
) -> None:
    """Print accuracy with its interval, figures by class, mistakes."""
    from tlkeras.cli import evaluate as command

    command.run(run, data, html, export, json)


def predict(
    run: Run,
    pictures: Pictures,
    json: Json = False,
) -> None:
    """Label pictures.

    Exit 1 if one could not be read.
    """
    from tlkeras.cli import predict as command

    if not command.run(run, pictures, json):
        raise typer.Exit(CHECK_FAILED)
