"""Corrections of labels, made by hand and taken back by hand; no picture is touched."""

import html
import logging
import os
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import overload

from tlkeras.data.corrections.journal import (
    JOURNAL_NAME,
    Correction,
    append,
    drop_last,
    read_journal,
)
from tlkeras.data.corrections.laid import close_to
from tlkeras.data.labelled import by_folder
from tlkeras.data.picture import printable
from tlkeras.errors import DataError

log = logging.getLogger(__name__)


class Corrections(Sequence[Correction]):
    """The corrections of a folder, oldest first, kept in its `labels.csv`.

    They hold from the next time that the folder is opened. Pictures are never moved, changed or
    deleted. The classes are the class folders: for a new class make its folder, which may stay
    empty, and relabel pictures to it.

    Args:
        folder: the root of the class folders. It is listed, no picture is opened.

    Example::

        data = ImageFolder("flowers")
        data.corrections.relabel("rose/7.jpg", "daisy", "white petals")
        data.corrections.leave_out("rose/9.jpg", "a drawing")
        data.corrections.undo()
        data = ImageFolder("flowers")  # with rose/7.jpg as a daisy
    """

    def __init__(self, folder: str | Path) -> None:
        self._root = Path(folder)
        self._known: dict[str, str] | None = None  # class by path, both as the folders say
        self._class_names: tuple[str, ...] = ()

    def relabel(self, path: str | Path, label: str, reason: str = "") -> Correction:
        """The correction that gives a picture another label, once it is in the journal.

        Its present label may be given too: it then counts as looked at, see `decided`.

        Args:
            path: of the picture, absolute, or from the working folder or the root.
            label: the name of a class.
            reason: kept beside it.

        Raises:
            DataError: no such picture or class, or the journal cannot be written.
        """
        return self._add(path, label, reason)

    def leave_out(self, path: str | Path, reason: str = "") -> Correction:
        """The correction that leaves a picture out, once it is in the journal.

        Raises:
            DataError: no such picture, or the journal cannot be written.
        """
        return self._add(path, None, reason)

    def undo(self, count: int = 1) -> tuple[Correction, ...]:
        """The last corrections, once they are taken off the journal.

        Raises:
            DataError: there are not so many.
        """
        made = self._read()
        if not 0 <= count <= len(made):
            raise DataError(
                f"Expected a number of corrections to undo from 0 to {len(made)}, as many as "
                f"there are. Received: {count}. Ask for fewer."
            )
        if not count:
            return ()
        drop_last(self._root, count)
        for one in made[-count:]:
            log.info("undone from the next time that the folder is opened: %s", one)
        return made[-count:]

    @property
    def decided(self) -> frozenset[Path]:
        """Pictures whose label somebody has given here, be it the one that they had."""
        last = {one.path: one for one in self._read()}
        return frozenset(self._root / path for path, one in last.items() if one.label is not None)

    @overload
    def __getitem__(self, index: int) -> Correction: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Correction, ...]: ...
    def __getitem__(self, index: int | slice) -> Correction | tuple[Correction, ...]:
        return self._read()[index]

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Corrections({printable(self._root)!r}: {len(self)})"

    def __str__(self) -> str:
        made = self._read()
        head = f"{len(made):,} correction{'s' * (len(made) != 1)} in {printable(self._file)}"
        return "\n".join([head, *(f"{one.time}  {one}" for one in made)])

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    @property
    def _file(self) -> Path:
        return self._root / JOURNAL_NAME

    def _read(self) -> tuple[Correction, ...]:
        return read_journal(self._root).corrections

    def _add(self, path: str | Path, label: str | None, reason: str) -> Correction:
        journal = read_journal(self._root)
        if journal.foreign:
            raise DataError(
                f"Expected {printable(self._file)} to be free for corrections. Received: "
                f"{journal.foreign}. Rename that file, then try again."
            )
        known = self._pictures()
        name = self._name(path)
        if label is not None and label not in self._class_names:
            raise DataError(
                f"Expected one of the classes {', '.join(self._class_names)}. Received: "
                f"{label!r}.{close_to(str(label), self._class_names)} For a new class make a "
                f"folder of that name in {printable(self._root)} first; it may stay empty."
            )
        now = dict(known)
        for one in journal.last().values():
            if one.path in known and (one.label is None or one.label in self._class_names):
                now[one.path] = one.label or ""
        was = now[name] or None
        if was != label and was and Counter(now.values())[was] == 1:
            raise DataError(
                f"Expected every class to keep a picture. Received: {printable(name)}, the last "
                f"one of {was!r}. Give that class another picture first, or remove its folder."
            )
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        made = Correction(moment, name, label, was, reason)
        append(self._root, [made])
        log.info("in force from the next time that the folder is opened: %s", made)
        return made

    def _pictures(self) -> dict[str, str]:
        """The class of each picture by its path below the root, as the folders say."""
        if self._known is None:
            listing = by_folder(self._root)
            self._class_names = listing.class_names
            self._known = {
                path.relative_to(self._root).as_posix(): listing.class_names[label]
                for path, label in zip(listing.paths, listing.labels.tolist(), strict=True)
            }
        return self._known

    def _name(self, path: str | Path) -> str:
        """How the journal calls a picture."""
        known = self._pictures()
        given = Path(path)
        for one, root in (
            (os.path.abspath(given), os.path.abspath(self._root)),
            (os.path.realpath(given), os.path.realpath(self._root)),
        ):
            if Path(one).is_relative_to(root):
                name = Path(one).relative_to(root).as_posix()
                if name in known:
                    return name
        if given.as_posix() in known:
            return given.as_posix()
        raise DataError(
            f"Expected a picture in a class folder of {printable(self._root)!r}. Received: "
            f"{printable(given)!r}.{close_to(given.as_posix(), list(known)[:10_000])} "
            "Give its path from there, such as class/name.jpg."
        )
