"""What a scan keeps of each picture: a row of fixed size, its thumbnail on disk."""

import io
import logging
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Self, cast, overload

import numpy as np

from tlkeras.data.picture import SetAside

log = logging.getLogger(__name__)

FACTS = np.dtype(
    [
        ("sha256", "u1", 32),
        ("width", "<i4"),
        ("height", "<i4"),
        ("rotated", "?"),
        ("mode", "S7"),
    ]
)
RECORD = np.dtype([("facts", FACTS), ("dhash", "u1", 32), ("thumbnail", "u1", (16, 16, 3))])

_IN_MEMORY_BYTES = 1 << 21
_THUMBNAIL_BYTES = 16 * 16 * 3


@dataclass(frozen=True, eq=False)
class ScanRecord:
    """What is kept of one readable picture.

    `thumbnail` uint8 (16, 16, 3); `dhash` uint8 (32,), 256 bits; `mode` is Pillow's name for how
    the file stores its pixels; `rotated` says that the EXIF orientation was not upright.
    """

    sha256: str
    width: int
    height: int
    mode: str
    rotated: bool
    thumbnail: np.ndarray
    dhash: np.ndarray


class Scanned(Sequence[ScanRecord | SetAside]):
    """A record, or the reason to set it aside, for each picture, in order; close it after use.

    Attributes:
        facts: (n,) of `FACTS`: content hash, sides, mode and whether it was turned.
        dhash: uint8 (n, 32).
        readable: bool (n,).
        reasons: why not, by row.
        thumbnails: uint8 (n, 16, 16, 3), read a few rows at a time.
    """

    def __init__(self, names: Sequence[Path]) -> None:
        self._names = names
        self.facts = np.zeros(len(names), FACTS)
        self.dhash = np.zeros((len(names), 32), np.uint8)
        self.readable = np.zeros(len(names), bool)
        self.reasons: dict[int, str] = {}
        self.thumbnails = Thumbnails()

    def put(self, rows: Sequence[int] | np.ndarray, records: np.ndarray) -> None:
        """Keep `records`, (k,) of `RECORD`, as those of `rows`, ascending."""
        if len(rows):
            self.facts[rows] = records["facts"]
            self.dhash[rows] = records["dhash"]
            self.readable[rows] = True
            self.thumbnails.put(rows, records["thumbnail"])

    def set_aside(self, rows: Iterable[int]) -> Iterator[SetAside]:
        """Those of the rows that could not be read, with their reasons."""
        return (SetAside(self._names[row], self.reasons[row]) for row in rows)

    def __len__(self) -> int:
        return len(self.facts)

    @overload
    def __getitem__(self, index: int) -> ScanRecord | SetAside: ...
    @overload
    def __getitem__(self, index: slice) -> list[ScanRecord | SetAside]: ...
    def __getitem__(
        self, index: int | slice
    ) -> ScanRecord | SetAside | list[ScanRecord | SetAside]:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        row = range(len(self))[index]
        if not self.readable[row]:
            return SetAside(self._names[row], self.reasons[row])
        facts = self.facts[row]
        return ScanRecord(
            facts["sha256"].tobytes().hex(),
            int(facts["width"]),
            int(facts["height"]),
            facts["mode"].decode("ascii"),
            bool(facts["rotated"]),
            self.thumbnails[np.array([row])][0],
            self.dhash[row].copy(),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Give the thumbnails' file back."""
        self.thumbnails.close()


class Thumbnails:
    """uint8 (n, 16, 16, 3) by rows: in memory while few, then in a temporary file without name."""

    def __init__(self) -> None:
        self._file: IO[bytes] = io.BytesIO()

    def put(self, rows: Sequence[int] | np.ndarray, thumbnails: np.ndarray) -> None:
        """Write thumbnails uint8 (k, 16, 16, 3) to `rows`, ascending."""
        if isinstance(self._file, io.BytesIO) and rows[-1] * _THUMBNAIL_BYTES > _IN_MEMORY_BYTES:
            self._onto_disk()
        for start, stop in runs(np.asarray(rows)):
            self._file.seek(int(rows[start]) * _THUMBNAIL_BYTES)
            self._file.write(thumbnails[start:stop].tobytes())

    def _onto_disk(self) -> None:
        try:
            file = tempfile.TemporaryFile()  # noqa: SIM115 - closed with this object
        except OSError as err:
            log.info("thumbnails stay in memory: %s", err)
            return
        file.write(cast(io.BytesIO, self._file).getbuffer())
        weakref.finalize(self, file.close)
        self._file = file

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The thumbnails uint8 (k, 16, 16, 3) of `rows`, int (k,)."""
        parts = []
        for start, stop in runs(rows):
            self._file.seek(int(rows[start]) * _THUMBNAIL_BYTES)
            parts.append(self._file.read((stop - start) * _THUMBNAIL_BYTES))
        return np.frombuffer(b"".join(parts), np.uint8).reshape(len(rows), 16, 16, 3)

    def close(self) -> None:
        """Give the file back; it had no name."""
        self._file.close()


class Selected:
    """Some of the thumbnails, numbered anew.

    >>> three = np.arange(3 * 768, dtype=np.uint8).reshape(3, 16, 16, 3)
    >>> bool((Selected(three, np.array([2]))[np.array([0])] == three[2:]).all())
    True
    """

    def __init__(self, thumbnails: "Thumbnails | np.ndarray", rows: np.ndarray) -> None:
        self._thumbnails = thumbnails
        self._rows = rows

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The thumbnails uint8 (k, 16, 16, 3) of `rows`, int (k,)."""
        return self._thumbnails[self._rows[rows]]


def runs(rows: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of each stretch of rows that follow one another."""
    if not len(rows):
        return []
    edges = np.flatnonzero(np.diff(rows) != 1) + 1
    return list(zip([0, *edges.tolist()], [*edges.tolist(), len(rows)], strict=True))
