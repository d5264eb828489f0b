"""The table of formats: what each needs, what is inside it, what it is for; and one way to write.

bundle ─ writer of the format ─▶ beside the target ─ fresh process, same answers? ─▶ renamed
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, cast

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.disk import write_bytes
from tlkeras.errors import ExportError
from tlkeras.export.verify import TOLERANCE, ServedParity, verify_pixels

if TYPE_CHECKING:
    from tlkeras.bundle.bundle import Bundle
    from tlkeras.export.formats.litert_file import Kind
    from tlkeras.export.formats.shown import Shown

Name = Literal[
    "saved_model", "onnx", "litert", "litert-float16", "litert-dynamic", "litert-int8", "c"
]
MAX_DROP = 0.02
PARITY_IN_FOLDER = "parity.json"
_PIXELS = "RGB from 0 to 255, (n, size, size, 3) float32"
_KINDS: "Mapping[str, Kind]" = {
    "litert": "float32",
    "litert-float16": "float16",
    "litert-dynamic": "dynamic",
    "litert-int8": "int8",
}
_SMALLER = {"litert-float16": 2, "litert-dynamic": 4, "litert-int8": 4}
_AS_READ = 1e-2  # of a quantised file: between two builds of its interpreter


@dataclass(frozen=True)
class Format:
    """One kind of artefact.

    Attributes:
        name: what it is asked for by.
        ends: how its name ends below the folder of an export, with the run's name for `{run}`.
        needs: packages that run it; TensorFlow to write it goes without saying.
        inside: what the artefact does or holds by itself.
        takes: its input.
        gives: its outputs.
        tolerance: how far it may be from the model, in words.
        purpose: when to pick it.
    """

    name: Name
    ends: str
    needs: tuple[str, ...]
    inside: tuple[str, ...]
    takes: str
    gives: tuple[str, ...]
    tolerance: str
    purpose: str

    def place(self, folder: Path, run: str) -> Path:
        """Where it lies in the folder of an export.

        >>> FORMATS["onnx"].place(Path("out"), "flowers").name
        'flowers.onnx'
        """
        return folder / self.ends.format(run=run)


_BYTES = ("decoding", "EXIF orientation", "resize", "scaling", "labels")
_SCORED = ("label", "score", "probabilities", "unknown_score", "unknown", "ok", "embedding")
_TABLE = (
    Format(
        "saved_model",
        "saved_model/1",
        ("tensorflow",),
        _BYTES,
        "bytes of JPEG, PNG, GIF or BMP files, (n,); or pixels of any size",
        _SCORED,
        "labels equal, probabilities within 1e-4",
        "a TensorFlow server, or whoever has files and no decoder",
    ),
    Format(
        "onnx",
        "{run}.onnx",
        ("onnxruntime",),
        ("scaling", "labels"),
        _PIXELS,
        ("probabilities", "unknown_score", "embedding"),
        "labels equal, probabilities within 1e-4",
        "a program that starts often, in any language ONNX Runtime has; no TensorFlow",
    ),
    Format(
        "litert",
        "{run}.tflite",
        ("ai-edge-litert",),
        ("scaling", "labels"),
        _PIXELS,
        ("probabilities", "unknown_score"),
        "labels equal, probabilities within 1e-4",
        "phones and small computers",
    ),
    Format(
        "litert-float16",
        "{run}_float16.tflite",
        ("ai-edge-litert",),
        ("scaling", "labels"),
        _PIXELS,
        ("probabilities", "unknown_score"),
        "probabilities within 0.02, accuracy drop within --max-drop",
        "half the size of litert; phones with a GPU",
    ),
    Format(
        "litert-dynamic",
        "{run}_dynamic.tflite",
        ("ai-edge-litert",),
        ("scaling", "labels"),
        _PIXELS,
        ("probabilities", "unknown_score"),
        "accuracy drop within --max-drop",
        "a quarter of the size; weights int8, the rest float",
    ),
    Format(
        "litert-int8",
        "{run}_int8.tflite",
        ("ai-edge-litert",),
        ("scaling", "labels"),
        "pixel - 128, (1, size, size, 3) int8",
        ("probabilities (int8)", "unknown_score (int8)"),
        "accuracy drop within --max-drop",
        "devices that only compute in whole numbers",
    ),
    Format(
        "c",
        "c",
        ("a C++ compiler", "TensorFlow Lite Micro"),
        ("scaling", "labels"),
        "pixel - 128, (1, size, size, 3) int8",
        ("probabilities (int8)", "unknown_score (int8)"),
        "as litert-int8, of which it holds the bytes",
        "microcontrollers without files",
    ),
)
FORMATS: Mapping[str, Format] = {entry.name: entry for entry in _TABLE}


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ExportError: there is none; the message lists those there are.

    >>> find_format("onnx").needs
    ('onnxruntime',)
    """
    if name not in FORMATS:
        close = get_close_matches(name, FORMATS, n=1)
        meant = f" Did you mean {close[0]}?" if close else ""
        raise ExportError(
            f"Expected a format of {', '.join(FORMATS)}. Received: {name!r}.{meant} "
            "`tlkeras export --formats` tells what each is for."
        )
    return FORMATS[name]


def as_markdown(formats: Iterable[Format] = _TABLE) -> str:
    """The table for a page.

    >>> as_markdown([FORMATS["litert"]]).splitlines()[0]
    '| format | file | runs with | inside | takes | gives | held to | for |'
    """
    heads = ("format", "file", "runs with", "inside", "takes", "gives", "held to", "for")
    rows = [heads, ("---",) * len(heads)]
    for entry in formats:
        rows.append(
            (
                f"`{entry.name}`",
                f"`{entry.ends.format(run='RUN')}`",
                ", ".join(entry.needs),
                ", ".join(entry.inside),
                entry.takes,
                ", ".join(entry.gives),
                entry.tolerance,
                entry.purpose,
            )
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def write(
    bundle: "Bundle",
    name: str,
    path: str | Path,
    shown: "Shown",
    *,
    opset: int | None = None,
    max_drop: float = MAX_DROP,
) -> Path:
    """The path, once the artefact there was seen to answer right in a process of its own.

    What was measured lies beside a file as `<name>.parity.json`, and in the folder of a
    SavedModel; `parity_note` reads it.

    Args:
        bundle: the trained classifier.
        name: a key of FORMATS.
        path: a file, or a folder for "saved_model" and "c".
        shown: pictures to prove it on.
        opset: of an ONNX file; see `to_onnx`.
        max_drop: accuracy that a quantised file may lose.

    Raises:
        ParityError: it answers differently; nothing is left of it.
        ExportError: the format is unknown, or it can't be written there.

    Example::

        write(bundle, "onnx", "flowers.onnx", shown)
    """
    kind = find_format(name)
    target = Path(path)
    if kind.name == "saved_model":
        from tlkeras.export.savedmodel import export

        return export(bundle, target, shown.files, shown.answers)
    if kind.name == "c":
        return _write_c(bundle, target, shown, max_drop)
    if target.is_dir():
        raise ExportError(
            f"Expected the name of a file for {name}. Received: the folder '{target}'. "
            f"Name a file in it, for example '{kind.place(target, 'model')}'."
        )
    from converters.exported import staged

    try:
        # One of the two files of a run, or a part of it where the numbers are smaller.
        needed = bundle.network.size_bytes // (2 * _SMALLER.get(name, 1))
        with staged(target, needed) as fresh:
            if kind.name == "onnx":
                _write_onnx(bundle, fresh, shown, opset)
            else:
                _write_litert(bundle, fresh, shown, kind.name, max_drop)
    except OSError as error:
        raise ExportError(
            f"Expected to write '{target}', but: {error}. "
            "Make room on the disk, or choose a folder that can be written to."
        ) from error
    return target


def parity_note(path: str | Path) -> dict[str, object]:
    """What was measured when the artefact at `path` was written, as it lies beside or in it.

    Raises:
        ExportError: nothing was.

    Example::

        parity_note("flowers.onnx")["parity"]["label_mismatches"]     # 0
    """
    from tlkeras.export.savedmodel import PARITY_FILE

    place = Path(path)
    inside = [place / PARITY_FILE, place / PARITY_IN_FOLDER]
    note = next((file for file in inside if file.is_file()), _beside(place))
    try:
        return dict(cast(dict[str, object], read_json(note)))
    except (ValueError, TypeError) as error:
        raise ExportError(
            f"Expected the result of a verified export in '{note}', but: {error}. "
            "Export again; a file from elsewhere was never verified."
        ) from error


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.parity.json")


def _tolerance(bundle: "Bundle", least: float) -> float:
    from converters.exported import HALF_TOLERANCE, computes_in_half

    return max(least, HALF_TOLERANCE) if computes_in_half(bundle.model) else least


def _write_onnx(bundle: "Bundle", path: Path, shown: "Shown", opset: int | None) -> None:
    from tlkeras.export.formats.onnx_file import to_onnx

    to_onnx(bundle, path, opset=opset)
    tolerance = _tolerance(bundle, TOLERANCE)
    names = bundle.class_names
    parity = verify_pixels(path, "onnx", shown.pixels, shown.table, names, tolerance=tolerance)
    _note(path, {"format": "onnx"}, parity)


def _write_litert(bundle: "Bundle", path: Path, shown: "Shown", name: str, max_drop: float) -> None:
    from tlkeras.export.formats.interpreter import answers_of
    from tlkeras.export.formats.litert_file import TOLERANCES, to_litert

    kind = _KINDS[name]
    validation = shown.validation()
    to_litert(
        bundle,
        path,
        kind=kind,
        pictures=shown.training() if kind == "int8" else shown.pixels,
        known=None if validation is None else {"validation": validation},
        max_drop=max_drop,
    )
    if kind in TOLERANCES:
        expected, tolerance = shown.table, _tolerance(bundle, TOLERANCES[kind])
    else:  # held to its accuracy already, in this process; the same file answers alike alone
        expected, tolerance = answers_of(path.read_bytes())(shown.pixels), _AS_READ
    parity = verify_pixels(
        path, "litert", shown.pixels, expected, bundle.class_names, tolerance=tolerance
    )
    _note(path, parity_note(path), parity)


def _write_c(bundle: "Bundle", folder: Path, shown: "Shown", max_drop: float) -> Path:
    """The folder with `classifier.cc`, `classifier.h` and what was measured of the file in them."""
    from tlkeras.export.formats.c_array import to_c

    if folder.exists() and not folder.is_dir():
        raise ExportError(
            f"Expected a folder for the C++ files. Received: the file '{folder}'. Name a folder."
        )
    with TemporaryDirectory(prefix="tlkeras-", ignore_cleanup_errors=True) as room:
        file = Path(room, "classifier.tflite")
        _write_litert(bundle, file, shown, "litert-int8", max_drop)
        to_c(file, folder)
        told = {**parity_note(file), "format": "c"}
    text = json.dumps(told, indent=2, ensure_ascii=False) + "\n"
    write_bytes(folder / PARITY_IN_FOLDER, text.encode("utf-8"))
    return folder


def _note(path: Path, told: Mapping[str, object], parity: ServedParity) -> None:
    text = json.dumps({**told, "parity": parity.to_dict()}, indent=2, ensure_ascii=False)
    _beside(path).write_text(text + "\n", encoding="utf-8")
