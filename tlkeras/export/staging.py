"""Where a SavedModel may be put: at a free name, in place of an older one, as the next version.

serve/flowers/3   that version; an older one there gives way
serve/flowers     a model's folder: the next version below it, serve/flowers/4
"""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tlkeras.bundle.atomic import fresh_folder
from tlkeras.disk import flush, remove, unused
from tlkeras.errors import ExportError

README = "README.md"
"""What may stand beside the versions of a model; servers pass over it, as it is no number."""

_SAVED_MODEL = "saved_model.pb"
_SAVED_MODEL_PARTS = {_SAVED_MODEL, "variables", "assets", "assets.extra", "fingerprint.pb"}
_TAKEN = {errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR}


def put(path: str | Path, fill: Callable[[Path], None], needed: int | None = None) -> Path:
    """The folder of the SavedModel that `fill` wrote, complete and under its final name.

    That is `path` itself where its name is a number or an older SavedModel stands there, which
    gives way. Else `path` is a model's folder, and the SavedModel becomes the version above the
    highest in it, so that a server takes it up; of two at once each gets a number of its own.
    After an error nothing new is left and what was there still stands.

    Raises:
        ExportError: something else stands there, or it can't be written.

    Example::

        put("serve/flowers", write_into)      # serve/flowers/1, then serve/flowers/2
    """
    target = Path(path)
    if is_version(target.name) or (target / _SAVED_MODEL).is_file():
        with staged(target, needed) as folder:
            fill(folder)
        return target
    check_model_folder(target)
    is_new = not target.exists()
    model = target.resolve()
    complete = unused(model / "version")
    try:
        with _writing(model):
            with fresh_folder(complete, lambda old: [], needed) as folder:
                fill(folder)
            return target / _numbered(complete)
    except BaseException:
        remove(complete)
        if is_new:
            with suppress(OSError):  # another export has put its own version there
                model.rmdir()
        raise


@contextmanager
def staged(path: str | Path, needed: int | None = None) -> Iterator[Path]:
    """An empty folder beside `path` that takes its name when the block ends without error.

    A SavedModel already at `path` is replaced at that moment; anything else there is refused
    before the block runs. After an error nothing new is left and the old one still stands.

    Example::

        with staged("serve/flowers/1") as folder:
            write_into(folder)
    """
    target = Path(path).resolve()
    check_target(target)
    with _writing(target), fresh_folder(target, lambda old: [], needed) as folder:
        yield folder


def check_target(path: str | Path) -> None:
    """Nothing when a SavedModel may be written at `path`, ExportError when it may not."""
    target = Path(path)
    if not target.exists():
        return
    found = sorted(entry.name for entry in target.iterdir()) if target.is_dir() else [target.name]
    foreign = [name for name in found if name not in _SAVED_MODEL_PARTS]
    if not target.is_dir() or foreign or (found and _SAVED_MODEL not in found):
        raise ExportError(
            f"Expected '{target}' to be absent, empty or a SavedModel, which is replaced. "
            f"It holds {', '.join((foreign or found)[:5])}. "
            f"Name another folder, for example '{target.with_name(target.name + '_served')}'."
        )


def check_model_folder(path: str | Path) -> None:
    """Nothing when a version may be written below `path`, ExportError when it may not."""
    target = Path(path)
    if not target.exists():
        return
    names = [entry.name for entry in target.iterdir()] if target.is_dir() else [target.name]
    found = sorted(name for name in names if not name.startswith("."))
    known = any(map(is_version, found)) or set(found) <= {README}
    if not target.is_dir() or not known:
        raise ExportError(
            f"Expected '{target}' to be absent, empty or the folder of a model, with its versions "
            f"1, 2, … in it. It holds {', '.join(found[:5])}. "
            f"Name another folder, or the version itself: '{target / '1'}'."
        )


def is_version(name: str) -> bool:
    """Whether a server takes the folder of that name for a version of a model.

    >>> is_version("12"), is_version("saved_model"), is_version(".1")
    (True, False, False)
    """
    return name.isascii() and name.isdigit()


def versions(model: Path) -> list[int]:
    """The versions below a model's folder, lowest first."""
    return sorted(int(entry.name) for entry in model.iterdir() if is_version(entry.name))


def _numbered(complete: Path) -> str:
    """The number that the complete folder has taken as its name."""
    model = complete.parent
    while True:
        name = str(max(versions(model), default=0) + 1)
        try:
            os.rename(complete, model / name)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            continue  # another export has taken it since the look a moment ago
        flush(model)
        return name


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ExportError(
            f"Expected to write a SavedModel at '{target}', but: {error}. "
            "Make room on the disk, or choose a folder that can be written to."
        ) from error
