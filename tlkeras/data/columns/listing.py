"""Labelled pictures as columns: where each is, its class, and the part or group it was given."""

from array import array
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np

from tlkeras.data.columns.paths import Paths
from tlkeras.data.corrections.laid import InForce
from tlkeras.data.picture import SetAside
from tlkeras.data.split import PART_NAMES

_NONE = InForce()


@dataclass(frozen=True, eq=False)
class Labelled:
    """One file or array with its label; `part` and `group` are None where none was given."""

    path: Path
    label: int
    part: str | None = None
    group: Hashable = None
    pixels: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Listing:
    """All labelled pictures of a data set, before any was opened, a column each.

    `labels` int (n,); `parts` int8 (n,), an index into `PART_NAMES` or -1 where none was given;
    `groups` and `pixels` hold n values, or are None.
    """

    root: Path | None
    class_names: tuple[str, ...]
    paths: Paths
    labels: np.ndarray
    parts: np.ndarray
    groups: Sequence[Hashable] | None = None
    pixels: Sequence[np.ndarray] | None = None
    ignored: Sequence[Path] = ()
    set_aside: tuple[SetAside, ...] = ()
    corrections: InForce = _NONE

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pictures(self) -> "LabelledPictures":
        """Each picture by itself, made when it is asked for."""
        return LabelledPictures(self)


class LabelledPictures(Sequence[Labelled]):
    """The pictures of a listing, one by one."""

    def __init__(self, listing: Listing) -> None:
        self._listing = listing

    def __len__(self) -> int:
        return len(self._listing)

    @overload
    def __getitem__(self, index: int) -> Labelled: ...
    @overload
    def __getitem__(self, index: slice) -> list[Labelled]: ...
    def __getitem__(self, index: int | slice) -> Labelled | list[Labelled]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        listing, row = self._listing, range(len(self))[index]
        part = int(listing.parts[row])
        return Labelled(
            listing.paths[row],
            int(listing.labels[row]),
            None if part < 0 else PART_NAMES[part],
            None if listing.groups is None else listing.groups[row],
            None if listing.pixels is None else listing.pixels[row],
        )


class LabelledPaths:
    """Labelled paths, gathered one by one."""

    def __init__(self) -> None:
        self.paths = Paths()
        self._names: dict[str, int] = {}
        self._labels = array("i")
        self._parts = array("b")

    def name(self, name: str) -> int:
        """The number of a class so far."""
        return self._names.setdefault(name, len(self._names))

    def add(self, folder: Path, file: str, name: str, part: str | None) -> None:
        """Append `folder / file`, of a class and perhaps a part."""
        self.paths.add(folder, file)
        self._labels.append(self.name(name))
        self._parts.append(PART_NAMES.index(part) if part else -1)

    def classes(self) -> tuple[tuple[str, ...], np.ndarray]:
        """(sorted class names, labels int32 (n,) into them)."""
        names = tuple(sorted(self._names))
        rank = {name: label for label, name in enumerate(names)}
        ranks = np.array([rank[name] for name in self._names], np.int32)
        return names, ranks[np.array(self._labels, np.int32)] if names else np.zeros(0, np.int32)

    def parts(self) -> np.ndarray:
        """The part of each, int8 (n,), -1 where none was given."""
        return np.array(self._parts, np.int8)
