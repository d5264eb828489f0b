"""Embeddings as one table: rows of one or several arrays, read in blocks and never copied whole.

Arrays may be read-only memory maps larger than the memory; what reads them goes block by block.
"""

import mmap
from collections.abc import Iterator

import numpy as np

BLOCK_BYTES = 2**20  # about what a core's own cache holds, so that a block is read twice for one
RELEASED_BYTES = 2**25  # of a memory map are read before its pages are given back
KEPT_BYTES = 2**25  # a standardised table up to this size is kept instead of made in each pass


class Table:
    """Rows of several arrays (n1, d), (n2, d), … one below the other, as (n, d) float32.

    >>> table = Table(np.zeros((2, 3), "float32"), np.ones((1, 3), "float32"))
    >>> table.shape, table.take(np.array([2, 0])).tolist()
    ((3, 3), [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
    """

    def __init__(self, *parts: np.ndarray) -> None:
        self.parts = parts
        self._ends = np.cumsum([len(part) for part in parts])
        self._read = 0

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self), int(self.parts[0].shape[1])

    @property
    def block_rows(self) -> int:
        """How many rows `blocks` gives at once, at most."""
        return max(1, BLOCK_BYTES // (4 * self.shape[1]))

    def join(self, other: "Table") -> "Table":
        """Both tables' rows, one below the other; no row is copied."""
        return Table(*self.parts, *other.parts)

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Every row in order: (where in the table, rows (m, d) of some array, not a copy)."""
        for part, end in zip(self.parts, self._ends, strict=True):
            first = int(end) - len(part)
            for start in range(0, len(part), self.block_rows):
                rows = part[start : start + self.block_rows]
                yield slice(first + start, first + start + len(rows)), rows
                self._release(rows.nbytes)

    def take(self, index: np.ndarray) -> np.ndarray:
        """A copy of some rows, (m, d) float32, for their numbers (m,)."""
        self._release(4 * len(index) * self.shape[1])
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][index], "float32")
        taken = np.empty((len(index), self.shape[1]), "float32")
        which = np.searchsorted(self._ends, index, side="right")
        for number, (part, end) in enumerate(zip(self.parts, self._ends, strict=True)):
            here = which == number
            taken[here] = part[index[here] - (int(end) - len(part))]
        return taken

    def _release(self, read: int) -> None:
        """Give the pages of read-only memory maps back from time to time.

        The system would keep them as long as there is memory, and count them as ours.
        """
        self._read += read
        if self._read < RELEASED_BYTES:
            return
        self._read = 0
        for part in self.parts:
            owner = part
            while isinstance(owner, np.ndarray) and owner.base is not None:
                owner = owner.base
            # In a map that is written to, pages may hold the only copy.
            if isinstance(owner, mmap.mmap) and not part.flags.writeable:
                owner.madvise(mmap.MADV_DONTNEED)


class Standardised:
    """A table's columns with their weighted mean taken off and divided by their spread.

    Attributes:
        mean: (d,) float32, taken off each row.
        factor: (d,) float32, multiplied afterwards; one where a column is constant.
        varying: number of columns that are not constant.

    >>> rows = np.array([[1.0, 5.0], [3.0, 5.0]], "float32")
    >>> Standardised(Table(rows), np.ones(2)).take(np.array([0, 1])).tolist()
    [[-1.0, 0.0], [1.0, 0.0]]
    """

    def __init__(self, table: Table, weights: np.ndarray) -> None:
        self.table = table
        mean, spread, varies = _moments(table, weights)
        self.mean = mean.astype("float32")
        self.factor = np.where(varies, 1.0 / np.where(varies, spread, 1.0), 1.0).astype("float32")
        self.varying = int(varies.sum())
        n, d = table.shape
        self._kept: list[tuple[slice, np.ndarray]] | None = None
        if 4 * n * d <= KEPT_BYTES:
            self._kept = [(where, self._of(rows)) for where, rows in table.blocks()]

    def blocks(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Every row in order, in blocks; a block may be overwritten when the next one is taken."""
        if self._kept is not None:
            yield from self._kept
            return
        room = np.empty((self.table.block_rows, self.table.shape[1]), "float32")
        for where, rows in self.table.blocks():
            yield where, self._of(rows, room[: len(rows)])

    def take(self, index: np.ndarray) -> np.ndarray:
        """A copy of some rows, (m, d) float32, for their numbers (m,)."""
        rows = self.table.take(index)
        return self._of(rows, rows)

    def _of(self, rows: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        out = np.subtract(rows, self.mean, out=out)
        out *= self.factor
        return out


def _moments(table: Table, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weighted mean and spread of the columns (d,) float64, and which of them vary at all."""
    _, first = next(table.blocks())
    near = first.mean(axis=0, dtype="float64").astype("float32")
    total = np.zeros(len(near))
    squares = np.zeros(len(near))
    for where, rows in table.blocks():
        # Squares of what is left after a guess of the mean: squares of the values themselves
        # would lose the spread of a column that is far from zero.
        off = rows - near
        some = weights[where].astype("float32")
        total += some @ off
        squares += some @ np.square(off, out=off)
    whole = weights.sum()
    shift = total / whole
    mean = near + shift
    variance = np.maximum(squares / whole - shift**2, 0.0)
    # A column is constant when it varies no more than rounding does, however small it is.
    varies = variance > 1e-12 * (variance + mean**2)
    return mean, np.sqrt(variance), varies
