"""Where a SavedModel may be put: at a free name, or in place of an older SavedModel."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tlkeras.bundle.atomic import fresh_folder
from tlkeras.errors import ExportError

_SAVED_MODEL = "saved_model.pb"
_SAVED_MODEL_PARTS = {_SAVED_MODEL, "variables", "assets", "assets.extra", "fingerprint.pb"}


@contextmanager
def staged(path: str | Path) -> Iterator[Path]:
    """An empty folder beside `path` that takes its name when the block ends without error.

    A SavedModel already at `path` is replaced at that moment; anything else there is refused
    before the block runs. After an error nothing new is left and the old one still stands.

    Example::

        with staged("serve/flowers/1") as folder:
            write_into(folder)
    """
    target = Path(path).resolve()
    check_target(target)
    try:
        with fresh_folder(target, kept=lambda old: []) as folder:
            yield folder
    except OSError as error:
        raise ExportError(
            f"Expected to write a SavedModel at '{target}', but: {error}. "
            "Make room on the disk, or choose a folder that can be written to."
        ) from error


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
