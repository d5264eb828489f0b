"""Networks of other frameworks to and from Keras files, by the package `converters`.

Importing this module loads no framework.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.errors import ExportError, ParityError

if TYPE_CHECKING:
    from converters.routes import Conversion


def convert(
    source: str | Path,
    target: str | Path,
    *,
    report: str | Path | None = None,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    opset: int | None = None,
    allow_mismatch: bool = False,
    allow_ops: Collection[str] = (),
) -> "Conversion":
    """What was written at `target`, with the import's certificate; kinds told by the files.

    Args:
        source: file or folder of the network.
        target: `.keras`, `.onnx`, `.pt2`, `.pt`, `.safetensors`, `.tflite` or a folder.
        report: `.html` or `.json` file for the certificate; written for a mismatch too.
        input_shapes: shape of each input by its name, where the file leaves it open.
        opset: of an ONNX target; None: 17, or what the model needs.
        allow_mismatch: write a model that answers differently from its source all the same.
        allow_ops: operators by name that may be in a TensorFlow graph although they reach files,
            devices or other programs; they may run.

    Raises:
        ParityError: the model answers differently from its source.
        ExportError: a source that cannot be read or converted, or a target of no known kind.

    Example::

        done = convert("resnet50.onnx", "resnet50.keras", report="resnet50.html")
        print(done.report)
    """
    from converters.cli import write_report
    from converters.errors import ConversionError, MismatchError
    from converters.routes import convert as along_routes

    frameworks(source, target, report)
    try:
        done = along_routes(
            source,
            target,
            input_shapes=input_shapes,
            opset=opset,
            allow_mismatch=allow_mismatch,
            allow_ops=allow_ops,
        )
    except MismatchError as err:
        if report is not None and err.report is not None:
            write_report(err.report, report)  # type: ignore[arg-type]
        raise ParityError(str(err)) from err
    except ConversionError as err:
        raise ExportError(str(err)) from err
    if report is not None and done.report is not None:
        write_report(done.report, report)
    return done


def frameworks(
    source: str | Path, target: str | Path, report: str | Path | None = None
) -> tuple[str, ...]:
    """The packages that this conversion loads, in order; wrong names are told before they are.

    Raises:
        ExportError: see convert.
    """
    from converters.cli import check_report_name
    from converters.errors import ConversionError
    from converters.kinds import kind_of
    from converters.routes import packages, target_of

    try:
        check_report_name(report)
        return packages(kind_of(source), target_of(target).writer)
    except ConversionError as err:
        raise ExportError(str(err)) from err


def summary(done: "Conversion") -> dict[str, object]:
    """What a conversion has done, for JSON."""
    from converters.cli import summary as as_dictionary

    return as_dictionary(done)


def text(done: "Conversion") -> str:
    """What a conversion has done, for a person."""
    from converters.cli import text as as_text

    return as_text(done)
