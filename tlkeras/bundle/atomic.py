"""Folders appear complete or not at all, as files do; a kill at any moment loses neither.

written beside the target ─▶ flushed to disk ─▶ swapped with the old one ─▶ the old one goes

Where a folder can't be swapped in one step, the old one is renamed aside first. A process killed
in between leaves it there, and `heal` brings it back.
"""

import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tlkeras.disk import (
    explained,
    flush,
    is_of,
    leftovers,
    remove,
    sweep,
    unused,
)

logger = logging.getLogger(__name__)

Kept = Callable[[Path], list[str]]

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD of fcntl.h, RENAME_EXCHANGE of linux/fs.h


@contextmanager
def fresh_folder(target: Path, kept: Kept, needed: int | None = None) -> Iterator[Path]:
    """An empty folder beside `target` that takes its place when the block ends without error.

    An old target is deleted last; the entries that `kept` names, given the old folder, are moved
    into the new one. After an error nothing has changed; after a kill `heal` sees to that.

    Args:
        target: the folder to be.
        kept: names of what is not ours in an old folder.
        needed: bytes that will be written, to say how much a full disk lacks.

    Raises:
        OSError: it can't be written; the text says what the disk lacks.
    """
    fresh = unused(target)
    try:
        with explained(target.parent, needed, fresh):
            target.parent.mkdir(parents=True, exist_ok=True)
            heal(target, kept)
            sweep(target.parent)
            fresh.mkdir()
            yield fresh
            for path in [*fresh.rglob("*"), fresh]:
                flush(path)
            _replace(fresh, target, kept)
    except BaseException:
        remove(fresh)
        raise


def heal(target: Path, kept: Kept) -> None:
    """Finish or undo what a process that was killed while it replaced `target` left half done.

    Is the target gone, the old folder takes its name again. Else what `kept` names is moved from
    the old folder into the target, and the old one goes. Of a process that lives nothing is
    touched.
    """
    target = Path(os.path.realpath(target))
    for leftover in list(leftovers(target.parent)):
        if leftover.kind == "previous" and leftover.abandoned and is_of(leftover, target):
            try:
                if target.is_dir() and any(target.iterdir()):
                    _let_go(leftover.path, target, kept)
                else:
                    os.rename(leftover.path, target)
                    logger.info("%s is back, as it was before a process was killed", target)
            except OSError as error:
                logger.info("%s stays beside %s: %s", leftover.path, target, error)


def _replace(fresh: Path, target: Path, kept: Kept) -> None:
    if not target.is_dir():
        try:
            os.rename(fresh, target)
            return flush(target.parent)
        except OSError:
            if not target.is_dir():  # else another process was first
                raise
    aside = unused(target, "previous")
    os.rename(fresh, aside)
    if not _exchange(aside, target):
        os.rename(aside, fresh)
        os.rename(target, aside)
        try:
            os.rename(fresh, target)
        except BaseException:
            os.rename(aside, target)
            raise
    flush(target.parent)
    try:
        _let_go(aside, target, kept)
    except OSError as err:
        logger.warning("The previous contents of %s stay in %s: %s", target, aside, err)
    return None


def _let_go(aside: Path, target: Path, kept: Kept) -> None:
    """Move what is not ours out of a folder that was replaced, then delete it."""
    for name in kept(aside):
        if not os.path.lexists(target / name):
            os.rename(aside / name, target / name)
    shutil.rmtree(aside)


def _exchange(one: Path, other: Path) -> bool:
    """Swap two folders in one step, so that both names always stand; False where that can't be.

    renameat2(2), which Python has no name for.
    """
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        swap = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library older than glibc 2.28
        return False
    return swap(_HERE, os.fsencode(one), _HERE, os.fsencode(other), _EXCHANGE) == 0
