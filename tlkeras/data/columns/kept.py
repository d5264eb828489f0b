"""Records of files from earlier runs, in one SQLite file, asked for hundreds at a time."""

import logging
import os
import sqlite3
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

log = logging.getLogger(__name__)

Key = tuple[bytes, int, int]  # absolute path, size in bytes, time of change in ns

ROWS_AT_ONCE = 500  # SQLite allows 999 variables in a statement
_WRITE_FROM = 1000
_CRC_BYTES = 4


class KeptRecords:
    """Records by file; says nothing and knows nothing where the database cannot be used.

    Example::

        kept = KeptRecords(cache_folder() / "scan.sqlite", "2", RECORD)
        found, records = kept.get([key_of("a.jpg")])     # positions, (k,) of RECORD
        kept.put([key_of("b.jpg")], records)
        kept.close()
    """

    def __init__(self, path: Path, version: str, dtype: np.dtype) -> None:
        self.dtype = dtype
        self._path = path
        self._version = version
        self._rows: list[tuple[bytes, int, int, str, bytes]] = []
        self._database: sqlite3.Connection | None = None
        self._damaged = False
        self._open()
        if self._damaged:  # it is removed by now
            self._open()

    def get(self, keys: Sequence[Key | None]) -> tuple[np.ndarray, np.ndarray]:
        """(positions int64 (k,), ascending, of the known among the keys; their records (k,))."""
        wanted = {key[0]: at for at, key in enumerate(keys) if key is not None}
        found: dict[int, bytes] = {}
        if self._database is not None and wanted:
            marks = ",".join("?" * len(wanted))
            query = (
                "SELECT path, size, mtime_ns, record FROM records "
                f"WHERE version = ? AND path IN ({marks})"
            )
            try:
                for *key, blob in self._database.execute(query, (self._version, *wanted)):
                    at = wanted.get(key[0], -1)  # a damaged index leads to rows of others
                    if at >= 0 and tuple(key) == keys[at] and self._is_whole(blob):
                        found[at] = blob[:-_CRC_BYTES]
            except (sqlite3.Error, TypeError) as err:
                self._give_up(err)
        positions = sorted(found)
        records = np.frombuffer(b"".join(found[at] for at in positions), self.dtype)
        return np.array(positions, np.int64), records

    def put(self, keys: Sequence[Key], records: np.ndarray) -> None:
        """Keep `records`, (k,) of the dtype; written some thousand at a time and on `close`."""
        if self._database is not None:
            version = self._version
            self._rows += [
                (*key, version, _with_crc(one.tobytes()))
                for key, one in zip(keys, records, strict=True)
            ]
        if len(self._rows) >= _WRITE_FROM:
            self._write()

    def close(self) -> None:
        """Write what is left."""
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

    def _is_whole(self, blob: bytes) -> bool:
        size = self.dtype.itemsize
        return len(blob) == size + _CRC_BYTES and blob == _with_crc(blob[:size])

    def _open(self) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(self._path, timeout=5)
            self._database.execute(
                "CREATE TABLE IF NOT EXISTS records (path BLOB PRIMARY KEY, size INTEGER, "
                "mtime_ns INTEGER, version TEXT, record BLOB)"
            )
        except (OSError, sqlite3.Error) as err:
            self._give_up(err)

    def _give_up(self, err: Exception) -> None:
        self._rows = []
        if self._database is not None:
            self._database.close()
            self._database = None
        if type(err) is not sqlite3.DatabaseError:  # busy, full, not to be written …
            log.info("pictures are read without the scan cache: %s", err)
            return
        # "malformed" or "not a database": nothing in it is worth a wrong answer.
        self._damaged = True
        log.warning("%s is damaged (%s) and begins anew; pictures are read again", self._path, err)
        with suppress(OSError):
            # The journal first: it would be played into the new file.
            for ending in ("-journal", "-wal", "-shm", ""):
                Path(f"{self._path}{ending}").unlink(missing_ok=True)


def _with_crc(record: bytes) -> bytes:
    # SQLite notices a damaged page only where the page says how it is built.
    return record + zlib.crc32(record).to_bytes(_CRC_BYTES, "little")


def key_of(path: str | Path) -> Key | None:
    """What tells a file from others and from its earlier self; None where it cannot be found."""
    try:
        found = os.stat(path)
    except (OSError, ValueError):
        return None
    return os.fsencode(os.path.abspath(path)), found.st_size, found.st_mtime_ns
