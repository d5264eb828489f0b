"""Activations at the freeze boundary, kept for every epoch after the first look.

    up to 64 MiB        float32, in memory
    up to 4 GiB         float32, in a file without a name, read through a memory map
    above               float16, in such a file

float32 gives bit for bit the weights of the whole forward pass (measured on MobileNetV2 and
ResNet50). float16 takes half the room and changes them by 2e-3 to 5e-3 of their size in four
epochs, with the same accuracy: Adam divides each gradient by its own size, so a small error in a
small gradient is a whole step the other way.
"""

import contextlib
import math
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import numpy as np

from tlkeras.cache import cache_folder
from tlkeras.disk import explained
from tlkeras.features.table import release

IN_MEMORY = 64 * 2**20  # bytes of all tables together, above which they go to a file
EXACT = 4 * 2**30  # bytes as float32, above which float16 is kept
RELEASED_EVERY = 16 * 2**20  # bytes read through the map before its pages are given back
SHARE_OF_DISK = 0.8  # of what is free


class Maps:
    """Rows of several arrays, filled once in order and read in any.

    Args:
        rows: how many there will be.
        first: arrays (m, …) such as will come, one a crossing tensor; they are not stored yet.
        in_memory: bytes that may be held in memory.
        exact: bytes up to which float32 is kept.
        whatever_is_free: do not keep float16 for the reason that the disk has no room for float32.

    Raises:
        OSError: the disk has no room for the file.

    Example::

        maps = Maps(len(pictures), trunk(pixels))
        maps.put(0, trunk(pixels))
        maps.take(np.array([3, 1]))           # [(2, …) float32]
    """

    def __init__(
        self,
        rows: int,
        first: Sequence[np.ndarray],
        *,
        in_memory: int = IN_MEMORY,
        exact: int = EXACT,
        whatever_is_free: bool = False,
    ) -> None:
        shapes = [(rows, *each.shape[1:]) for each in first]
        free = math.inf if whatever_is_free else shutil.disk_usage(_folder()).free
        room = min(exact, SHARE_OF_DISK * free)
        full = [each.dtype for each in first]
        kinds = full if sum(_sizes(shapes, full)) <= room else [_half(kind) for kind in full]
        sizes = _sizes(shapes, kinds)
        self.bytes = sum(sizes)
        self._starts = [0, *np.cumsum(sizes).tolist()]
        self._read = 0
        self._file: IO[bytes] | None = None
        if self.bytes <= in_memory:
            self._tables = [np.empty(s, kind) for s, kind in zip(shapes, kinds, strict=True)]
            return
        self._file = _unnamed(self.bytes)
        try:
            self._file.truncate(self.bytes)
            self._tables = [
                np.memmap(self._file, kind, "r", start, shape)
                for kind, start, shape in zip(kinds, self._starts, shapes, strict=False)
            ]
        except BaseException:
            self._file.close()
            raise

    def put(self, start: int, arrays: Sequence[np.ndarray]) -> None:
        """Store arrays (m, …) as the rows from `start` on.

        Raises:
            OverflowError: a value that float16 cannot hold.
            OSError: the file cannot be written.
        """
        for table, begin, array in zip(self._tables, self._starts, arrays, strict=False):
            with np.errstate(over="ignore"):
                kept = array.astype(table.dtype, copy=False)
            if kept.dtype == np.float16 and not np.isfinite(kept).all():
                most = np.finfo(np.float16).max
                raise OverflowError(f"activations must be finite and within ±{most:.0f}")
            if self._file is None:
                table[start : start + len(kept)] = kept
            else:
                # Written as a file, not through the map: a full disk is then an error to
                # catch, and not a signal that ends the process.
                with explained(_folder()):
                    self._file.seek(begin + start * (table.nbytes // len(table)))
                    self._file.write(np.ascontiguousarray(kept).data)
        if self._file is not None:
            with explained(_folder()):
                self._file.flush()

    def take(self, rows: np.ndarray) -> list[np.ndarray]:
        """Copies of the rows, one array a crossing tensor."""
        taken = [np.asarray(table[rows]) for table in self._tables]
        self._read += sum(each.nbytes for each in taken)
        if self._read > RELEASED_EVERY:
            self._release()
        return taken

    def close(self) -> None:
        """Gives the memory and the file back; nothing can be read afterwards."""
        self._tables = []
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk says so again while it closes
                self._file.close()

    def _release(self) -> None:
        """Pages of the file leave this process' memory; the system keeps them while it can."""
        self._read = 0
        for table in self._tables:
            release(table)


def _sizes(shapes: Sequence[tuple[int, ...]], kinds: Sequence[np.dtype]) -> list[int]:
    pairs = zip(shapes, kinds, strict=True)
    return [math.prod(shape) * kind.itemsize for shape, kind in pairs]


def _half(kind: np.dtype) -> np.dtype:
    return np.dtype("float16") if kind in (np.float32, np.float64) else kind


def _folder() -> Path:
    """The cache folder, or where temporary files go: /tmp is memory on many systems."""
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if os.access(folder, os.W_OK) else Path(tempfile.gettempdir())


def _unnamed(size: int) -> IO[bytes]:
    """An open file without a name."""
    folder = _folder()
    free = shutil.disk_usage(folder).free
    if size > SHARE_OF_DISK * free:
        raise OSError(
            f"{size / 2**30:.1f} GB are needed and {free / 2**30:.1f} GB are free in {folder}"
        )
    return tempfile.TemporaryFile(dir=folder, prefix="activations-")
