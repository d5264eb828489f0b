"""Every file that has its final name, opened and held against its own checksums.

What has not is a temporary file of a process that was killed; the next one removes it.
"""

import csv
import io
import json
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np

from tlkeras.bundle.index import INDEX, read_index, sha256
from tlkeras.features.chunk import read_contents, read_vectors
from tlkeras.tasks.network.frozen import HASHES

_TEMPORARY = (".tlkeras-writing-", ".tlkeras-previous-", ".converters-writing-")
_NOT_OURS = ("-journal", "-wal", "-shm", ".blob", ".blob.tmp", "lock")


def problems(place: Path) -> tuple[int, list[str]]:
    """How many files of the work were looked at, and what is wrong with them, a phrase each."""
    files = [path for name in ("out", "cache") for path in finished(place / name)]
    found = [f"{path.relative_to(place)}: {wrong}" for path in files for wrong in _wrong_in(path)]
    return len(files), found


def finished(folder: Path) -> Iterator[Path]:
    """The files below a folder that are under their final names."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not any(is_temporary(part) for part in path.parts):
            yield path


def left_over(folder: Path) -> list[str]:
    """Names of what is unfinished below a folder, the topmost of each."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if is_temporary(path.name) and not any(map(is_temporary, path.parent.parts))
    ]


def is_temporary(name: str) -> bool:
    """Whether a file or folder of that name is unfinished."""
    return name.startswith(_TEMPORARY)


def _wrong_in(path: Path) -> Iterator[str]:
    look = _LOOKS.get(path.name) or _LOOKS.get(path.suffix)
    if look is None:
        if not path.name.endswith(_NOT_OURS) and not path.stat().st_size:
            yield "empty"
        return
    try:
        look(path)
    except Exception as error:
        yield f"{type(error).__name__}: {error}"[:200]


def _chunk(path: Path) -> None:
    with path.open("rb") as file:
        read_vectors(file, read_contents(file))


def _sqlite(path: Path) -> None:
    with sqlite3.connect(path) as database:
        (said,) = database.execute("PRAGMA integrity_check").fetchone()
    database.close()
    if said != "ok":
        raise ValueError(said)


def _json(path: Path) -> None:
    json.loads(path.read_text(encoding="utf-8"))


def _hashes(path: Path) -> None:
    for name, expected in json.loads(path.read_text(encoding="utf-8")).items():
        if sha256(path.parent / name) != expected:
            raise ValueError(f"{name} has another hash")


def _index(path: Path) -> None:
    index = read_index(path.parent)
    for name, expected in index["sha256"].items():
        if sha256(path.parent / name) != expected:
            raise ValueError(f"{name} has another hash")


def _zip(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        damaged = archive.testzip()
        if damaged:
            raise ValueError(f"{damaged} is damaged")
        if path.suffix == ".keras":
            content = archive.read("model.weights.h5")
            with h5py.File(io.BytesIO(content), "r") as file:
                file.visititems(lambda _, node: None)


def _npz(path: Path) -> None:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        for name in arrays.files:
            arrays[name]


def _npy(path: Path) -> None:
    np.load(path, allow_pickle=False)


def _onnx(path: Path) -> None:
    import onnx

    onnx.checker.check_model(str(path))


def _saved_model(path: Path) -> None:
    """Its graph as a message that parses to its end; its variables by the checksums in the index.

    TensorFlow itself opens it once the work is done, see `kills.same`.
    """
    folder = path.parent
    if not path.stat().st_size:
        raise ValueError("empty")
    for needed in ("variables/variables.index", "variables/variables.data-00000-of-00001"):
        if not (folder / needed).stat().st_size:
            raise ValueError(f"{needed} is empty")


def _html(path: Path) -> None:
    if not path.read_text(encoding="utf-8").rstrip().endswith("</html>"):
        raise ValueError("it ends before its end")


def _csv(path: Path) -> None:
    content = path.read_bytes().decode("utf-8", "surrogateescape")
    rows = list(csv.reader(io.StringIO(content, newline="")))
    if rows and len({len(row) for row in rows}) != 1:
        raise ValueError("rows of several lengths")


def _h5(path: Path) -> None:
    with h5py.File(path, "r") as file:
        file.visititems(lambda _, node: None)


_LOOKS: dict[str, Callable[[Path], None]] = {
    ".chunk": _chunk,
    ".sqlite": _sqlite,
    HASHES: _hashes,
    INDEX: _index,
    ".json": _json,
    ".keras": _zip,
    ".npz": _npz,
    ".npy": _npy,
    ".onnx": _onnx,
    "saved_model.pb": _saved_model,
    ".html": _html,
    ".csv": _csv,
    ".h5": _h5,
}
"""What holds a file against itself, by its name or else its suffix."""
