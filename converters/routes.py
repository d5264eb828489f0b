"""From which kind of file to which other, and one function that goes any of these ways.

source ─ kind_of ─ reader ─▶ Keras model ─ writer ─▶ target, its kind told by the suffix
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from converters.errors import (
    ArchitectureNeededError,
    ConversionError,
    NodeError,
    NoReportError,
    UnsupportedError,
)
from converters.kinds import Kind, kind_of

if TYPE_CHECKING:
    import keras

    from converters.report import ImportReport

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """A kind of file that is read, and the function that reads it."""

    kind: Kind
    label: str
    looks_like: str
    reader: str
    note: str = ""


@dataclass(frozen=True)
class Target:
    """A kind of file that is written, told by the suffix, and the function that writes it."""

    label: str
    suffixes: tuple[str, ...]
    writer: str


SOURCES: tuple[Source, ...] = (
    Source("onnx", "ONNX", "`.onnx`", "onnx_to_keras"),
    Source("pt2", "PyTorch program", "`.pt2`", "torch_to_keras"),
    Source("torchscript", "TorchScript", "`.pt`", "torch_to_keras", "example input needed"),
    Source("state_dict", "PyTorch weights", "`.pt`, `.pth`", "torch_to_keras", "with its module"),
    Source("safetensors", "safetensors", "`.safetensors`", "torch_to_keras", "with its module"),
    Source("saved_model", "SavedModel", "a folder", "tf_to_keras"),
    Source("frozen_graph", "TensorFlow graph", "`.pb`", "tf_to_keras"),
    Source("tflite", "TensorFlow Lite", "`.tflite`", "tf_to_keras", "dequantised"),
    Source("keras2_h5", "Keras 2", "`.h5`", "tf_to_keras"),
    Source("keras2", "Keras 2", "`.keras`", "tf_to_keras"),
    Source("tfjs", "TF.js layers", "`model.json`", "tf_to_keras"),
    Source("hub", "KerasHub, timm", "a folder", "hub_to_keras"),
    Source("keras", "Keras 3", "`.keras`", "load_model"),
)

TARGETS: tuple[Target, ...] = (
    Target("Keras 3", (".keras",), "save"),
    Target("ONNX", (".onnx",), "keras_to_onnx"),
    Target("PyTorch", (".pt2", ".pt", ".pth", ".safetensors"), "keras_to_torch"),
    Target("SavedModel", ("",), "keras_to_tf"),
    Target("LiteRT", (".tflite",), "keras_to_litert"),
)
_WITH_OPS = ("saved_model", "frozen_graph")  # programs of TensorFlow: operators by name
_INFERENCE = ("keras_to_tf", "keras_to_litert")  # what onnx2tf can write too


@dataclass(frozen=True)
class Conversion:
    """What a conversion has written and found out.

    Args:
        path: what was written.
        kind: of the source.
        route: the functions that were used, one after the other.
        report: the import's certificate; None for a Keras source, or where onnx2tf went.
    """

    path: Path
    kind: Kind
    route: tuple[str, ...]
    report: ImportReport | None = None


def convert(
    source: str | Path,
    target: str | Path,
    *,
    architecture: Callable[[], object] | None = None,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    example_input: object = None,
    opset: int | None = None,
    allow_mismatch: bool = False,
    allow_ops: Collection[str] = (),
) -> Conversion:
    """What was written at `target`, from the network at `source`, with the import's report.

    Kinds are told by the source's content and the target's suffix; a target without a suffix
    is a SavedModel folder. An ONNX graph with operators that cannot be imported still becomes
    a SavedModel or `.tflite` for inference, through onnx2tf; a warning is logged.

    Args:
        source: file or folder of the network.
        target: `.keras`, `.onnx`, `.pt2`, `.pt`, `.safetensors`, `.tflite` or a folder.
        architecture: the torch module, or a function that makes it, for a file of weights.
        input_shapes: shape of each input by its name, where the file leaves it open.
        example_input: what a torch module takes, for a file that does not say it.
        opset: of an ONNX target; None: 17, or what the model needs.
        allow_mismatch: write a model that answers differently from its source all the same.
        allow_ops: operators by name that may be in a TensorFlow graph although they reach files,
            devices or other programs; they may run.

    Raises:
        ReadError: a source of an unknown kind, or a damaged one.
        ConversionError: what the functions on the way raise; see there.

    Example::

        converters.convert("resnet50.onnx", "resnet50.keras")
    """
    kind, writer = kind_of(source), target_of(target).writer
    entry = _source(kind, source)
    if allow_ops and kind not in _WITH_OPS:
        raise ConversionError(
            f"Expected allow_ops for a SavedModel or a TensorFlow graph, got it for '{source}', "
            "which is none. Leave it out."
        )
    for package in packages(kind, writer):
        with suppress(ImportError):  # told by the function that needs it
            import_module(package)
    try:
        model = _read(
            entry.reader,
            Path(source),
            architecture=architecture,
            example_input=example_input,
            input_shapes=input_shapes,
            allow_mismatch=allow_mismatch,
            allow_ops=tuple(allow_ops),
        )
    except (UnsupportedError, NodeError) as err:
        if kind != "onnx" or writer not in _INFERENCE:
            raise
        _LOG.warning("not trainable, through onnx2tf, because: %s", err)
        return _through_onnx2tf(Path(source), Path(target), kind)
    path = _write(model, writer, Path(target), opset)
    return Conversion(path, kind, (entry.reader, writer), _report(model))


def packages(kind: Kind, writer: str) -> tuple[str, ...]:
    """The frameworks that a route loads, in the order in which they bear one another.

    >>> packages("onnx", "keras_to_torch"), packages("onnx", "save")
    (('torch', 'tensorflow'), ('tensorflow',))
    """
    torch = writer == "keras_to_torch" or _source(kind, kind).reader == "torch_to_keras"
    return ("torch", "tensorflow") if torch else ("tensorflow",)


def target_of(path: str | Path) -> Target:
    """The kind of file that is written at `path`.

    >>> target_of("net.tflite").label, target_of("serve/1").label
    ('LiteRT', 'SavedModel')
    """
    suffix = Path(path).suffix.lower()
    if suffix.lstrip(".").isdigit():  # a version folder, such as serve/1.2
        suffix = ""
    for target in TARGETS:
        if suffix in target.suffixes:
            return target
    known = ", ".join(suffix for target in TARGETS for suffix in target.suffixes if suffix)
    raise ConversionError(
        f"Expected a target that ends in {known}, or a folder without a suffix for a SavedModel, "
        f"got '{path}'. Name it so."
    )


def _source(kind: Kind, path: str | Path) -> Source:
    for source in SOURCES:
        if source.kind == kind:
            return source
    raise ArchitectureNeededError(
        f"Expected a file with a whole network, got '{path}' with Keras weights alone. Build the "
        "network they belong to and use model.load_weights(path)."
    )


def _read(reader: str, path: Path, **options: object) -> keras.Model:
    import converters

    given = {name: value for name, value in options.items() if value}
    if reader == "load_model":
        from converters.doors.keras_file import open_keras

        return open_keras(path)
    unused = {"architecture", "example_input"} & given.keys()
    if unused and reader != "torch_to_keras":
        raise ConversionError(
            f"Expected no {', '.join(sorted(unused))} for '{path}', which is no PyTorch file. "
            "Leave it out."
        )
    if reader == "hub_to_keras":
        given.pop("input_shapes", None)
        return import_module("converters.hub").hub_to_keras(path, **given)
    return getattr(converters, reader)(path, **given)


def _write(model: keras.Model, writer: str, target: Path, opset: int | None) -> Path:
    import converters
    from converters.exported import staged

    if writer == "save":
        with staged(target) as fresh:
            model.save(fresh)
        return target
    options = {"opset": opset} if writer == "keras_to_onnx" else {}
    return getattr(converters, writer)(model, target, **options)


def _report(model: keras.Model) -> ImportReport | None:
    from converters.report import import_report

    try:
        return import_report(model)
    except NoReportError:
        return None


def _through_onnx2tf(source: Path, target: Path, kind: Kind) -> Conversion:
    from converters.onnx2tf_process import onnx2tf_process

    return Conversion(onnx2tf_process(source, target), kind, ("onnx2tf",))


def routes_table() -> str:
    """Every route as a Markdown table: a row for each source, a column for each target.

    >>> print(routes_table().splitlines()[0])
    | from | file | to Keras | ONNX | PyTorch | SavedModel | LiteRT |
    """
    header = ["from", "file", "to Keras", *(target.label for target in TARGETS[1:])]
    rows = [header, ["---"] * len(header)]
    for source in SOURCES:
        own = "as it is" if source.reader == "load_model" else f"`{source.reader}`"
        note = f", {source.note}" if source.note else ""
        cells = [_cell(source, target) for target in TARGETS[1:]]
        rows.append([source.label, source.looks_like, own + note, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(source: Source, target: Target) -> str:
    cell = f"`{target.writer}`" if source.reader == "load_model" else "yes"
    if source.kind == "onnx" and target.writer in _INFERENCE:
        return f"{cell}; onnx2tf where an operator is missing"
    return cell
