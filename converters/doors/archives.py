"""Zip archives that every reader reads alike, and that hold nothing but plain members.

    member … member │ directory │ (zip64 end) │ end
    ▲ at byte 0                 ▲ where the directory says it ends, and nothing after the end

Python takes the last of two members of one name and looks for the directory from the file's end;
libtorch takes the first, ignores case, and looks where the end record says. An archive on which
they differ shows its check one content and its reader another, so it is refused as a whole.
"""

import itertools
import stat
import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from converters.errors import ReadError, UnsafeFileError

START = b"PK\x03\x04"
DIRECTORY_BYTES = 64 << 20  # of the list of members: more are held in memory than a file needs
FREE_BYTES = 64 << 20  # what an archive may grow by whatever its size
GROWTH = 200
_SHOWN = 5

_END = struct.Struct("<4s4H2LH")
_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")


def check_archive(
    path: Path, label: str, *, growth: int = GROWTH, free_bytes: int = FREE_BYTES
) -> tuple[zipfile.ZipInfo, ...]:
    """The members of an archive that may be read, in the order of its directory.

    Args:
        path: of the file.
        label: of the file, for messages.
        growth: how many times its size the archive may become when it is unpacked.
        free_bytes: what it may become anyway.

    Raises:
        ReadError: no whole zip archive.
        UnsafeFileError: members outside the archive, links, two of one name, members that lie
            over one another, or more bytes than an honest archive unpacks to.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            _check_ends(file, size, label)
            with zipfile.ZipFile(file) as archive:
                members = tuple(archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as err:
        if isinstance(err, ReadError):
            raise
        raise ReadError(
            f"Expected a whole zip archive, got the broken archive {label} ({err}). Download or "
            "save it again."
        ) from err
    _check_names(members, label)
    _check_overlap(members, label)
    total = sum(member.file_size for member in members)
    if total > free_bytes + growth * size:
        raise UnsafeFileError(
            f"Expected an archive that unpacks to at most {growth} times its size, got {label} "
            f"that would grow from {size:,} to {total:,} bytes: it is made to exhaust memory. Do "
            "not open it; ask for the weights as safetensors or ONNX."
        )
    return members


def _check_ends(file: BinaryIO, size: int, label: str) -> None:
    """Raises ReadError unless the archive begins at byte 0 and its directory ends at its end."""
    file.seek(0)
    start = file.read(len(START))
    found = _directory(file, size) if start == START else None
    if found is None:
        raise ReadError(
            f"Expected a whole zip archive with nothing before or behind it, got the broken "
            f"archive {label} of {size:,} bytes. It is cut short, or two files in one: download "
            "or save it again."
        )
    if found > DIRECTORY_BYTES:
        raise UnsafeFileError(
            f"Expected an archive with a list of members of at most {DIRECTORY_BYTES:,} bytes, "
            f"got {found:,} in {label}. No program that saves networks writes such a list."
        )


def _directory(file: BinaryIO, size: int) -> int | None:
    """Bytes of the list of members; None where the end records do not fit together."""
    end = size - _END.size
    if end < 0:
        return None
    file.seek(end)
    mark, *_, length, offset, comment = _END.unpack(file.read(_END.size))
    if mark != b"PK\x05\x06" or comment:
        return None
    place = end - _LOCATOR.size - _END64.size
    if place >= 0:
        file.seek(end - _LOCATOR.size)
        mark, _, where, _ = _LOCATOR.unpack(file.read(_LOCATOR.size))
        if mark == b"PK\x06\x07":
            file.seek(place)
            mark, *_, length, offset = _END64.unpack(file.read(_END64.size))
            if where != place or mark != b"PK\x06\x06":
                return None
            end = place
    return length if offset + length == end else None


def _check_names(members: Sequence[zipfile.ZipInfo], label: str) -> None:
    seen: set[str] = set()
    for member in members:
        name = member.filename.casefold()
        if _leads_out(member) or stat.S_ISLNK(member.external_attr >> 16):
            raise UnsafeFileError(
                f"Expected an archive whose members stay inside it, got {label} with "
                f"{member.orig_filename[:100]!r}, which would be written or read elsewhere. "
                "Nothing of it was unpacked. Ask for the file again from a source that you trust."
            )
        if name in seen:
            raise UnsafeFileError(
                f"Expected each member of an archive once, got {member.filename[:100]!r} twice "
                f"in {label}: one reader would see the first, another the second. Save the "
                "network again where it was made."
            )
        seen.add(name)
        if member.flag_bits & 1:
            raise ReadError(
                f"Expected an archive without a password, got {member.filename[:100]!r} encrypted "
                f"in {label}. Unpack it yourself."
            )


def _leads_out(member: zipfile.ZipInfo) -> bool:
    name = member.orig_filename
    steps = name.replace("\\", "/").split("/")
    odd = "\0" in name or "\\" in name or ":" in steps[0]
    return odd or not name or name.startswith("/") or ".." in steps


def _check_overlap(members: Sequence[zipfile.ZipInfo], label: str) -> None:
    """Members that share their bytes unpack to far more than the archive holds."""
    ordered = sorted(members, key=lambda member: member.header_offset)
    for one, after in itertools.pairwise(ordered):
        if one.header_offset + one.compress_size > after.header_offset:
            raise UnsafeFileError(
                f"Expected members that lie one after the other, got {one.filename[:100]!r} and "
                f"{after.filename[:100]!r} over one another in {label}: it is made to exhaust "
                "memory. Do not open it."
            )
