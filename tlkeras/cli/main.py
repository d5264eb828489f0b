"""The command line's parser: words and options here, one file a command beside it.

Exit status: 0 done, 1 a check failed or the disk refused, 2 wrong usage or input.
"""

import logging
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from tlkeras import __version__
from tlkeras.cli import out
from tlkeras.cli.options import Backbone, Data, Json, Run, Seed, Weights
from tlkeras.disk import is_refusal
from tlkeras.errors import ParityError, TlkerasError

CHECK_FAILED, WRONG_INPUT, INTERRUPTED = 1, 2, 130

app = typer.Typer(
    name="tlkeras",
    help="Transfer learning: from a folder of pictures to a served classifier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        out.line(f"tlkeras {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="The version.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show log lines.")] = False,
) -> None:
    """Transfer learning: from a folder of pictures to a served classifier."""
    level = logging.INFO if verbose or not sys.stderr.isatty() else logging.WARNING
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("tlkeras").setLevel(level)
    logging.getLogger("tlkeras.cli").setLevel(logging.DEBUG if verbose else level)
    out.quiet_tensorflow()


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where to put pictures, run and export.")] = Path(
        "demo"
    ),
    json: Json = False,
) -> None:
    """Train on real handwritten digits with the built-in backbone, and serve the result."""
    from tlkeras.cli import demo as command

    command.run(folder, json)


@app.command()
def check(
    data: Data,
    backbone: Backbone = None,
    weights: Weights = "default",
    html: Annotated[Path | None, typer.Option(help="Write the findings as one page.")] = None,
    relabel: Annotated[
        list[str] | None, typer.Option(help="Correct a label: PATH=CLASS; repeatable.")
    ] = None,
    leave_out: Annotated[
        list[str] | None, typer.Option(help="Leave a picture out: PATH; repeatable.")
    ] = None,
    undo: Annotated[int, typer.Option(min=0, help="Take back the last corrections.")] = 0,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Report broken, copied, odd and, with a backbone, wrongly labelled pictures.

    Corrections are kept in labels.csv in the folder; no picture is moved, changed or deleted.
    Exit 1 on errors.
    """
    from tlkeras.cli.trusting import check as command

    wanted = command.Corrections(tuple(relabel or ()), tuple(leave_out or ()), undo)
    if not command.run(data, wanted, backbone, weights, html, seed, json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
def rank(
    data: Data,
    backbone: Annotated[
        list[str] | None,
        typer.Option(help="A candidate: name, file, or NAME=WEIGHTS; repeatable."),
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to spend, by fewer pictures if need be.")
    ] = None,
    max_mb: Annotated[float | None, typer.Option(help="Largest file.")] = None,
    max_ms: Annotated[float | None, typer.Option(help="Longest time a picture takes here.")] = None,
    license: Annotated[
        list[str] | None, typer.Option(help="Only weights under this licence; repeatable.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw accuracy against time to this file.")
    ] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Rank backbones on your own pictures and machine: accuracy, time, memory, size."""
    from tlkeras.cli.choosing import rank as command

    limits = command.Limits(minutes, max_mb, max_ms, tuple(license or ()))
    command.run(data, tuple(backbone or ()), limits, plot, seed, json)


@app.command()
def train(
    data: Data,
    to: Annotated[Path | None, typer.Option("--to", "-o", help="Run folder to write.")] = None,
    backbone: Annotated[
        str, typer.Option(help="Name from `tlkeras backbones`, or a model file.")
    ] = "MobileNetV2",
    weights: Annotated[
        str, typer.Option(help="default, imagenet, builtin, none, or a weights file.")
    ] = "default",
    preprocessing: Annotated[
        str | None,
        typer.Option(help="Of a file's network: none, unit, tf, torch, caffe, or MEAN/DEVIATION."),
    ] = None,
    head: Annotated[str, typer.Option(help="linear or mlp.")] = "linear",
    unfreeze: Annotated[
        str | None,
        typer.Option(help="Fine-tune too: layer name, count or fraction from the top."),
    ] = None,
    recipe: Annotated[
        Path | None, typer.Option(help="JSON file of knobs; see tlkeras.Recipe.")
    ] = None,
    knob: Annotated[
        list[str] | None, typer.Option("--set", help="One knob, as name=value; repeatable.")
    ] = None,
    seed: Seed = 0,
    deterministic: Annotated[
        bool, typer.Option("--deterministic", help="The same bits each time on this machine.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run that was broken off.")
    ] = False,
    force: Annotated[bool, typer.Option(help="Replace the run folder if it exists.")] = False,
    json: Json = False,
) -> None:
    """Train a head on a frozen backbone, evaluate it, and save the run folder."""
    from tlkeras.cli import train as command

    knobs = tuple(knob or ())
    choice = command.Choice(
        backbone, weights, head, unfreeze, recipe, knobs, seed, preprocessing, deterministic
    )
    if not command.run(data, to, choice, command.Before(resume, force), json):
        raise typer.Exit(INTERRUPTED)


@app.command()
def evaluate(
    run: Run,
    data: Annotated[
        Path | None, typer.Argument(help="Other labelled pictures; without: the run's test part.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as one HTML file.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="With --html: a SavedModel of the run, to tell its parity.")
    ] = None,
    json: Json = False,
) -> None:
    """Accuracy with its interval, per-class figures, confusion matrix, worst mistakes."""
    from tlkeras.cli import evaluate as command

    command.run(run, data, html, export, json)


@app.command()
def predict(
    run: Run,
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or patterns.")],
    json: Json = False,
) -> None:
    """Label pictures. Exit 1 if one could not be read."""
    from tlkeras.cli import predict as command

    if not command.run(run, pictures, json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders; with --scratch one folder of pictures.")
    ],
    data: Annotated[
        Path | None, typer.Option(help="Other labelled pictures; without: the runs' test part.")
    ] = None,
    scratch: Annotated[
        bool, typer.Option(help="Compare transfer with training from scratch on pictures.")
    ] = False,
    backbone: Annotated[str, typer.Option(help="With --scratch: name or file.")] = "MobileNetV2",
    weights: Weights = "default",
    plot: Annotated[Path | None, typer.Option(help="Draw it (.png, .svg).")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Compare trained runs on the same pictures, or transfer with training from scratch."""
    if scratch:
        from tlkeras.cli.choosing import scratch as from_scratch

        from_scratch.run(runs, backbone, weights, plot, seed, json)
        return
    from tlkeras.cli.trusting import compare as command

    command.run(runs, data, plot, json)


@app.command()
def explain(
    run: Run,
    pictures: Annotated[list[str], typer.Argument(help="Files, folders or patterns.")],
    to: Annotated[Path, typer.Option("--to", "-o", help="Folder for the drawings.")] = Path(
        "explained"
    ),
    label: Annotated[str | None, typer.Option(help="Class to explain, not the answer.")] = None,
    method: Annotated[str, typer.Option(help="gradcam or occlusion.")] = "gradcam",
    json: Json = False,
) -> None:
    """Draw which parts of a picture spoke for its label. Exit 1 if one could not be read."""
    from tlkeras.cli.trusting import explain as command

    if not command.run(run, pictures, to, label, method, json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
def doctor(
    model: Annotated[Path, typer.Argument(help="A .keras or .h5 file, or a run folder.")],
    pictures: Annotated[
        Path | None, typer.Option(help="Real pictures, to see what the first layers get.")
    ] = None,
    json: Json = False,
) -> None:
    """Look for what commonly goes wrong in a Keras model. Exit 1 on errors."""
    from tlkeras.cli.trusting import doctor as command

    if not command.run(model, pictures, json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
def verify(
    run: Run,
    deep: Annotated[
        bool, typer.Option("--deep", help="Load the Keras model, and hold it against them too.")
    ] = False,
    json: Json = False,
) -> None:
    """Hold a run's files, pictures, answers and exports against its record. Exit 1 if off."""
    from tlkeras.cli.trusting import verify as command

    if not command.run(run, deep, json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
def export(
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN", help="Run folder that `tlkeras train` wrote.")
    ] = None,
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="FOLDER",
            help="To write; serve/flowers takes the next version. Else exported/RUN.",
        ),
    ] = None,
    to: Annotated[
        str, typer.Option("--to", help="Formats, parted by commas; --formats lists them.")
    ] = "saved_model",
    opset: Annotated[int | None, typer.Option(help="Of the ONNX file: 13 to 21.")] = None,
    max_drop: Annotated[
        float, typer.Option(min=0, max=1, help="Accuracy that a quantised file may lose.")
    ] = 0.02,
    formats: Annotated[bool, typer.Option("--formats", help="List the formats, and end.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Always done.", hidden=True)] = True,
    json: Json = False,
) -> None:
    """Write artefacts that work without tlkeras, and prove that they answer the same.

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


@app.command()
def serve(
    run: Run,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free.")] = 8501,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback are open to others.")
    ] = "127.0.0.1",
    name: Annotated[
        str | None, typer.Option(help="Name of the model; without: the run folder's.")
    ] = None,
    max_mb: Annotated[float, typer.Option(min=0.001, help="Largest request.")] = 32,
    json: Json = False,
) -> None:
    """Try a run out: a page, and TensorFlow Serving's REST, on this machine. Not for production."""
    from tlkeras.cli import serve as command

    command.run(run, host, port, name, max_mb, json)


@app.command()
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
        Path | None, typer.Option(help="Write the certificate as .html or .json.")
    ] = None,
    allow_mismatch: Annotated[
        bool, typer.Option(help="Write a model that answers differently, too.")
    ] = False,
    allow_op: Annotated[
        list[str] | None,
        typer.Option(help="Operator of a TensorFlow graph that may reach files; repeatable."),
    ] = None,
    json: Json = False,
) -> None:
    """Convert a network between frameworks, with proof. Exit 1 if it answers differently."""
    from tlkeras.cli import convert as command

    if not command.run(source, target, report, allow_mismatch, tuple(allow_op or ()), json):
        raise typer.Exit(CHECK_FAILED)


@app.command()
def backbones(
    name: Annotated[str | None, typer.Argument(help="Only those whose name has this.")] = None,
    json: Json = False,
) -> None:
    """List the backbones with their size, published accuracy and licence."""
    from tlkeras.cli.choosing import backbones as command

    command.run(name, json)


def run() -> None:
    """Run the command line and leave the process with its exit status."""
    # A process of our own: TensorFlow's notes on missing GPUs would bury the answer.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        app()
    except TlkerasError as error:
        out.error(error)
        failed = isinstance(error, ParityError) or is_refusal(error)
        sys.exit(CHECK_FAILED if failed else WRONG_INPUT)
    except OSError as error:
        out.error(
            f"Expected files that can be read and written. Received: {error}. "
            "Make room on the disk, or name another file or folder."
        )
        sys.exit(CHECK_FAILED if is_refusal(error) else WRONG_INPUT)
    except KeyboardInterrupt:
        out.error("interrupted; what was finished is kept")
        sys.exit(INTERRUPTED)
