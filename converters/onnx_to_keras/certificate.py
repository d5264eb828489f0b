"""What the importer knows of its result, put into the words of an ImportReport."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from converters.doors.json_text import MOST_DEPTH, depth
from converters.report import ImportReport, LayerRow, WeightRow

if TYPE_CHECKING:
    import keras
    import onnx

    from converters.onnx_to_keras.build import Build, Row
    from converters.onnx_to_keras.layout import LaidOut

_PACKAGES = ("tlkeras", "keras", "tensorflow", "onnx", "onnxruntime")
_LABELS = ("converters.labels", "names", "labels", "classes", "class_names", "id2label")
_PREPROCESSING = ("mean", "std", "imgsz", "scale", "channel_order", "color_space", "normalize")
_MOST_LABELS = 100_000


def describe(
    proto: onnx.ModelProto, source: str, laid_out: LaidOut, build: Build, warnings: tuple[str, ...]
) -> ImportReport:
    """The report as far as the import alone can fill it; certify adds the proof."""
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    return ImportReport(
        source=source,
        kind="ONNX",
        layers=tuple(_layer(row, laid_out) for row in build.rows),
        weights=_weights(build),
        input_orders=laid_out.input_orders,
        output_orders=laid_out.output_orders,
        preprocessing=preprocessing(metadata),
        labels=labels(metadata),
        metadata={k: v for k, v in metadata.items() if len(v) < 2000 and not _own(k)},
        versions=_versions(),
        warnings=warnings,
    )


def labels(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """Class names that the file's metadata has, as a list or a dictionary by number.

    >>> labels({"names": "{0: 'cat', 1: 'dog'}"}), labels({"classes": "cat, dog"})
    (('cat', 'dog'), ('cat', 'dog'))
    """
    for key in _LABELS:
        text = metadata.get(key, "").strip()
        if not text or len(text) > 10 * 1024 * 1024:
            continue
        found = _literal(text)
        if isinstance(found, dict):
            numbered = {str(k): str(v) for k, v in found.items()}
            if all(k.isdecimal() for k in numbered):
                found = [numbered[k] for k in sorted(numbered, key=int)]
        if found is None and "," in text:
            found = [part.strip() for part in text.split(",")]
        if isinstance(found, list) and 0 < len(found) <= _MOST_LABELS:
            return tuple(str(name) for name in found)
    return ()


def preprocessing(metadata: Mapping[str, str]) -> dict[str, str]:
    """What the file's metadata says about the pixels it was trained on, as found."""
    own = _literal(metadata.get("converters.preprocessing", "")) or {}
    found = {str(k): str(v) for k, v in own.items()} if isinstance(own, dict) else {}
    for key, value in metadata.items():
        if key.lower() in _PREPROCESSING and len(value) < 1000:
            found.setdefault(key.lower(), value)
    return found


def _own(key: str) -> bool:
    return key.startswith("converters.")


def _literal(text: str) -> object:
    if depth(text.encode("utf-8", "surrogatepass")) > MOST_DEPTH:
        return None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _layer(row: Row, laid_out: LaidOut) -> LayerRow:
    exact = [name for name in row.outputs if laid_out.tensors.get(name) == name]
    return LayerRow(
        layer=row.operation.name,
        op=row.op,
        node=" + ".join(row.nodes),
        outputs=tuple(exact),
        weights=tuple(dict.fromkeys(row.weights.values())),
        orders=tuple(laid_out.orders[name] for name in exact),
    )


def _weights(build: Build) -> tuple[WeightRow, ...]:
    rows = []
    for row in build.rows:
        for name, source in row.weights.items():
            variable = _variable(row.operation, name)
            if variable is not None:
                rows.append(WeightRow(source, variable.path, tuple(variable.shape)))
    return tuple(dict.fromkeys(rows))


def _variable(operation: keras.Operation, name: str) -> keras.Variable | None:
    found = getattr(getattr(operation, "cell", operation), name, None)
    return found if hasattr(found, "path") else None


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
