"""Files and folders appear complete or not at all.

written beside the target → flushed to disk → renamed onto it
"""

import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

logger = logging.getLogger(__name__)


def write_bytes(path: str | Path, content: bytes) -> Path:
    """The path, once a file with this content has taken the place of any old one.

    >>> import tempfile
    >>> write_bytes(Path(tempfile.mkdtemp(), "a.txt"), b"hello").read_bytes()
    b'hello'
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(target, "writing")
    try:
        fresh.write_bytes(content)
        _flush(fresh)
        os.replace(fresh, target)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    _flush(target.parent)
    return Path(path)


@contextmanager
def fresh_folder(target: Path, kept: Callable[[Path], list[str]]) -> Iterator[Path]:
    """An empty folder beside `target` that takes its place when the block ends without error.

    An old target is renamed aside first and deleted last; the entries that `kept` names, given
    the old folder, are moved into the new one. After an error nothing has changed.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = _beside(target, "writing")
    fresh.mkdir()
    try:
        yield fresh
        for path in [*fresh.rglob("*"), fresh]:
            _flush(path)
        _replace(fresh, target, kept)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def _replace(fresh: Path, target: Path, kept: Callable[[Path], list[str]]) -> None:
    if not target.is_dir():
        os.rename(fresh, target)
        return _flush(target.parent)
    aside = _beside(target, "previous")
    os.rename(target, aside)
    try:
        os.rename(fresh, target)
    except BaseException:
        os.rename(aside, target)
        raise
    _flush(target.parent)
    try:
        for name in kept(aside):
            os.rename(aside / name, target / name)
        shutil.rmtree(aside)
    except OSError as err:
        logger.warning("The previous contents of %s stay in %s: %s", target, aside, err)
    return None


def _beside(target: Path, what: str) -> Path:
    """A name in the same folder, thus on the same filesystem, hidden and unused."""
    return target.with_name(f".tlkeras-{what}-{uuid4().hex[:12]}")


def _flush(path: Path) -> None:
    """Wait until a file, or the list of names in a folder, is on the disk."""
    if os.name == "nt" and path.is_dir():  # Windows cannot open a folder
        return
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
