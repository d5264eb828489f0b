"""The command line: `python -m converters IN OUT`.

Exit status: 0 done, 1 the result answers differently from its source, 2 wrong usage or input.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import ConversionError, MismatchError

if TYPE_CHECKING:
    from converters.report import ImportReport
    from converters.routes import Conversion

DONE, DIFFERS, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130
_TABLES = ("layers", "weights")  # thousands of rows: in the report's file, not on the screen


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; its exit status."""
    given = parser().parse_args(words)
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    if given.routes:
        from converters.routes import routes_table

        _line(routes_table())
        return DONE
    try:
        return _run(given)
    except ConversionError as err:
        _error(err)
        report = getattr(err, "report", None)
        if report is not None and given.report:
            write_report(report, given.report)
        return DIFFERS if isinstance(err, MismatchError) else WRONG_INPUT
    except OSError as err:
        _error(f"Expected to write '{given.target}', but: {err}. Choose another place.")
        return WRONG_INPUT
    except KeyboardInterrupt:
        _error("interrupted; nothing was written")
        return INTERRUPTED


def parser() -> argparse.ArgumentParser:
    """The words and options of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m converters",
        description="Convert a network into another framework's file, by way of Keras.",
    )
    made.add_argument("source", metavar="IN", nargs="?", help="file or folder of the network")
    made.add_argument(
        "target",
        metavar="OUT",
        nargs="?",
        help=".keras, .onnx, .pt2, .pt, .safetensors, .tflite, or a folder for a SavedModel",
    )
    made.add_argument("--report", metavar="FILE", help="write the certificate: .html or .json")
    made.add_argument("--allow-mismatch", action="store_true", help="write what differs, too")
    made.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    made.add_argument("--opset", type=int, help="of an ONNX target (17, or what it needs)")
    made.add_argument(
        "--input-shape",
        metavar="NAME=1,3,224,224",
        action="append",
        default=[],
        help="shape of an input that the file leaves open, ? for any size; repeatable",
    )
    made.add_argument(
        "--architecture",
        metavar="PACKAGE.MODULE:FUNCTION",
        help="what makes the torch module of a file of weights; its code is run",
    )
    made.add_argument(
        "--allow-op",
        metavar="NAME",
        action="append",
        default=[],
        help="an operator of a TensorFlow graph that may reach files or programs, and may run; "
        "repeatable",
    )
    made.add_argument("--routes", action="store_true", help="show what can be converted to what")
    return made


def _run(given: argparse.Namespace) -> int:
    if given.source is None or given.target is None:
        raise ConversionError("Expected IN and OUT, got fewer words. See --help.")
    check_report_name(given.report)
    from converters.routes import convert

    done = convert(
        given.source,
        given.target,
        architecture=_architecture(given.architecture),
        input_shapes=dict(_shape(text) for text in given.input_shape) or None,
        opset=given.opset,
        allow_mismatch=given.allow_mismatch,
        allow_ops=given.allow_op,
    )
    if given.report and done.report is not None:
        write_report(done.report, given.report)
    _line(json.dumps(summary(done)) if given.json else text(done))
    parity = done.report.parity if done.report is not None else None
    return DIFFERS if parity is not None and not parity.passed else DONE


def summary(done: Conversion) -> dict[str, object]:
    """What a conversion has done, for JSON; the long tables are left to the report's file."""
    report = None
    if done.report is not None:
        full = done.report.to_dict()
        report = {key: value for key, value in full.items() if key not in _TABLES}
    return {"path": str(done.path), "kind": done.kind, "route": done.route, "report": report}


def text(done: Conversion) -> str:
    """What a conversion has done, for a person."""
    head = f"{done.path}: written by {' and '.join(done.route)}"
    return head if done.report is None else f"{done.report}\n\n{head}"


def check_report_name(name: str | Path | None) -> None:
    """Nothing for the name of a report that can be written, else ConversionError."""
    if name is not None and Path(name).suffix.lower() not in (".html", ".htm", ".json"):
        raise ConversionError(
            f"Expected a report that ends in .html or .json, got '{name}'. Name it so."
        )


def write_report(report: ImportReport, path: str | Path) -> Path:
    """Write the certificate in the form that its suffix says."""
    if Path(path).suffix.lower() == ".json":
        return report.to_json(path)
    return report.to_html(path)


def _shape(given: str) -> tuple[str, tuple[int | None, ...]]:
    name, equals, sizes = given.rpartition("=")
    try:
        if not (name and equals):
            raise ValueError
        return name, tuple(None if size == "?" else int(size) for size in sizes.split(","))
    except ValueError:
        raise ConversionError(
            f"Expected --input-shape NAME=1,3,224,224, got '{given}'. Write whole numbers, ? for "
            "any size."
        ) from None


def _architecture(given: str | None) -> Callable[[], object] | None:
    if given is None:
        return None
    module, _, name = given.partition(":")
    try:
        found: Callable[[], object] = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as err:
        raise ConversionError(
            f"Expected --architecture PACKAGE.MODULE:FUNCTION, got '{given}' ({err}). Name a "
            "function of an importable module."
        ) from err
    return found


def _line(content: str) -> None:
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(content.encode(encoding, "backslashreplace").decode(encoding) + "\n")


def _error(content: object) -> None:
    sys.stderr.write(f"converters: {content}\n")
