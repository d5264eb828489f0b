"""One threaded pass over all pictures: every file read, hashed and fully decoded once.

Of each picture only a record of about 1 kB stays. Records of files are kept in
`cache_folder()/scan.sqlite` by path, size and time of change, so that a folder opens at once
the second time; where that file cannot be used, the pass just takes its time.
"""

import hashlib
import logging
import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import PIL

from tlkeras.cache import cache_folder
from tlkeras.data.decode import Source, array_to_rgb, decode_bytes, read_file
from tlkeras.data.duplicates import difference_hash, thumbnail
from tlkeras.data.picture import SetAside
from tlkeras.errors import DecodeError

log = logging.getLogger(__name__)

Item = TypeVar("Item")
Result = TypeVar("Result")

_VERSION = f"1 pillow {PIL.__version__}"  # raise the number when decoding or the hashes change
_SECONDS_BETWEEN_LINES = 5.0
_ROWS_AT_ONCE = 500
_SETTLED_NS = 2_000_000_000  # a file changed this recently may change again with the same time


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


def scan(sources: Sequence[Source], names: Sequence[Path]) -> list[ScanRecord | SetAside]:
    """A record, or the reason to set it aside, for each source, in order.

    Example::

        paths = [Path("a.jpg"), Path("broken.png")]
        record, reason = scan(paths, paths)
    """
    results: list[ScanRecord | SetAside | None] = [None] * len(sources)
    cache = _Cache(cache_folder() / "scan.sqlite")
    try:
        keys = [_key(source) for source in sources]
        for index, key in enumerate(keys):
            if key is not None:
                results[index] = cache.get(key)
        unknown = [index for index, known in enumerate(results) if known is None]
        began = time.time_ns()
        reported = time.monotonic()

        def read(index: int) -> ScanRecord | SetAside:
            return _read(sources[index], names[index])

        for done, record in enumerate(in_order(read, unknown, ahead=4 * workers())):
            index = unknown[done]
            results[index] = record
            key = keys[index]
            if isinstance(record, ScanRecord) and key and began - key[2] > _SETTLED_NS:
                cache.put(key, record)
            if time.monotonic() - reported > _SECONDS_BETWEEN_LINES:
                reported = time.monotonic()
                log.info("read %s of %s pictures", f"{done + 1:,}", f"{len(unknown):,}")
    finally:
        cache.close()
    return [result for result in results if result is not None]


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], *, ahead: int
) -> Iterator[Result]:
    """`function` of each item, computed by threads at most `ahead` items early, in order.

    >>> list(in_order(abs, [-3, 2, -1], ahead=2))
    [3, 2, 1]
    """
    pool = ThreadPoolExecutor(workers(), thread_name_prefix="tlkeras-read")
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) >= ahead:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        # Reached too when the consumer stops early or presses Ctrl-C: nothing more is started.
        pool.shutdown(wait=True, cancel_futures=True)


def workers() -> int:
    """Number of threads that decode: the processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read(source: Source, name: Path) -> ScanRecord | SetAside:
    try:
        if isinstance(source, np.ndarray):
            pixels, mode, rotated = array_to_rgb(source), "RGB", False
            digest = hashlib.sha256(repr((source.shape, source.dtype.str)).encode())
            digest.update(np.ascontiguousarray(source).data)
        else:
            data = source if isinstance(source, bytes) else read_file(source)
            digest = hashlib.sha256(data)
            decoded = decode_bytes(data, str(name))
            pixels, mode, rotated = decoded.pixels, decoded.mode, decoded.orientation != 1
    except DecodeError as err:
        return SetAside(name, err.reason)
    height, width = pixels.shape[:2]
    small = thumbnail(pixels)
    return ScanRecord(
        digest.hexdigest(), width, height, mode, rotated, small, difference_hash(pixels)
    )


_Key = tuple[bytes, int, int]  # absolute path, size in bytes, time of change in ns


def _key(source: Source) -> _Key | None:
    if not isinstance(source, str | Path):
        return None
    try:
        found = os.stat(source)
    except (OSError, ValueError):
        return None
    return os.fsencode(os.path.abspath(source)), found.st_size, found.st_mtime_ns


class _Cache:
    """Scan records of files in one SQLite file; says nothing and knows nothing where it fails."""

    def __init__(self, path: Path) -> None:
        self._rows: list[tuple[bytes, int, int, str, bytes]] = []
        self._database: sqlite3.Connection | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=5)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS records (path BLOB PRIMARY KEY, size INTEGER, "
                "mtime_ns INTEGER, version TEXT, record BLOB)"
            )
        except (OSError, sqlite3.Error) as err:
            self._give_up(err)

    def get(self, key: _Key) -> ScanRecord | None:
        if self._database is None:
            return None
        try:
            row = self._database.execute(
                "SELECT record FROM records WHERE path=? AND size=? AND mtime_ns=? AND version=?",
                (*key, _VERSION),
            ).fetchone()
            return _unpack(row[0]) if row else None
        except (sqlite3.Error, ValueError, TypeError) as err:
            self._give_up(err)
            return None

    def put(self, key: _Key, record: ScanRecord) -> None:
        self._rows.append((*key, _VERSION, _pack(record)))
        if len(self._rows) >= _ROWS_AT_ONCE:
            self._write()

    def close(self) -> None:
        self._write()
        if self._database is not None:
            self._database.close()
            self._database = None

    def _write(self) -> None:
        rows, self._rows = self._rows, []
        if self._database is None or not rows:
            return
        try:
            with self._database:
                self._database.executemany(
                    "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?)", rows
                )
        except sqlite3.Error as err:
            self._give_up(err)

    def _give_up(self, err: Exception) -> None:
        log.info("pictures are read without the scan cache: %s", err)
        if self._database is not None:
            self._database.close()
            self._database = None


def _pack(record: ScanRecord) -> bytes:
    facts = f"{record.sha256} {record.width} {record.height} {int(record.rotated)} {record.mode}"
    return record.thumbnail.tobytes() + record.dhash.tobytes() + facts.encode()


def _unpack(packed: bytes) -> ScanRecord:
    small = np.frombuffer(packed[:768], np.uint8).reshape(16, 16, 3)
    bits = np.frombuffer(packed[768:800], np.uint8)
    sha256, width, height, rotated, mode = packed[800:].decode().split(" ", 4)
    return ScanRecord(sha256, int(width), int(height), mode, rotated == "1", small, bits)
