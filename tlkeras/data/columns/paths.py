"""Many paths in few bytes: each folder once, and the names one after another."""

import os
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np


class Paths(Sequence[Path]):
    """A sequence of paths that makes each `Path` when it is asked for.

    >>> paths = Paths([Path("a/1.jpg"), Path("a/2.jpg"), Path("b/1.jpg")])
    >>> len(paths), paths[1].as_posix(), paths.take(np.array([2]))[0].as_posix()
    (3, 'a/2.jpg', 'b/1.jpg')
    """

    def __init__(self, paths: Iterable[Path] = ()) -> None:
        self._folders: list[Path] = []
        self._numbers: dict[Path, int] = {}
        self._folder = array("I")
        self._names = bytearray()
        self._ends = array("I", [0])
        self._rows: np.ndarray | None = None  # of a selection
        for path in paths:
            self.add(path.parent, path.name)

    def add(self, folder: Path, name: str) -> None:
        """Append `folder / name`."""
        number = self._numbers.setdefault(folder, len(self._folders))
        if number == len(self._folders):
            self._folders.append(folder)
        self._folder.append(number)
        self._names += os.fsencode(name)
        self._ends.append(len(self._names))

    def take(self, rows: np.ndarray) -> "Paths":
        """The paths at `rows`, int (k,), which share the memory of these."""
        taken = Paths.__new__(Paths)
        taken.__dict__.update(self.__dict__)
        rows = np.asarray(rows, np.int32)
        taken._rows = rows if self._rows is None else self._rows[rows]
        return taken

    def rows_of(self, wanted: Iterable[Path]) -> dict[Path, int]:
        """The row of each of the wanted paths that is here; a few looked for among many.

        >>> list(Paths([Path("1.jpg"), Path("2.jpg")]).rows_of([Path("2.jpg"), Path("3.jpg")]))
        [PosixPath('2.jpg')]
        """
        names: dict[int, set[str]] = {}
        for path in wanted:
            number = self._numbers.get(path.parent)
            if number is not None:
                names.setdefault(number, set()).add(path.name)
        folders = np.array(self._folder, np.uint32)
        rows = np.arange(len(folders)) if self._rows is None else self._rows
        found: dict[Path, int] = {}
        for at in np.flatnonzero(np.isin(folders[rows], list(names))).tolist():
            path = self[at]
            if path.name in names[int(folders[rows[at]])]:
                found.setdefault(path, at)
        return found

    def __len__(self) -> int:
        return len(self._folder) if self._rows is None else len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "Paths": ...
    def __getitem__(self, index: int | slice) -> "Path | Paths":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        if not -len(self) <= index < len(self):
            raise IndexError(f"expected an index below {len(self)}, got {index}")
        row = index % len(self) if self._rows is None else int(self._rows[index])
        name = bytes(self._names[self._ends[row] : self._ends[row + 1]])
        return self._folders[self._folder[row]] / os.fsdecode(name)

    def __iter__(self) -> Iterator[Path]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str | bytes):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        shown = ", ".join(repr(str(path)) for path in self[:3])
        more = f", and {len(self) - 3:,} more" if len(self) > 3 else ""
        return f"Paths({shown}{more})"
