"""A folder that one process at a time works in; a process that dies gives it back."""

import errno
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

from tlkeras import disk
from tlkeras.errors import TrainingError

logger = logging.getLogger(__name__)

_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)
_BEYOND = 2**30  # the byte that Windows locks: one that is locked can't be read
_ATTEMPTS = 10  # at a folder that its owner is just removing


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """The folder of this file is this process' own for as long as the `with`.

    The system takes the lock from a process that ends, however it ends. On a file system that
    has no locks nothing is locked, and the log says so.

    Raises:
        TrainingError: another process holds it, or the folder can't be written.

    >>> import tempfile
    >>> with held(Path(tempfile.mkdtemp(), "lock")):
    ...     pass
    """
    handle = _taken(lock)
    try:
        with suppress(OSError):  # a full disk: the lock holds, it only does not say whose it is
            os.truncate(handle, 0)
            os.write(handle, str(os.getpid()).encode())
        yield
    finally:
        os.close(handle)


def alone_in(folder: Path | None) -> AbstractContextManager[None]:
    """Nobody else keeps epochs of fine-tuning in the folder during the `with`; None: nothing.

    Example::

        with alone_in(Path("flowers.unfinished")):
            fine_tune(tuning, train, validation, checkpoint=Checkpoint("flowers.unfinished", work))
    """
    return nullcontext() if folder is None else held(folder / "fine_tuning.lock")


def _taken(lock: Path) -> int:
    """A handle of the file, which is locked."""
    for _ in range(_ATTEMPTS):
        handle = _opened(lock)
        if handle is None:
            continue
        try:
            if not _lock(handle):
                raise _in_use(lock, os.pread(handle, 20, 0) if hasattr(os, "pread") else b"")
            if _is_there(handle, lock):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # its owner removed the folder before we had it
    raise _in_use(lock, b"")


def _opened(lock: Path) -> int | None:
    """A handle of the file, made if need be; None where its folder went away in the meantime."""
    how = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        with disk.explained(lock.parent):
            lock.parent.mkdir(parents=True, exist_ok=True)
            return os.open(lock, how, 0o666)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise TrainingError(
            f"What is unfinished is kept in {lock.parent}. Received: {error}. "
            "Make room there, or name a folder that can be written."
        ) from error


def _lock(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(handle, _BEYOND, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            return False
        logger.info("files can't be locked here: see that one process alone works in this folder")
    return True


def _is_there(handle: int, lock: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(lock))
    except OSError:
        return False


def _in_use(lock: Path, who: bytes) -> TrainingError:
    process = who.decode("ascii", "replace").strip()
    other = f"process {process}" if process.isdecimal() else "another process"
    return TrainingError(
        f"One process at a time works in {lock.parent}. Received: {other} works there now. "
        "Wait until it is done, or name another folder."
    )
