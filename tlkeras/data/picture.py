"""One labelled picture, a part of a data set, and a picture that was set aside."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tlkeras.data.decode import Source


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

    `kind` is "unreadable", "leaked" (a copy of a validation or test picture) or "repeated".
    """

    path: Path
    reason: str
    kind: str = "unreadable"


@dataclass(frozen=True)
class Part:
    """The training, validation or test pictures, in a fixed order.

    >>> part = Part("train", (Picture(Path("a/1.png"), 0, "00"),), ("a", "b"))
    >>> len(part), part.counts()
    (1, {'a': 1, 'b': 0})
    """

    name: str
    pictures: tuple[Picture, ...] = field(repr=False)
    class_names: tuple[str, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where each picture came from, in order."""
        return tuple(picture.path for picture in self.pictures)

    @property
    def labels(self) -> np.ndarray:
        """Class index of each picture: int64 (n,), an index into `class_names`."""
        return np.array([picture.label for picture in self.pictures], dtype=np.int64)

    @property
    def sha256(self) -> tuple[str, ...]:
        """Content hash of each picture, in order."""
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
    """
    raw = str(text)
    if raw.isprintable() and raw.isascii():
        return raw
    readable = raw.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(
        mark if mark.isprintable() else mark.encode("unicode_escape").decode("ascii")
        for mark in readable
    )
