"""One labelled picture, a part of a data set, and a picture that was set aside."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np

from tlkeras.data.columns.paths import Paths
from tlkeras.data.decode import Source

SHA256_BYTES = 32


@dataclass(frozen=True)
class Picture:
    """One labelled picture; `sha256` is of the file's bytes (an array: of shape and bytes).

    >>> Picture(Path("flowers/rose/1.jpg"), label=2, sha256="00").name
    'flowers/rose/1.jpg'
    """

    path: Path
    label: int
    sha256: str
    pixels: np.ndarray | None = field(default=None, compare=False, repr=False)

    @property
    def source(self) -> Source:
        """What `decode` takes: the path, or the pixels of a picture that came as an array."""
        return self.path if self.pixels is None else self.pixels

    @property
    def name(self) -> str:
        """The path as text that prints and encodes, whatever bytes the file name holds."""
        return printable(self.path)


@dataclass(frozen=True)
class SetAside:
    """A picture that is not trained on, and why.

    `kind` is "unreadable", "leaked" (a copy of a validation or test picture), "repeated" or
    "left-out" (by a correction).
    """

    path: Path
    reason: str
    kind: str = "unreadable"


class Pictures(Sequence[Picture]):
    """Many pictures as columns; each `Picture` is made when it is asked for.

    Args:
        paths: where each came from.
        labels: class indices, int (n,).
        digests: the SHA-256 of each, uint8 (n, 32).
        pixels: n arrays where they came from memory.

    >>> paths = Paths([Path("a/1.png"), Path("b/1.png")])
    >>> pictures = Pictures(paths, np.array([0, 1]), np.zeros((2, 32), np.uint8))
    >>> pictures[1].path.as_posix(), len(pictures[:1])
    ('b/1.png', 1)
    """

    def __init__(
        self,
        paths: Paths,
        labels: np.ndarray,
        digests: np.ndarray,
        pixels: Sequence[np.ndarray] | None = None,
    ) -> None:
        self._paths = paths
        self._labels = labels
        self._digests = digests
        self._pixels = pixels
        self._rows = np.arange(len(paths), dtype=np.int32)

    @property
    def paths(self) -> Paths:
        """Where each came from."""
        return self._paths.take(self._rows)

    @property
    def labels(self) -> np.ndarray:
        """Class indices, int64 (n,)."""
        return self._labels[self._rows].astype(np.int64)

    @property
    def digests(self) -> np.ndarray:
        """The SHA-256 of each, uint8 (n, 32)."""
        return self._digests[self._rows]

    def take(self, rows: np.ndarray) -> "Pictures":
        """The pictures at `rows`, int (k,), which share the memory of these."""
        taken = Pictures.__new__(Pictures)
        taken.__dict__.update(self.__dict__)
        taken._rows = self._rows[rows]
        return taken

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> "Pictures": ...
    def __getitem__(self, index: int | slice) -> "Picture | Pictures":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        row = int(self._rows[index])
        pixels = None if self._pixels is None else self._pixels[row]
        sha256 = self._digests[row].tobytes().hex()
        return Picture(self._paths[row], int(self._labels[row]), sha256, pixels)

    def __iter__(self) -> Iterator[Picture]:
        return (self[index] for index in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence):
            return NotImplemented
        return len(self) == len(other) and all(
            mine == theirs for mine, theirs in zip(self, other, strict=True)
        )

    def __hash__(self) -> int:
        return hash(self.digests.tobytes())


@dataclass(frozen=True)
class Part:
    """The training, validation or test pictures, in a fixed order.

    >>> part = Part("train", (Picture(Path("a/1.png"), 0, "00"),), ("a", "b"))
    >>> len(part), part.counts()
    (1, {'a': 1, 'b': 0})
    """

    name: str
    pictures: Sequence[Picture] = field(repr=False)
    class_names: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where each picture came from, in order."""
        if isinstance(self.pictures, Pictures):
            return tuple(self.pictures.paths)
        return tuple(picture.path for picture in self.pictures)

    @property
    def labels(self) -> np.ndarray:
        """Class index of each picture: int64 (n,), an index into `class_names`."""
        if isinstance(self.pictures, Pictures):
            return self.pictures.labels
        return np.array([picture.label for picture in self.pictures], dtype=np.int64)

    @property
    def sha256(self) -> tuple[str, ...]:
        """Content hash of each picture, in order."""
        if isinstance(self.pictures, Pictures):
            return tuple(row.tobytes().hex() for row in self.pictures.digests)
        return tuple(picture.sha256 for picture in self.pictures)

    def __len__(self) -> int:
        return len(self.pictures)

    def counts(self) -> dict[str, int]:
        """Number of pictures of each class, every class named."""
        numbers = np.bincount(self.labels, minlength=len(self.class_names))
        return dict(zip(self.class_names, numbers.tolist(), strict=True))


def printable(text: str | Path) -> str:
    r"""Text that prints on one line and encodes as UTF-8; odd bytes and controls are escaped.

    >>> printable("caf\udce9\n")
    'caf\\xe9\\n'
    >>> printable("half \ud83d")
    'half \\ud83d'
    """
    raw = str(text)
    if raw.isprintable() and raw.isascii():
        return raw
    try:
        content = raw.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # halves of characters, as JSON may have them, are no bytes
        content = raw.encode("utf-8", "backslashreplace")
    readable = content.decode("utf-8", "backslashreplace")
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii")
        for mark in readable
    )
