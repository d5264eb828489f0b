"""Words that hand a network on: export, serve, convert."""

from pathlib import Path
from typing import Annotated

import typer

from tlkeras.cli.options import Json, Run
from tlkeras.cli.status import CHECK_FAILED


def export(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run folder that `tlkeras train` wrote.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="To write to; without: exported/RUN.",
        ),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", metavar="FORMATS", help="Parted by commas; --formats lists them.")
    ] = "saved_model",
    opset: Annotated[
        int | None, typer.Option(metavar="N", help="Of the ONNX file: 13 to 21.")
    ] = None,
    max_drop: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="Accuracy that a quantised file may lose."
        ),
    ] = 0.02,
    formats: Annotated[bool, typer.Option("--formats", help="List the formats, and end.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Always done.", hidden=True)] = True,
    json: Json = False,
) -> None:
    """Write files that work without tlkeras, proven to answer alike.

    A SavedModel alone becomes the next version in FOLDER, or FOLDER itself if that ends in a number
    (serve/flowers/3); with other formats each lies in FOLDER by its name.
    """
    from tlkeras.cli import export as command

    if formats:
        command.list_formats(json)
        return
    if run is None:
        raise typer.BadParameter("Expected a run folder. Name one that `tlkeras train` wrote.")
    command.run(run, folder, command.Wanted.from_text(to, opset, max_drop), json)


def serve(
    run: Run,
    port: Annotated[
        int, typer.Option(min=0, max=65535, metavar="N", help="0: any that is free.")
    ] = 8501,
    host: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="To listen on; all but loopback are open to other machines."
        ),
    ] = "127.0.0.1",
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Of the model; without: the run folder's.")
    ] = None,
    max_mb: Annotated[float, typer.Option(min=0.001, metavar="MB", help="Largest request.")] = 32,
    json: Json = False,
) -> None:
    """Try a run out in a browser, or by TensorFlow Serving's REST.

    On this machine, not for production: there, let TensorFlow Serving load what export writes.
    """
    from tlkeras.cli import serve as command

    command.run(run, host, port, name, max_mb, json)


def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="File or folder of a network.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help=".keras, .onnx, .pt2, .pt, .safetensors, .tflite, or a SavedModel folder.",
        ),
    ],
    report: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the certificate: .html or .json.")
    ] = None,
    allow_mismatch: Annotated[
        bool,
        typer.Option("--allow-mismatch", help="Write a model that answers differently, too."),
    ] = False,
    allow_op: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Operator of a TensorFlow graph that may reach files; repeatable."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Convert a network between frameworks, with proof.

    Exit 1 if it answers differently.
    """
    from tlkeras.cli import convert as command

    if not command.run(source, target, report, allow_mismatch, tuple(allow_op or ()), json):
        raise typer.Exit(CHECK_FAILED)
