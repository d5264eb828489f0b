"""Files appear complete or not at all, and a disk that refuses them is told in words.

written beside the target ─▶ flushed to disk ─▶ renamed onto it

The name of an unfinished file has the process in it that writes it; what dead processes left is
removed by the next one that writes into the same folder. A leaf: every room may import it.
"""

import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import IO, Literal, NamedTuple
from uuid import uuid4

Kind = Literal["writing", "previous"]

_FULL = (errno.ENOSPC, errno.EDQUOT)
_BROKEN = (*_FULL, errno.EFBIG, errno.EROFS, errno.EIO)
_IN_TEXT = re.compile(r"errno = (\d+)")  # HDF5's errors have their number there only
_NAME = re.compile(rb"\.tlkeras-(writing|previous)-([0-9a-f]{8})-(\d{1,10})-[0-9a-f]{8}-(.+)", re.S)
_LONGEST_NAME = 160  # bytes of a target's own name in a temporary one; a file system takes 255
_SECONDS_UNTIL_ABANDONED = 86_400.0  # by a process of another machine, which can't be asked for


class Leftover(NamedTuple):
    """An unfinished file or folder, or one put aside, and what its name says."""

    path: Path
    kind: Kind
    of: bytes
    abandoned: bool


def write_bytes(path: str | Path, content: bytes) -> Path:
    """The path, once a file with this content has taken the place of any old one.

    A link stays a link, and a file that is replaced hands its permissions on.

    Raises:
        OSError: it can't be written; what stood there stays, and nothing new is left. The text
            names the folder and, where the disk is full, how much is missing.

    >>> write_bytes(Path(tempfile.mkdtemp(), "a.txt"), b"hello").read_bytes()
    b'hello'
    """
    target = Path(os.path.realpath(path))
    fresh = unused(target)
    try:
        with explained(target.parent, len(content), fresh):
            target.parent.mkdir(parents=True, exist_ok=True)
            sweep(target.parent)
            fresh.write_bytes(content)
            if target.exists():
                shutil.copymode(target, fresh)
            flush(fresh)
            os.replace(fresh, target)
            flush(target.parent)
    except BaseException:
        remove(fresh)
        raise
    return Path(path)


def unused(target: Path, kind: Kind = "writing") -> Path:
    """A name beside `target`, thus on the same file system: hidden, unused, ours.

    >>> unused(Path("runs", "flowers")).name.endswith("-flowers")
    True
    """
    told = f".tlkeras-{kind}-{_machine()}-{os.getpid()}-{uuid4().hex[:8]}-"
    return target.with_name(told + os.fsdecode(_short(target.name)))


def leftovers(folder: Path) -> Iterator[Leftover]:
    """The unfinished files and folders in a folder, those that are still written among them."""
    try:
        names = os.listdir(os.fsencode(folder))
    except OSError:
        return
    for name in names:
        match = _NAME.fullmatch(name)
        if match:
            kind, machine, process, of = match.groups()
            path = folder / os.fsdecode(name)
            gone = _is_abandoned(path, machine.decode(), int(process))
            yield Leftover(path, "writing" if kind == b"writing" else "previous", of, gone)


def is_of(leftover: Leftover, target: Path) -> bool:
    """Whether a leftover was to become, or has been, this target."""
    return leftover.of == _short(target.name)


def sweep(folder: Path) -> None:
    """Remove what processes that are gone have left unfinished in a folder.

    What was put aside to be replaced stays: it may be the only copy.
    """
    for leftover in leftovers(folder):
        if leftover.kind == "writing" and leftover.abandoned:
            remove(leftover.path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all in it, as far as that is allowed."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
        return
    with suppress(OSError):
        path.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def take_room(file: IO[bytes], size: int) -> None:
    """Make an open file `size` bytes long, on a disk that has them.

    A writer of archives that meets a full disk half way can't close them without a second error.

    Raises:
        OSError: the disk is full.
    """
    if hasattr(os, "posix_fallocate"):
        try:
            return os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno in (*_FULL, errno.EFBIG):
                raise
    file.truncate(size)  # a file system that takes no room beforehand
    return None


@contextmanager
def explained(folder: Path, needed: int | None = None, fresh: Path | None = None) -> Iterator[None]:
    """Run the block; an OSError of the disk leaves it in words that name the folder.

    Args:
        folder: where the block writes.
        needed: bytes that it writes in all, where that is known.
        fresh: the file or folder that it writes, whose room is free again when it is removed.
    """
    try:
        yield
    except OSError as error:
        told = in_words(error, folder, needed, fresh)
        if told is error:
            raise
        raise told from error


def in_words(
    error: OSError, folder: Path, needed: int | None = None, fresh: Path | None = None
) -> OSError:
    """The same error with a text that says what the disk of `folder` lacks; see `explained`.

    >>> print(in_words(OSError(errno.EROFS, "Read-only file system"), Path("runs")))
    'runs' is on a disk that is read-only
    """
    if error.strerror is None and error.errno is not None:  # in words already
        return error
    place, number = _existing(folder), _number(error)
    if number in _FULL:
        text = _full(place, 0 if fresh is None else size_of(fresh), needed)
    elif number == errno.EFBIG:
        text = f"a file in '{place}' may not become that large (ulimit -f)"
    elif number == errno.EROFS:
        text = f"'{folder}' is on a disk that is read-only"
    elif number in (errno.EACCES, errno.EPERM) and not os.access(place, os.W_OK):
        text = f"'{place}' can't be written by this user"
    else:
        return error
    # One argument, so that the text is all that is shown; the number for who looks at it.
    told = PermissionError(text) if isinstance(error, PermissionError) else OSError(text)
    told.errno = number
    return told


def is_refusal(error: BaseException | None) -> bool:
    """Whether this error, or one that caused it, is of a disk that is full, broken or read-only.

    >>> is_refusal(OSError(errno.ENOSPC, "No space left on device")), is_refusal(KeyError("a"))
    (True, False)
    """
    for _ in range(20):  # a chain may bite its own tail
        if error is None:
            return False
        if isinstance(error, OSError) and _number(error) in _BROKEN:
            return True
        error = error.__cause__ or error.__context__
    return False


def amount(size: float) -> str:
    """Bytes in MB or kB, with as many digits as are worth reading.

    >>> amount(1_234_567), amount(3_000), amount(2.5e9), amount(0)
    ('1.2 MB', '3.0 kB', '2,500 MB', '0.0 MB')
    """
    number = size / 1e6
    if 0 < number < 0.1:
        return f"{size / 1e3:.1f} kB"
    return f"{number:,.0f} MB" if number >= 100 else f"{number:.1f} MB"


def free_bytes(folder: Path) -> int:
    """What is free on the disk of a folder that exists, or of the nearest one that does."""
    return shutil.disk_usage(_existing(folder)).free


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; 0 where there is none."""
    if path.is_dir():
        return sum(size_of(one) for one in path.rglob("*") if one.is_file())
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _full(place: Path, written: int, needed: int | None) -> str:
    aside = Path(tempfile.gettempdir())
    with suppress(OSError):
        # A write that fails does not say where, and much is made in temporary files first.
        if needed is None and free_bytes(aside) < free_bytes(place):
            return f"no space is left in '{aside}' for temporary files"
    free = free_bytes(place) + written
    if needed is None or needed <= free:
        more = "more is needed"
    else:
        more = f"{amount(needed)} are needed: {amount(needed - free)} are missing"
    return f"no space is left in '{place}': {amount(free)} were free, {more}"


def _number(error: OSError) -> int | None:
    if error.errno is None:
        told = _IN_TEXT.search(str(error))
        return int(told[1]) if told else None
    return error.errno


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next((one for one in (folder, *folder.absolute().parents) if one.is_dir()), Path("."))


def _short(name: str) -> bytes:
    """The name, or what stands for one that leaves no room for anything before it."""
    whole = os.fsencode(name)
    if len(whole) <= _LONGEST_NAME:
        return whole
    return hashlib.blake2b(whole, digest_size=16).hexdigest().encode()


def _is_abandoned(path: Path, machine: str, process: int) -> bool:
    try:
        age = time.time() - path.lstat().st_mtime
    except OSError:  # gone in the meantime
        return False
    if age > _SECONDS_UNTIL_ABANDONED:
        return True
    return machine == _machine() and process != os.getpid() and not _runs(process)


def _runs(process: int) -> bool:
    if os.name == "nt":  # where signal 0 is Ctrl-C
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # another user's
        return True
    return True


@cache
def _machine() -> str:
    """Where a process number means something, this start of this container: 8 digits.

    Folders are shared between machines and containers, whose processes can't be asked for here.
    """
    told = [platform.node()]
    with suppress(OSError):
        told.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        told.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.blake2b(" ".join(told).encode(), digest_size=4).hexdigest()
