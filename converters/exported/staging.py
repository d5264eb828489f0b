"""Files and folders that appear complete or not at all, whenever the process is killed.

written in a hidden folder beside the target ─▶ flushed to the disk ─▶ renamed
"""

import errno
import os
import platform
import shutil
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

_WRITING, _PREVIOUS = ".converters-writing-", ".previous"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_SECONDS_UNTIL_ABANDONED = 86_400.0  # by a process of another machine, which can't be asked for


@contextmanager
def staged(path: str | Path, needed: int | None = None) -> Iterator[Path]:
    """A name in a hidden folder beside `path`; all that is there takes its place at the end.

    Files replace files and a folder a folder, flushed to the disk before they do. After an error
    nothing new is left, and what stood at `path` still does. What a killed process left goes with
    the next that writes into the same folder.

    Args:
        path: what is to be there in the end.
        needed: about how many bytes that takes, to say how much a full disk lacks.

    Raises:
        OSError: it can't be written; the text says what the disk lacks.

    Example::

        with staged("net.onnx") as fresh:
            fresh.write_bytes(content)
    """
    target = Path(os.path.realpath(path))
    folder = target.with_name(f"{_WRITING}{_place()}-{os.getpid()}-{uuid4().hex[:8]}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        folder.mkdir()
        yield folder / target.name
        for fresh in folder.rglob("*"):
            _flush(fresh)
        # The file itself comes last: whoever sees it finds what lies beside it.
        for fresh in sorted(folder.iterdir(), key=lambda entry: entry.name == target.name):
            _put(fresh, target.with_name(fresh.name), folder)
        _flush(target.parent)
    except OSError as error:
        told = _in_words(error, target.parent, folder, needed)
        if told is error:
            raise
        raise told from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _in_words(error: OSError, parent: Path, folder: Path, needed: int | None) -> OSError:
    """The same error, of a full or read-only disk in words that name the folder."""
    # What is staged within what is staged: the outermost is the one that the user has named.
    inside = [one.parent for one in (folder, *parent.parents, parent) if _WRITING in one.name]
    place = min(inside, key=lambda one: len(one.parts))
    if error.strerror is None or error.errno not in (*_FULL, errno.EROFS):
        return error
    if error.errno == errno.EROFS:
        told = OSError(f"'{place}' is on a disk that is read-only")
    else:
        told = OSError(_lack(place, folder, needed))
    told.errno = error.errno  # one argument, so that the text is all that is shown
    return told


def _lack(place: Path, folder: Path, needed: int | None) -> str:
    aside = Path(tempfile.gettempdir())
    if shutil.disk_usage(aside).free < shutil.disk_usage(folder.parent).free:
        return f"no space is left in '{aside}' for temporary files"
    free = (shutil.disk_usage(folder.parent).free + _size(folder)) / 1e6
    said = f"no space is left in '{place}': {free:,.1f} MB were free"
    lack = 0.0 if needed is None else needed / 1e6 - free
    if lack <= 0:
        return f"{said}, and more is needed"
    return f"{said}, about {lack + free:,.1f} MB are needed: {lack:,.1f} MB are missing"


def _put(fresh: Path, target: Path, folder: Path) -> None:
    if not (fresh.is_dir() and target.is_dir()):
        os.replace(fresh, target)
        return
    aside = folder / f"{target.name}{_PREVIOUS}"
    os.rename(target, aside)
    try:
        os.rename(fresh, target)
    except BaseException:
        os.rename(aside, target)
        raise


def _sweep(parent: Path) -> None:
    """Remove what dead processes have left, once a folder they had put aside is back."""
    for entry in parent.glob(f"{_WRITING}*"):
        with suppress(OSError):
            if not _is_abandoned(entry):
                continue
            for aside in entry.glob(f"*{_PREVIOUS}"):
                target = parent / aside.name.removesuffix(_PREVIOUS)
                if not os.path.lexists(target):
                    os.rename(aside, target)
            shutil.rmtree(entry)


def _is_abandoned(entry: Path) -> bool:
    """Whether its process is gone; one of another machine can't be asked, and gets a day."""
    told = entry.name.split("-")
    if time.time() - entry.lstat().st_mtime > _SECONDS_UNTIL_ABANDONED:
        return True
    # On Windows signal 0 is Ctrl-C.
    if len(told) != 5 or told[2] != _place() or not told[3].isdecimal() or os.name == "nt":
        return False
    try:
        os.kill(int(told[3]), 0)
    except ProcessLookupError:
        return True
    except OSError:  # another user's
        return False
    return False


def _place() -> str:
    """Where a process number means something: this start of this machine or container."""
    told = [platform.node()]
    with suppress(OSError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        told.append(os.readlink("/proc/self/ns/pid"))
    return f"{zlib.crc32(' '.join(told).encode()):08x}"


def _flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
