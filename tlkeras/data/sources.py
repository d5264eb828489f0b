"""What a user points at, as a flat list of pictures: files, folders, globs, bytes, arrays."""

import glob
import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from tlkeras.data.decode import SUFFIXES, Source
from tlkeras.data.picture import printable
from tlkeras.errors import DataError

log = logging.getLogger(__name__)

Kind = Literal["picture", "other", "closed"]

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini"})


def gather(sources: Source | Iterable[Source]) -> list[Source]:
    """Every single picture in what was named, in order; folders and globs are expanded, sorted.

    A folder gives the pictures below it, known by their suffix. An array (n, h, w, 3),
    (n, h, w, 1) or (n, h, w) gives its n pictures.

    Raises:
        DataError: files that do not exist, folders and patterns without pictures: all at once.

    >>> import numpy as np
    >>> [picture.shape for picture in gather(np.zeros((2, 5, 4, 3), "uint8"))]
    [(5, 4, 3), (5, 4, 3)]
    """
    listed = [sources] if isinstance(sources, str | Path | bytes | np.ndarray) else sources
    if not isinstance(listed, Iterable):
        raise DataError(
            f"Expected a path, bytes, an array or a list of them, got {type(sources).__name__}: "
            "pass for instance a file name."
        )
    pictures: list[Source] = []
    problems: list[str] = []
    for source in listed:
        if isinstance(source, np.ndarray):
            pictures += _single_arrays(source)
        elif isinstance(source, bytes):
            pictures.append(source)
        elif isinstance(source, str | Path):
            found = _expand(Path(source))
            pictures += found
            if not found:
                problems.append(_why_nothing(Path(source)))
        else:
            problems.append(f"an object of type {type(source).__name__}")
    if problems:
        shown = "\n".join(f"  - {problem}" for problem in problems[:10])
        more = f"\n  and {len(problems) - 10} more" if len(problems) > 10 else ""
        raise DataError(
            "Expected picture files, folders with pictures, patterns, bytes or arrays, got:\n"
            f"{shown}{more}\nCheck the names; the working folder is {printable(Path.cwd())}."
        )
    return pictures


def pictures_below(
    folder: Path, seen: set[str] | None = None
) -> tuple[list[Path], list[Path], list[Path]]:
    """Sorted files below a folder: (pictures, other files, folders that cannot be listed).

    As `files_below`.
    """
    found: dict[Kind, list[Path]] = {"picture": [], "other": [], "closed": []}
    for kind, parent, name in files_below(folder, seen):
        found[kind].append(parent / name if name else parent)
    return found["picture"], found["other"], found["closed"]


def files_below(folder: Path, seen: set[str] | None = None) -> Iterator[tuple[Kind, Path, str]]:
    """(kind, folder, name) of each file below a folder, in the order of sorted paths.

    The name of a folder that cannot be listed is empty. Hidden and system files are left out. A
    folder behind a symbolic link is entered once: `seen` holds the real paths already covered,
    and grows.
    """
    if seen is None:
        seen = real_folders(folder)
    waiting = [_listed(folder, False)]
    while waiting:
        current, linked, entries = waiting[-1]
        entry = next(entries, None)
        if entry is None:
            waiting.pop()
            continue
        name, is_folder, is_link = entry
        if not name:
            yield "closed", current, ""
        elif not is_folder:
            suffix = os.path.splitext(name)[1].lower()
            yield "picture" if suffix in SUFFIXES else "other", current, name
        else:
            through_link = linked or is_link
            if through_link:
                real = os.path.realpath(current / name)
                if real in seen:
                    continue
                seen.add(real)
            waiting.append(_listed(current / name, through_link))


def _listed(folder: Path, linked: bool) -> tuple[Path, bool, Iterator[tuple[str, bool, bool]]]:
    """A folder and its entries by name: (name, whether a folder, whether a link)."""
    try:
        with os.scandir(folder) as entries:
            kinds = [
                (entry.name, _is_folder(entry), entry.is_symlink())
                for entry in entries
                if _is_visible(entry.name)
            ]
    except OSError as err:
        log.warning("cannot list the folder %s: %s", printable(folder), err.strerror)
        return folder, linked, iter([("", False, False)])
    kinds.sort()
    return folder, linked, iter(kinds)


def real_folders(folder: Path) -> set[str]:
    """Real paths of a folder and of all folders below it that need no symbolic link."""
    return {os.path.realpath(where) for where, _, _ in os.walk(folder)}


def visible(folder: Path) -> list[os.DirEntry[str]]:
    """Entries of a folder by name, without hidden and system ones."""
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if _is_visible(entry.name)]
    return sorted(shown, key=lambda entry: entry.name)


def _is_visible(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in _SYSTEM_NAMES


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symbolic link that points at itself
        return False


def _single_arrays(array: np.ndarray) -> list[Source]:
    stack = array.ndim == 4 or (array.ndim == 3 and array.shape[2] not in (1, 3, 4))
    return list(array) if stack else [array]


def _expand(path: Path) -> list[Source]:
    if path.is_dir():
        return list(pictures_below(path)[0])
    if os.path.lexists(path):
        return [path]
    if glob.has_magic(str(path)):
        matches = [Path(match) for match in sorted(glob.glob(str(path), recursive=True))]
        files = [match for match in matches if not match.is_dir()]
        return [match for match in files if match.suffix.lower() in SUFFIXES]
    return []


def _why_nothing(path: Path) -> str:
    name = printable(path)
    if path.is_dir():
        return f"{name}: a folder without pictures"
    if glob.has_magic(str(path)):
        return f"{name}: no picture matches this pattern"
    return f"{name}: there is no such file or folder"
