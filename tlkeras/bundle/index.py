"""bundle.json: what makes a folder a run folder, and the hash of every other file in it."""

import hashlib
import json
from pathlib import Path
from typing import TypedDict

from tlkeras.bundle.bundle import FILES, FORMAT, FORMAT_VERSION, INDEX, BackboneFacts, HeadFacts
from tlkeras.errors import BundleError


class Index(TypedDict):
    """The contents of bundle.json."""

    format: str
    format_version: int
    created: str
    class_names: list[str]
    backbone: BackboneFacts
    head: HeadFacts
    sha256: dict[str, str]


def is_run(folder: Path) -> bool:
    """Whether the folder says of itself that it is a run; other tools write bundle.json too."""
    try:
        index = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(index, dict) and index.get("format") == FORMAT


def read_index(folder: Path) -> Index:
    """The folder's bundle.json, of a format that this release knows and with every entry."""
    path = folder / INDEX
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        found = index["format"], index["format_version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
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
    return index


def sha256(path: Path) -> str:
    """Hash of a file's bytes as 64 hexadecimal digits, without holding the file in memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
