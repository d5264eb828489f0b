"""Run folder → Bundle, every file held against its hash."""

import csv
import io
import math
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlkeras.backbones.foreign.doors import check_objects, open_keras, read_json
from tlkeras.backbones.spec import to_preprocessing
from tlkeras.bundle.atomic import heal
from tlkeras.bundle.bundle import (
    DATA,
    HISTORY,
    INDEX,
    LABELS,
    METRICS,
    MODEL,
    ONNX,
    OPTIONAL,
    OUTPUTS,
    RECIPE,
    UNKNOWN,
    VERSIONS,
    Bundle,
    not_ours,
)
from tlkeras.bundle.index import Index, read_index, sha256
from tlkeras.bundle.network import check_classifier
from tlkeras.bundle.outputs import from_told
from tlkeras.bundle.portable import check_one_piece, check_portable
from tlkeras.bundle.unknown import from_npy
from tlkeras.disk import size_of
from tlkeras.errors import BundleError, WeightsError
from tlkeras.heads.unknown import UnknownScore

if TYPE_CHECKING:
    import keras

MOST_TEXT = 256 << 20  # bytes of a table; a million pictures take half of it
CHECKED = (MODEL, LABELS, RECIPE, METRICS, HISTORY, DATA, VERSIONS)  # people may edit the card
_OTHER_FORM = (KeyError, TypeError, ValueError, ArithmeticError, AttributeError, csv.Error)


def load(folder: str | Path, *, hashed: bool = False) -> Bundle:
    """The bundle that `save` wrote to the folder.

    Args:
        folder: the run folder.
        hashed: the caller has just held its files against their hashes.

    Raises:
        BundleError: not a run folder, one of a newer release, or a file that is missing or
            changed; the message names it.

    Example::

        load("runs/flowers").class_names
    """
    folder = Path(folder)
    heal(folder, not_ours)
    index = read_index(folder)
    for name in (*CHECKED, *OPTIONAL):
        if name in index["sha256"]:
            _check(folder, name, None if hashed else index["sha256"][name])
    check_portable(folder / MODEL)
    if ONNX in index["sha256"]:
        check_one_piece(folder / ONNX)
    try:
        _check_names(folder, index["class_names"])
        check_objects(index["head"]["layers"], INDEX)
        to_preprocessing(index["backbone"]["preprocessing"])
        return _bundle(folder, index)
    except (
        LookupError,
        TypeError,
        ValueError,
        ArithmeticError,
        AttributeError,
        csv.Error,
    ) as error:
        raise BundleError(
            f"The files of a run folder are as save() wrote them. Received: {folder}, of which one "
            f"says something else ({type(error).__name__}: {str(error)[:300]}). Copy it again, or "
            "save the run again."
        ) from error


def _bundle(folder: Path, index: Index) -> Bundle:
    """The bundle, once every file was found to be the one that the index tells of."""
    metrics = _mapping(folder, METRICS)
    told = metrics["validation"].pop("unknown", None)
    known = UNKNOWN in index["sha256"]
    if known != (told is not None):
        raise ValueError(f"{UNKNOWN} and what {METRICS} tells of it belong together")
    return Bundle(
        network=Stored(
            folder,
            len(index["class_names"]),
            index["backbone"]["fingerprint"],
            index["sha256"],
            from_npy((folder / UNKNOWN).read_bytes(), told) if known else None,
            index["backbone"]["size_px"],
        ),
        class_names=tuple(index["class_names"]),
        backbone=index["backbone"],
        head=index["head"],
        recipe=_mapping(folder, RECIPE),
        validation=_decided(metrics.pop("validation")),
        metrics={part: _evaluated(figures) for part, figures in metrics.items()},
        history=[_numbers(row) for row in _rows(_text(folder, HISTORY))],
        manifest=_manifest(folder, index["class_names"]),
        versions=_mapping(folder, VERSIONS),
        outputs=from_told(_mapping(folder, OUTPUTS), len(index["class_names"]))
        if OUTPUTS in index["sha256"]
        else None,
    )


@dataclass
class Stored:
    """The network in a run folder, read when it is asked for.

    Attributes:
        folder: the run folder.
        classes: how many columns its answers have.
        fingerprint: of its backbone.
        sha256: of the files that it may be read from, by name.
        unknown: its unknown score; None in a run of a release that had none.
        size_px: side of the pictures that it is given; None: not known.
    """

    folder: Path
    classes: int
    fingerprint: str
    sha256: Mapping[str, str]
    unknown: UnknownScore | None = None
    size_px: int | None = None

    @cached_property
    def model(self) -> "keras.Model":
        """The Keras model; loads TensorFlow."""
        # The folder may have been written anew since it was opened.
        _check(self.folder, MODEL, self.sha256[MODEL])
        return _open(self.folder / MODEL, self.classes, self.size_px)

    @property
    def onnx(self) -> Path | None:
        """The ONNX file beside the model, None if there is none."""
        if ONNX not in self.sha256:
            return None
        _check(self.folder, ONNX, self.sha256[ONNX])
        return self.folder / ONNX

    @property
    def size_bytes(self) -> int:
        """What its files take."""
        return size_of(self.folder / MODEL) + size_of(self.folder / ONNX)

    def write_keras(self, path: Path) -> None:
        """Copies the .keras file."""
        _check(self.folder, MODEL, self.sha256[MODEL])
        shutil.copyfile(self.folder / MODEL, path)

    def write_onnx(self, path: Path) -> bool:
        """Copies the ONNX file, if there is one."""
        stored = self.onnx
        if stored is not None:
            shutil.copyfile(stored, path)
        return stored is not None


def _check(folder: Path, name: str, expected: str | None) -> None:
    """Raises BundleError for a file that is elsewhere, missing, too large or not as expected.

    Args:
        folder: the run folder.
        name: of the file.
        expected: its hash; None: not looked at.
    """
    if not (folder / name).resolve().is_relative_to(folder.resolve()):
        raise BundleError(
            f"A run folder has its files in itself. Received: {folder / name}, a link to "
            f"{(folder / name).resolve()}. Copy the file into the folder in its place."
        )
    try:
        size = (folder / name).stat().st_size
        if name not in (MODEL, ONNX) and size > MOST_TEXT:
            raise BundleError(
                f"A table of a run folder has at most {MOST_TEXT:,} bytes. Received: "
                f"{folder / name} with {size:,}. Copy it again, or save the run again."
            )
        found = expected if expected is None else sha256(folder / name)
    except OSError as error:
        raise BundleError(
            f"A run folder has {name}. Received: {folder} without it ({error}). "
            "Copy the whole folder again, or save the run again."
        ) from error
    if found != expected:
        raise BundleError(
            f"{folder / name} must be as it was saved. Received: "
            f"{(folder / name).stat().st_size:,} bytes with another hash; it was cut short or "
            "changed. Copy it again, or save the run again."
        )


def _check_names(folder: Path, class_names: list[str]) -> None:
    """The index has no hash of its own; its names must be those of labels.txt."""
    labels = _text(folder, LABELS).removesuffix("\n").split("\n")
    if labels != class_names:
        raise BundleError(
            f"The class names of {INDEX} are those of {LABELS}. Received: {len(class_names)} and "
            f"{len(labels)} names that differ, in {folder}. Copy it again, or save the run again."
        )


def _mapping(folder: Path, name: str) -> dict[str, Any]:
    """The object in a JSON file."""
    found = read_json(folder / name)
    if not isinstance(found, dict):
        raise TypeError(f"{name} holds no object")
    return found


def _decided(told: Any) -> Any:
    """What the validation part led to, every entry of the kind that its readers take."""
    decisions, cost = told["decisions"], told.get("cost", {})
    if not isinstance(decisions, list) or not all(isinstance(line, str) for line in decisions):
        raise TypeError("the decisions are no list of texts")
    numbers: dict[str, Any] = {name: float(told[name]) for name in ("accuracy", "loss")}
    if "temperature" in told:
        numbers["temperature"] = float(told["temperature"])
        if not 0 < numbers["temperature"] < math.inf:
            raise ValueError(f"the temperature is {numbers['temperature']}")
    if cost:
        numbers["cost"] = {
            phase: {name: float(row[name]) for name in row} for phase, row in cost.items()
        }
    return told | numbers


def _evaluated(told: Any) -> dict[str, object]:
    """The figures of one part, those that the card reads of their kind."""
    low, high = told["interval"]
    figures = {"accuracy": float(told["accuracy"]), "interval": [float(low), float(high)]}
    return {**told, **figures, "n": int(told["n"])}


def _manifest(folder: Path, class_names: list[str]) -> list[dict[str, object]]:
    rows = _rows(_text(folder, DATA))
    unknown = {row["label"] for row in rows} - set(class_names)
    missing = {"path", "sha256", "part"} - (rows[0].keys() if rows else {"path", "sha256", "part"})
    if unknown or missing:
        raise ValueError(f"{DATA} has other columns or classes: {sorted(unknown | missing)[:5]}")
    return [dict(row) for row in rows]


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_bytes().decode("utf-8", "surrogateescape")


def _open(path: Path, classes: int, size_px: int | None) -> "keras.Model":
    try:
        model = open_keras(path)
    except WeightsError as error:
        raise BundleError(
            f"{path} must open in Keras. Received: {error} versions.json beside it says what "
            "it was saved with."
        ) from error
    check_classifier(model, classes)
    shape = tuple(model.inputs[0].shape)
    if len(shape) != 4 or shape[3] != 3 or set(shape[1:3]) - {None, size_px}:
        raise BundleError(
            f"The model of a run folder takes pictures (n, {size_px}, {size_px}, 3). Received: "
            f"{shape} in {path}. Save the run again."
        )
    return model


def _rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def _numbers(row: dict[str, str]) -> dict[str, object]:
    """The row without its empty cells, numbers as numbers."""
    found: dict[str, object] = {}
    for name, text in row.items():
        if text:
            try:
                found[name] = float(text)
            except ValueError:
                found[name] = text
    return found
