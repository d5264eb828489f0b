"""The command line: its commands in the order of the help, and how a process ends.

The words and options of a command are in `parser/`; what it does is in its own file.
"""

import logging
import os
import sys
from typing import Annotated

import typer

from tlkeras import __version__
from tlkeras.cli import out
from tlkeras.cli.parser import choosing, serving, training, trusting
from tlkeras.cli.parser.help import Command
from tlkeras.cli.status import CHECK_FAILED, INTERRUPTED, WRONG_INPUT
from tlkeras.disk import is_refusal
from tlkeras.errors import ParityError, TlkerasError

COMMANDS = (
    training.demo,
    trusting.check,
    choosing.rank,
    training.train,
    training.evaluate,
    training.predict,
    choosing.compare,
    trusting.explain,
    trusting.doctor,
    trusting.verify,
    serving.export,
    serving.serve,
    serving.convert,
    choosing.backbones,
)

app = typer.Typer(
    name="tlkeras",
    help="Transfer learning: from a folder of pictures to a served classifier.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # boxes leave the words a third of eighty columns
    epilog="Begin with `tlkeras demo`, or `tlkeras COMMAND --help`.",
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


for command in COMMANDS:
    app.command(cls=Command)(command)


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
