"""One threaded pass over all pictures: every file read, hashed and decoded once.

Of each picture only a record of about 1 kB stays, most of it on disk. Records of files are kept
in `cache_folder()/scan.sqlite` by path, size and time of change, so that a folder opens at once
the second time; where that file cannot be used, the pass just takes its time.
"""

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL

from tlkeras.cache import cache_folder
from tlkeras.data.columns.kept import ROWS_AT_ONCE, KeptRecords, Key, key_of
from tlkeras.data.columns.records import RECORD, Scanned, ScanRecord
from tlkeras.data.decode import Decoded, Source, array_to_rgb, decode_bytes, read_file
from tlkeras.data.duplicates.small import LEAST_SIDE_PX, small_versions
from tlkeras.errors import DecodeError
from tlkeras.threads import cores, in_order

__all__ = ["ScanRecord", "Scanned", "scan"]

log = logging.getLogger(__name__)

_VERSION = f"3 pillow {PIL.__version__}"  # raise the number when decoding or the hashes change
_SECONDS_BETWEEN_LINES = 5.0
_SETTLED_NS = 2_000_000_000  # a file changed this recently may change again with the same time
_AT_A_TIME = (
    8  # pictures that one thread takes; handing them out singly costs as much as small ones
)


def scan(sources: Sequence[Source], names: Sequence[Path]) -> Scanned:
    """A record, or the reason to set it aside, for each source, in order.

    Example::

        paths = [Path("a.jpg"), Path("broken.png")]
        record, reason = scan(paths, paths)
    """
    scanned = Scanned(names)
    kept = KeptRecords(cache_folder() / "scan.sqlite", _VERSION)
    try:
        for start in range(0, len(sources), ROWS_AT_ONCE):
            rows = range(start, min(start + ROWS_AT_ONCE, len(sources)))
            found, records = kept.get([_key(sources[row]) for row in rows])
            scanned.put(found + start, records)
        _read_all(sources, scanned, kept)
    finally:
        kept.close()
    return scanned


def _read_all(sources: Sequence[Source], scanned: Scanned, kept: KeptRecords) -> None:
    """Read, decode and record every source that is not known yet."""
    unknown = np.flatnonzero(~scanned.readable)
    began = time.time_ns()
    reported = time.monotonic()

    def read(start: int) -> "_Block":
        return _Block(sources, unknown[start : start + _AT_A_TIME].tolist())

    starts = range(0, len(unknown), _AT_A_TIME)
    done = 0
    for block in in_order(read, starts, ahead=4 * cores()):
        scanned.put(block.rows, block.records)
        scanned.reasons.update(block.reasons)
        settled = [at for at, key in enumerate(block.keys) if key and began - key[2] > _SETTLED_NS]
        kept.put(
            [key for key in map(block.keys.__getitem__, settled) if key], block.records[settled]
        )
        done += len(block.rows) + len(block.reasons)
        if time.monotonic() - reported > _SECONDS_BETWEEN_LINES:
            reported = time.monotonic()
            log.info("read %s of %s pictures", f"{done:,}", f"{len(unknown):,}")


class _Block:
    """A few sources, read: records (k,) of the readable `rows`, and the others' reasons."""

    def __init__(self, sources: Sequence[Source], rows: Sequence[int]) -> None:
        self.rows: list[int] = []
        self.keys: list[Key | None] = []
        self.reasons: dict[int, str] = {}
        self.records = np.zeros(len(rows), RECORD)
        for row in rows:
            source = sources[row]
            # Before the file is read: if it changes meanwhile, the next scan sees another key.
            key = _key(source)
            try:
                _record(source, self.records[len(self.rows)])
            except DecodeError as err:
                self.reasons[row] = err.reason
            else:
                self.rows.append(row)
                self.keys.append(key)
        self.records = self.records[: len(self.rows)]


def _record(source: Source, record: np.void) -> None:
    """Fill `record`, one of `RECORD`, with what is kept of the source."""
    if isinstance(source, np.ndarray):
        pixels = array_to_rgb(source)
        digest = hashlib.sha256(repr((source.shape, source.dtype.str)).encode())
        digest.update(np.ascontiguousarray(source).data)
        height, width = pixels.shape[:2]
        decoded = Decoded(pixels, "RGB", 1, (height, width), (0, 0, height, width))
    else:
        data = source if isinstance(source, bytes) else read_file(source)
        digest = hashlib.sha256(data)
        # A reduced JPEG is read to its end as well, so that damage is found all the same.
        decoded = decode_bytes(data, str(source), (LEAST_SIDE_PX, LEAST_SIDE_PX))
    small, bits = small_versions(decoded.pixels, decoded.box)
    height, width = decoded.size_px
    facts = record["facts"]
    facts["sha256"] = np.frombuffer(digest.digest(), np.uint8)
    facts["width"], facts["height"] = width, height
    facts["rotated"] = decoded.orientation != 1
    facts["mode"] = decoded.mode.encode("ascii")
    record["dhash"] = bits
    record["thumbnail"] = small


def _key(source: Source) -> Key | None:
    return key_of(source) if isinstance(source, str | Path) else None
