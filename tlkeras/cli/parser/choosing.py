"""Words that choose, before training and among runs: rank, compare, backbones."""

from pathlib import Path
from typing import Annotated

import typer

from tlkeras.cli.options import Data, Json, Seed, Weights


def rank(
    data: Data,
    backbone: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Candidate: name, file or NAME=WEIGHTS; repeatable."),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(metavar="MINUTES", help="Time to spend, by fewer pictures if need be."),
    ] = None,
    max_mb: Annotated[float | None, typer.Option(metavar="MB", help="Largest file.")] = None,
    max_ms: Annotated[
        float | None, typer.Option(metavar="MS", help="Longest time a picture takes.")
    ] = None,
    license: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Only weights under it; repeatable.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw accuracy against time.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Rank backbones on your own pictures and machine.

    By accuracy; its interval, time, memory, size and licence stand beside it. Without --backbone:
    the built-in one, and all whose weights were downloaded before.
    """
    from tlkeras.cli.choosing import rank as command

    limits = command.Limits(minutes, max_mb, max_ms, tuple(license or ()))
    command.run(data, tuple(backbone or ()), limits, plot, seed, json)


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN", help="Run folders; with --scratch one folder of pictures."),
    ],
    data: Annotated[
        Path | None,
        typer.Option(metavar="DATA", help="Labelled pictures; without: the runs' test part."),
    ] = None,
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Compare transfer with training from scratch.")
    ] = False,
    backbone: Annotated[
        str, typer.Option(metavar="NAME", help="With --scratch: name or file.")
    ] = "MobileNetV2",
    weights: Weights = "default",
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw it (.png, .svg).")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare trained runs, or transfer with training from scratch."""
    if scratch:
        from tlkeras.cli.choosing import scratch as from_scratch

        from_scratch.run(runs, backbone, weights, plot, seed, json)
        return
    from tlkeras.cli.trusting import compare as command

    command.run(runs, data, plot, json)


def backbones(
    name: Annotated[
        str | None, typer.Argument(metavar="PART", help="Only names that have this in them.")
    ] = None,
    json: Json = False,
) -> None:
    """List the backbones: size, published accuracy, licence."""
    from tlkeras.cli.choosing import backbones as command

    command.run(name, json)
