"""Embeddings on disk by content, so that no picture passes a backbone twice.

    features/<backbone>/000001-9f3c….chunk      some thousand rows, never changed
                        000002-41aa….chunk

A chunk appears whole or not at all, so an interrupted run keeps what it had and any number of
processes may share the folder. Few rows make small chunks; many small ones become large ones.
"""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tlkeras.disk import sweep
from tlkeras.features.chunk import (
    KEY_BYTES,
    SUFFIX,
    DamagedChunkError,
    OtherVersionError,
    read_contents,
    read_vectors,
    write_chunk,
)
from tlkeras.features.table import Table

logger = logging.getLogger(__name__)

SECONDS_TO_LOSE = 0.25  # of work, when the process is killed
GIGABYTES = 20.0

_STARTED = time.time()
_BYTES_PER_CHUNK = 8 * 2**20
_SMALL_ONES_KEPT = 16
_SECONDS_OF_DOUBT = 60.0  # between this clock and the one that stamps the files


class FeatureStore:
    """Vectors of one backbone by key, in a folder that several runs may use at once.

    Rows are on disk a moment after they were put, and at the latest at the end of the `with`,
    however that ends. A folder that can't be written is told once, then nothing is kept.

    Example::

        with FeatureStore(cache_folder() / "features", "3fa9…-float32", width=1280) as store:
            found = store.fill(keys, table)            # bool (n,); found rows are in the table
            store.put(keys[~found], vectors)           # (m, 1280) float32

    Args:
        folder: where the stores of all backbones are; None: nothing is found, nothing is kept.
        name: names the backbone with its weights, and the precision it computes in.
        width: number of values in one vector.
    """

    def __init__(self, folder: Path | None, name: str, width: int) -> None:
        self.folder = None if folder is None else folder / name
        self.width = width
        self._rows_per_chunk = max(64, min(8192, _BYTES_PER_CHUNK // (4 * width + KEY_BYTES)))
        self._waiting: list[tuple[np.ndarray, np.ndarray]] = []
        self._waiting_since = 0.0
        self._writable = folder is not None
        self._wrote = False

    def fill(self, keys: np.ndarray, table: Table) -> np.ndarray:
        """Which of `keys` S16 (n,) are known, bool (n,); their vectors are put into `table`.

        A damaged chunk is removed, and its rows are not known.
        """
        found = np.zeros(len(keys), bool)
        if self.folder is None or not len(keys):
            return found
        self.flush()
        wanted = _Wanted(keys)
        seen: set[Path] = set()
        gone = True
        while gone:  # another process may have put small chunks together since they were listed
            gone = False
            new = [path for path in _chunks(self.folder) if path not in seen]
            seen.update(new)
            for path in reversed(new):  # what was written last is the likeliest to be wanted
                if found.all():
                    return found
                gone |= not self._take(path, wanted, found, table)
        return found

    def put(self, keys: np.ndarray, vectors: np.ndarray) -> None:
        """Keep vectors (n, width) float32 under `keys` S16 (n,)."""
        if not self._writable or not len(keys):
            return
        if not self._waiting:
            self._waiting_since = time.monotonic()
        self._waiting.append((keys, vectors))
        full = sum(len(some) for some, _ in self._waiting) >= self._rows_per_chunk
        if full or time.monotonic() - self._waiting_since > SECONDS_TO_LOSE:
            self.flush()

    def flush(self) -> None:
        """Write what was put since the last time."""
        if not self._waiting or self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(self._waiting)
            # Only now: when Ctrl-C comes in the middle, the end of the `with` writes them.
            self._waiting = []
            self._put_together()
        except OSError as err:
            self._writable, self._waiting = False, []
            logger.warning(
                "embeddings can't be kept in %s (%s); going on without keeping them. "
                "Set TLKERAS_CACHE to a folder that can be written.",
                self.folder,
                err,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Write what is left, then make room if all stores together are too large."""
        self.flush()
        if self._wrote and self.folder is not None:
            self._wrote = False
            make_room(self.folder.parent, allowed_bytes())

    def _take(self, path: Path, wanted: "_Wanted", found: np.ndarray, table: Table) -> bool:
        """Put the chunk's wanted rows into the table; False when the chunk is gone."""
        try:
            with path.open("rb") as file:
                contents = read_contents(file)
                if contents.width != self.width:
                    raise DamagedChunkError(f"width {contents.width} instead of {self.width}")
                rows, places = wanted.among(contents.keys)
                new = ~found[places]
                if new.any():
                    table.write(places[new], read_vectors(file, contents)[rows[new]])
                    found[places[new]] = True
                    _note_use(path)
        except FileNotFoundError:
            return False
        except DamagedChunkError as err:
            logger.warning(
                "the kept embeddings %s are damaged (%s); their pictures are computed again",
                path,
                err,
            )
            _remove(path)
        except (OSError, OtherVersionError) as err:
            logger.info("the kept embeddings %s are not used: %s", path, err)
        return True

    def _write(self, rows: list[tuple[np.ndarray, np.ndarray]]) -> Path:
        assert self.folder is not None
        self._wrote = True
        numbers = [path.name.partition("-")[0] for path in _chunks(self.folder)]
        last = max((int(number) for number in numbers if number.isdecimal()), default=0)
        keys = np.concatenate([keys for keys, _ in rows])
        vectors = np.concatenate([vectors for _, vectors in rows])
        return write_chunk(self.folder, last + 1, keys, vectors)

    def _put_together(self) -> None:
        """Rewrite small chunks as large ones, once there are many."""
        assert self.folder is not None
        small = [path for path in _chunks(self.folder) if self._is_small(path)]
        if len(small) < _SMALL_ONES_KEPT:
            return
        sources: list[Path] = []
        rows: list[tuple[np.ndarray, np.ndarray]] = []
        for path in small:
            try:
                with path.open("rb") as file:
                    contents = read_contents(file)
                    rows.append((contents.keys, read_vectors(file, contents)))
                    sources.append(path)
            except (OSError, DamagedChunkError, OtherVersionError) as err:
                logger.info("%s is left as it is: %s", path, err)
            if sum(len(keys) for keys, _ in rows) >= self._rows_per_chunk or path is small[-1]:
                if len(sources) > 1:
                    self._write(rows)
                    for source in sources:
                        _remove(source)
                sources, rows = [], []

    def _is_small(self, path: Path) -> bool:
        half = self._rows_per_chunk * (4 * self.width + KEY_BYTES) // 2
        size, _ = _size_and_use(path)
        return 0 < size < half


def allowed_bytes() -> int:
    """What all kept embeddings together may take: `$TLKERAS_CACHE_GB`, or 20 GB."""
    given = os.environ.get("TLKERAS_CACHE_GB") or str(GIGABYTES)
    try:
        return int(float(given) * 1e9)
    except (ValueError, OverflowError):
        logger.warning(
            "TLKERAS_CACHE_GB must be a number, as in 5 or 0.5. Received: %r; using %g.",
            given,
            GIGABYTES,
        )
        return int(GIGABYTES * 1e9)


def make_room(folder: Path, allowed: int) -> None:
    """Remove the chunks used longest ago from the stores in `folder` until they fit `allowed`.

    What this process has read or written stays, even if it is more than that.
    """
    stores = [store for store in folder.glob("*/") if store.is_dir()]
    known = [(path, *_size_and_use(path)) for store in stores for path in _chunks(store)]
    excess = sum(size for _, size, _ in known) - allowed
    for path, size, used in sorted(known, key=lambda one: one[2]):
        if excess <= 0 or used >= _STARTED - _SECONDS_OF_DOUBT:
            break
        _remove(path)
        excess -= size
    for store in stores:
        sweep(store)


class _Wanted:
    """Keys S16 (n,), sorted once so that each chunk's keys are found among them quickly."""

    def __init__(self, keys: np.ndarray) -> None:
        self._order = np.argsort(keys, kind="stable")
        self._sorted = keys[self._order]

    def among(self, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of `keys` and the places they are wanted at, int64 (m,) each, by place."""
        first = np.searchsorted(self._sorted, keys, "left")
        times = np.searchsorted(self._sorted, keys, "right") - first
        rows = np.repeat(np.arange(len(keys)), times)
        # One key may be wanted at several places, which follow one another in sorted order.
        within = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
        places = self._order[np.repeat(first, times) + within]
        order = np.argsort(places, kind="stable")
        return rows[order], places[order]


def _chunks(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == SUFFIX)
    except OSError:
        return []


def _size_and_use(path: Path) -> tuple[int, float]:
    try:
        found = path.stat()
        return found.st_size, found.st_mtime
    except OSError:
        return 0, 0.0


def _note_use(path: Path) -> None:
    # What was used now is the last to go when room is needed. A read-only store stays as it is.
    with suppress(OSError):
        os.utime(path)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as err:  # Windows keeps what another process has open
        logger.info("%s can't be removed: %s", path, err)
