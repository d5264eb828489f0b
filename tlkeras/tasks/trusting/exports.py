"""exports.json: which artefacts a run folder was exported as, where they are, and their hashes."""

import hashlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import cast

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.bundle.bundle import MODEL
from tlkeras.bundle.index import read_index, sha256
from tlkeras.disk import write_bytes
from tlkeras.errors import BundleError, WeightsError

logger = logging.getLogger(__name__)

FILE = "exports.json"
MOST_FILES, MOST_BYTES = 10_000, 64 << 30
"""Of one artefact: a record made by a stranger may name the root of the disk."""


@dataclass(frozen=True)
class Export:
    """One artefact.

    Attributes:
        path: seen from the run folder, with slashes; absolute where it lies on another drive.
        format: a key of `FORMATS`.
        sha256: of the file, or over names and hashes of the folder's files; see `tree_hash`.
        model: SHA-256 of the run's model.keras that it was made of.
        date: when, in UTC.
    """

    path: str
    format: str
    sha256: str
    model: str
    date: str

    def place(self, run: Path) -> Path:
        """Where it should be."""
        return Path(os.path.normpath(run.resolve() / self.path))


def record(run: Path, artefact: Path, format: str) -> None:
    """Note the artefact in the run folder, in place of an older one at the same path.

    A folder that can't be written is told in the log, and the export stands all the same.

    Example::

        record(Path("runs/flowers"), Path("flowers.onnx"), "onnx")
    """
    try:
        made_of = read_index(run)["sha256"][MODEL]
        date = datetime.now(UTC).isoformat(timespec="seconds")
        new = Export(_seen_from(run, artefact), format, tree_hash(artefact), made_of, date)
        kept = [each for each in exports(run) if each.path != new.path]
        text = json.dumps([asdict(each) for each in (*kept, new)], indent=1, ensure_ascii=True)
        write_bytes(run / FILE, (text + "\n").encode("ascii"))
    except (OSError, BundleError) as error:
        logger.warning("the export is not noted in %s: %s", run, error)


def exports(run: Path) -> list[Export]:
    """What `record` noted, oldest first; nothing where nothing was.

    Raises:
        BundleError: the file is damaged.
    """
    file = run / FILE
    try:
        rows = cast(list[dict[str, object]], read_json(file)) if file.exists() else []
        return [Export(**{name: str(row[name]) for name in Export.__annotations__}) for row in rows]
    except (WeightsError, TypeError, KeyError) as error:
        raise BundleError(
            f"{file} lists exported artefacts. Received: {type(error).__name__}: {error}. Delete "
            "it and export again; nothing else needs it."
        ) from error


def tree_hash(path: Path) -> str:
    """SHA-256 of a file; of a folder over name and hash of every file in it, in their order.

    Raises:
        OSError: there is nothing, it can't be read, or it is far more than an export.
    """
    found = list(islice(path.rglob("*"), MOST_FILES + 1)) if path.is_dir() else [path]
    size = sum(file.stat().st_size for file in found if file.is_file())
    if len(found) > MOST_FILES or size > MOST_BYTES:
        raise OSError(f"{path} is no export: over {MOST_FILES:,} files or {MOST_BYTES:,} bytes")
    if not path.is_dir():
        return sha256(path)
    files = {file.relative_to(path).as_posix(): file for file in found if file.is_file()}
    lines = [f"{sha256(files[name])}  {name}\n" for name in sorted(files)]
    return hashlib.sha256("".join(lines).encode("utf-8", "surrogateescape")).hexdigest()


def _seen_from(run: Path, artefact: Path) -> str:
    try:
        return Path(os.path.relpath(artefact.resolve(), run.resolve())).as_posix()
    except ValueError:  # Windows: on another drive
        return str(artefact.resolve())
