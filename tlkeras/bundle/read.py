"""Run folder → Bundle, every file held against its hash."""

import csv
import hashlib
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from tlkeras.bundle.bundle import (
    DATA,
    FORMAT,
    FORMAT_VERSION,
    HISTORY,
    INDEX,
    METRICS,
    MODEL,
    RECIPE,
    VERSIONS,
    Bundle,
)
from tlkeras.errors import BundleError

if TYPE_CHECKING:
    import keras

CHECKED = (MODEL, RECIPE, METRICS, HISTORY, DATA, VERSIONS)  # people may edit the card


def load(folder: str | Path) -> Bundle:
    """The bundle that `save` wrote to the folder.

    Raises:
        BundleError: not a run folder, one of a newer release, or a file that is missing or
            changed; the message names it.

    Example::

        load("runs/flowers").class_names
    """
    folder = Path(folder)
    index = _index(folder)
    texts = {name: _checked(folder, name, index["sha256"][name]) for name in CHECKED}
    metrics = json.loads(texts[METRICS])
    return Bundle(
        model=_model(folder / MODEL),
        class_names=tuple(index["class_names"]),
        backbone=index["backbone"],
        head=index["head"],
        recipe=json.loads(texts[RECIPE]),
        validation=metrics.pop("validation"),
        metrics=metrics,
        history=[_numbers(row) for row in _rows(texts[HISTORY])],
        manifest=[dict(row) for row in _rows(texts[DATA])],
        versions=json.loads(texts[VERSIONS]),
    )


def _index(folder: Path) -> dict:
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        known = index["format"] == FORMAT
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"A run folder has a {INDEX}, written by save(). Received: {folder} ({error}). "
            "Name the folder that `tlkeras train` or clf.save(...) wrote."
        ) from error
    if not known:
        raise BundleError(
            f"A run folder's {INDEX} says format {FORMAT!r}. Received: {index['format']!r}."
        )
    if index["format_version"] > FORMAT_VERSION:
        raise BundleError(
            f"This release reads run folders up to version {FORMAT_VERSION}. Received: version "
            f"{index['format_version']} in {folder}. Upgrade: pip install --upgrade tlkeras."
        )
    return index


def _checked(folder: Path, name: str, expected: str) -> bytes:
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(
            f"A run folder has {name}. Received: {folder} without it ({error}). "
            "Copy the whole folder again, or save the run again."
        ) from error
    if hashlib.sha256(content).hexdigest() != expected:
        raise BundleError(
            f"{folder / name} must be as it was saved. Received: {len(content):,} bytes with "
            "another hash; it was cut short or changed. Copy it again, or save the run again."
        )
    return content


def _model(path: Path) -> "keras.Model":
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # Keras raises a dozen kinds
        raise BundleError(
            f"{path} must open in Keras {keras.__version__}. Received: {error}. "
            "versions.json beside it says what it was saved with."
        ) from error


def _rows(content: bytes) -> list[dict[str, str]]:
    text = content.decode("utf-8", "surrogateescape")
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
