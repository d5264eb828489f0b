"""Run folder → Bundle, every file held against its hash."""

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.bundle.bundle import (
    DATA,
    HISTORY,
    LABELS,
    METRICS,
    MODEL,
    RECIPE,
    VERSIONS,
    Bundle,
)
from tlkeras.bundle.index import read_index, sha256
from tlkeras.bundle.portable import check_portable
from tlkeras.errors import BundleError

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
    for name in CHECKED:
        _check(folder, name, index["sha256"][name])
    metrics = json.loads(_text(folder, METRICS))
    return Bundle(
        model=_model(folder / MODEL),
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


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_bytes().decode("utf-8", "surrogateescape")


def _model(path: Path) -> "keras.Model":
    import keras

    check_portable(path)
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises a dozen kinds
        raise BundleError(
            f"{path} must open in Keras {keras.__version__}. Received: {error}. "
            "versions.json beside it says what it was saved with."
        ) from error


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
