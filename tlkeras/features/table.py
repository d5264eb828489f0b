"""Embeddings as one array, however many: in memory when few, else a file mapped into it.

The file has no name: it is gone with the array, or with the process.
"""

import mmap
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from tlkeras.cache import cache_folder
from tlkeras.data.columns.records import runs
from tlkeras.disk import amount, in_words, take_room
from tlkeras.errors import TlkerasError

BYTES_IN_MEMORY = 16 * 2**20  # 3,277 embeddings of MobileNetV2
_BYTES_PER_BLOCK = 4 * 2**20


class Table:
    """An array (rows, width) float32 that is filled piece by piece, then read.

    >>> with Table(3, width=2) as table:
    ...     table.write(np.array([2, 0]), np.array([[1, 2], [3, 4]], "float32"))
    ...     table.array()
    array([[3., 4.],
           [0., 0.],
           [1., 2.]], dtype=float32)

    Args:
        rows: number of embeddings.
        width: number of values in one.
    """

    def __init__(self, rows: int, width: int) -> None:
        self.shape = (rows, width)
        self._file: IO[bytes] | None = None
        self._array: np.ndarray | None = None
        if 4 * rows * width <= BYTES_IN_MEMORY:
            self._array = np.zeros(self.shape, np.float32)
        else:
            self._file = _nameless_file(4 * rows * width)

    def write(self, rows: np.ndarray, vectors: np.ndarray) -> None:
        """Put `vectors` (m, width) float32 into the rows int64 (m,)."""
        if self._file is None:
            assert self._array is not None
            self._array[rows] = vectors
            return
        # Written and not assigned through the mapping, whose pages would stay in memory.
        values = np.ascontiguousarray(vectors, np.float32)
        for first, last in runs(rows):
            self._file.seek(4 * self.shape[1] * int(rows[first]))
            _write_all(self._file, values[first:last])

    def array(self) -> np.ndarray:
        """The table (rows, width) float32; a large one can only be read."""
        if self._file is None:
            assert self._array is not None
            return self._array
        mapped = mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.frombuffer(mapped, np.float32).reshape(self.shape)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Close the file; an array that was taken keeps it alive."""
        if self._file is not None:
            self._file.close()


def blocks(vectors: np.ndarray) -> Iterator[slice]:
    """Slices of some thousand rows that cover `vectors` (n, d), in order.

    Pages of a mapped table that a block brought into memory are given back after it, so reading
    a table this way takes no more memory than a block.

    >>> [piece.stop for piece in blocks(np.zeros((5, 2**19), "float32"))]
    [2, 4, 5]
    """
    step = max(1, _BYTES_PER_BLOCK // max(1, vectors.itemsize * vectors.shape[1]))
    for start in range(0, len(vectors), step):
        yield slice(start, min(start + step, len(vectors)))
        release(vectors)


def lengths_of(vectors: np.ndarray) -> np.ndarray:
    """Lengths (n,) float32 of vectors (n, d); one where that is zero.

    >>> lengths_of(np.array([[3, 4], [0, 0]], "float32")).tolist()
    [5.0, 1.0]
    """
    squares = np.empty(len(vectors), np.float32)
    for piece in blocks(vectors):
        squares[piece] = np.einsum("ij,ij->i", vectors[piece], vectors[piece])
    return np.sqrt(np.where(squares > 0, squares, 1.0))


def release(vectors: np.ndarray) -> None:
    """Give back the memory of a mapped table's pages; they are read again when needed."""
    base: object = vectors
    while isinstance(base, np.ndarray):
        base = base.base
    mapped = base.obj if isinstance(base, memoryview) else base
    if isinstance(mapped, mmap.mmap) and hasattr(mapped, "madvise"):
        mapped.madvise(mmap.MADV_DONTNEED)


def joined(tables: list[np.ndarray]) -> np.ndarray:
    """One array (n1 + n2 + …, d) float32 of several; of one, that one itself."""
    if len(tables) == 1:
        return tables[0]
    with Table(sum(map(len, tables)), tables[0].shape[1]) as table:
        start = 0
        for part in tables:
            for piece in blocks(part):
                rows = np.arange(start + piece.start, start + piece.stop)
                table.write(rows, part[piece])
            start += len(part)
        return table.array()


def _nameless_file(size: int) -> IO[bytes]:
    """An open file of `size` bytes, which the disk was seen to have.

    Raises:
        TlkerasError: no disk has them.
    """
    # The system's own folder for such files is often held in memory, the cache is on a disk.
    refused: list[OSError] = []
    for folder in (cache_folder(), Path(tempfile.gettempdir())):
        try:
            file = tempfile.TemporaryFile(buffering=0, dir=folder)  # noqa: SIM115
        except OSError as err:
            refused.append(in_words(err, folder))
            continue
        try:
            take_room(file, size)
            return file
        except OSError as err:
            refused.append(in_words(err, folder, size))
            file.close()
    raise TlkerasError(
        f"Embeddings of {amount(size)} wait in a file while they are worked on. Received: "
        f"{'; '.join(map(str, refused))}. Make room there, or set TLKERAS_CACHE to a folder on "
        "another disk."
    ) from refused[-1]


def _write_all(file: IO[bytes], values: np.ndarray) -> None:
    left = values.reshape(-1).view(np.uint8).data
    while left:  # an unbuffered file may take less than it is given
        left = left[file.write(left) :]
