"""bundle.json: what makes a folder a run folder, and the hash of every other file in it."""

import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict, cast

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.bundle.bundle import FILES, FORMAT, FORMAT_VERSION, INDEX, BackboneFacts, HeadFacts
from tlkeras.data.picture import printable
from tlkeras.errors import BundleError, WeightsError


class Index(TypedDict):
    """The contents of bundle.json."""

    format: str
    format_version: int
    created: str
    class_names: list[str]
    backbone: BackboneFacts
    head: HeadFacts
    sha256: dict[str, str]


_MOST_PX = 1 << 14  # of a picture's side
_OF_BACKBONE: Mapping[str, type] = {
    "name": str, "in_catalogue": bool, "weights": str, "size_px": int, "width": int,
    "licence": str, "fine_tuned": bool, "fingerprint": str,
}  # fmt: skip


def is_run(folder: Path) -> bool:
    """Whether the folder says of itself that it is a run; other tools write bundle.json too."""
    try:
        index = read_json(folder / INDEX)
    except WeightsError:
        return False
    return isinstance(index, dict) and index.get("format") == FORMAT


def read_index(folder: Path) -> Index:
    """The folder's bundle.json, of a format that this release knows and with every entry."""
    path = folder / INDEX
    try:
        index = cast(Index, read_json(path))
        found = index["format"], index["format_version"]
    except (WeightsError, KeyError, TypeError) as error:
        raise BundleError(
            f"A run folder has a {INDEX}, written by save(). Received: {folder} "
            f"({type(error).__name__}: {error}). "
            "Name the folder that `tlkeras train` or clf.save(...) wrote."
        ) from error
    if found[0] != FORMAT or not isinstance(found[1], int):
        raise BundleError(
            f"A run folder's {INDEX} says format {FORMAT!r} and a version number. Received: "
            f"{found[0]!r}, {found[1]!r}. Name a folder that clf.save(...) wrote."
        )
    if found[1] > FORMAT_VERSION:
        raise BundleError(
            f"This release reads run folders up to version {FORMAT_VERSION}. Received: version "
            f"{found[1]} in {folder}. Upgrade: pip install --upgrade tlkeras."
        )
    hashes = index.get("sha256")
    missing = [name for name in Index.__annotations__ if name not in index]
    missing += [name for name in FILES if not isinstance(hashes, dict) or name not in hashes]
    if missing:
        raise BundleError(
            f"{path} has all of {', '.join(Index.__annotations__)}, and a hash of each file. "
            f"Received: it without {', '.join(missing)}. Copy it again, or save the run again."
        )
    _check_kinds(index, path)
    return index


def sha256(path: Path) -> str:
    """Hash of a file's bytes as 64 hexadecimal digits, without holding the file in memory.

    Raises:
        OSError: it cannot be read, or is a pipe or device, which might never end.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except ValueError as error:  # no name that a file can have
        raise OSError(f"{printable(path)} is no path: {error}") from error
    with open(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is no regular file")
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_kinds(index: Index, path: Path) -> None:
    """Raises BundleError for entries of another kind than `save` writes."""
    backbone, head, names = index["backbone"], index["head"], index["class_names"]
    right = {
        "class_names": isinstance(names, list) and all(isinstance(name, str) for name in names),
        "backbone": isinstance(backbone, Mapping)
        and not [key for key, kind in _OF_BACKBONE.items() if type(backbone.get(key)) is not kind]
        and 0 < backbone["size_px"] <= _MOST_PX,
        "head": isinstance(head, Mapping)
        and isinstance(head.get("kind"), str)
        and isinstance(head.get("layers"), list)
        and isinstance(head.get("chosen"), Mapping),
        "sha256": all(isinstance(digest, str) for digest in index["sha256"].values()),
    }
    wrong = [name for name, is_right in right.items() if not is_right]
    if wrong:
        raise BundleError(
            f"{path} is as save() wrote it. Received: other kinds of values in {', '.join(wrong)}. "
            "Copy it again, or save the run again."
        )
