"""Run folder → Bundle, every file held against its hash."""

import csv
import io
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.bundle.bundle import (
    DATA,
    HISTORY,
    INDEX,
    LABELS,
    METRICS,
    MODEL,
    ONNX,
    OPTIONAL,
    RECIPE,
    UNKNOWN,
    VERSIONS,
    Bundle,
)
from tlkeras.bundle.index import read_index, sha256
from tlkeras.bundle.network import check_classifier
from tlkeras.bundle.portable import check_portable
from tlkeras.bundle.unknown import from_npy
from tlkeras.errors import BundleError
from tlkeras.heads.unknown import UnknownScore

if TYPE_CHECKING:
    import keras

CHECKED = (MODEL, LABELS, RECIPE, METRICS, HISTORY, DATA, VERSIONS)  # people may edit the card


def load(folder: str | Path) -> Bundle:
    """The bundle that `save` wrote to the folder.

    Raises:
        BundleError: not a run folder, one of a newer release, or a file that is missing or
            changed; the message names it.

    Example::

        load("runs/flowers").class_names
    """
    folder = Path(folder)
    index = read_index(folder)
    for name in (*CHECKED, *OPTIONAL):
        if name in index["sha256"]:
            _check(folder, name, index["sha256"][name])
    check_portable(folder / MODEL)
    _check_names(folder, index["class_names"])
    metrics = json.loads(_text(folder, METRICS))
    told = metrics["validation"].pop("unknown", None)
    known = told is not None and UNKNOWN in index["sha256"]
    return Bundle(
        network=Stored(
            folder,
            len(index["class_names"]),
            index["backbone"]["fingerprint"],
            index["sha256"],
            from_npy((folder / UNKNOWN).read_bytes(), told) if known else None,
        ),
        class_names=tuple(index["class_names"]),
        backbone=index["backbone"],
        head=index["head"],
        recipe=json.loads(_text(folder, RECIPE)),
        validation=metrics.pop("validation"),
        metrics=metrics,
        history=[_numbers(row) for row in _rows(_text(folder, HISTORY))],
        manifest=[dict(row) for row in _rows(_text(folder, DATA))],
        versions=json.loads(_text(folder, VERSIONS)),
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
    """

    folder: Path
    classes: int
    fingerprint: str
    sha256: Mapping[str, str]
    unknown: UnknownScore | None = None

    @cached_property
    def model(self) -> "keras.Model":
        """The Keras model; loads TensorFlow."""
        # The folder may have been written anew since it was opened.
        _check(self.folder, MODEL, self.sha256[MODEL])
        return _open(self.folder / MODEL, self.classes)

    @property
    def onnx(self) -> Path | None:
        """The ONNX file beside the model, None if there is none."""
        if ONNX not in self.sha256:
            return None
        _check(self.folder, ONNX, self.sha256[ONNX])
        return self.folder / ONNX

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


def _check(folder: Path, name: str, expected: str) -> None:
    try:
        found = sha256(folder / name)
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


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_bytes().decode("utf-8", "surrogateescape")


def _open(path: Path, classes: int) -> "keras.Model":
    import keras

    try:
        model = keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises a dozen kinds
        raise BundleError(
            f"{path} must open in Keras {keras.__version__}. Received: {error}. "
            "versions.json beside it says what it was saved with."
        ) from error
    check_classifier(model, classes)
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
