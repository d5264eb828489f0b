"""One threaded pass over pictures that fills a record of each, or finds it from an earlier run."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from tlkeras.data.columns.kept import ROWS_AT_ONCE, KeptRecords, Key, key_of
from tlkeras.data.decode import Source
from tlkeras.errors import DecodeError
from tlkeras.threads import cores, in_order

log = logging.getLogger(__name__)

Fill = Callable[[Source, np.void], None]

_SECONDS_BETWEEN_LINES = 5.0
_SETTLED_NS = 2_000_000_000  # a file changed this recently may change again with the same time
_AT_A_TIME = (
    8  # pictures that one thread takes; handing them out singly costs as much as small ones
)


class Block:
    """A few pictures: records (k,) of the readable `rows`, ascending, and the others' reasons."""

    def __init__(self, rows: Sequence[int] | np.ndarray, records: np.ndarray) -> None:
        self.rows = rows
        self.records = records
        self.reasons: dict[int, str] = {}
        self.keys: list[Key | None] = []


def each_record(sources: Sequence[Source], fill: Fill, kept: KeptRecords) -> Iterator[Block]:
    """A record for each source, in blocks: those of earlier runs first, then the others read.

    Args:
        sources: files, encoded pictures or arrays.
        fill: puts what is kept of a source into its record, one of `kept.dtype`; raises
            DecodeError where it cannot. Called by several threads.
        kept: the records of earlier runs; new ones of files are added. The caller closes it.

    Example::

        for block in each_record(paths, measure, kept):
            table[block.rows] = block.records
    """
    known = np.zeros(len(sources), bool)
    for start in range(0, len(sources), ROWS_AT_ONCE):
        rows = range(start, min(start + ROWS_AT_ONCE, len(sources)))
        found, records = kept.get([_key(sources[row]) for row in rows])
        known[found + start] = True
        yield Block(found + start, records)
    yield from _read(sources, np.flatnonzero(~known), fill, kept)


def _read(
    sources: Sequence[Source], unknown: np.ndarray, fill: Fill, kept: KeptRecords
) -> Iterator[Block]:
    """The blocks of every source that is not known yet."""
    began = time.time_ns()
    reported = time.monotonic()

    def read(start: int) -> Block:
        return _filled(sources, unknown[start : start + _AT_A_TIME].tolist(), fill, kept.dtype)

    starts = range(0, len(unknown), _AT_A_TIME)
    done = 0
    for block in in_order(read, starts, ahead=4 * cores()):
        settled = [at for at, key in enumerate(block.keys) if key and began - key[2] > _SETTLED_NS]
        kept.put(
            [key for key in map(block.keys.__getitem__, settled) if key], block.records[settled]
        )
        yield block
        done += len(block.rows) + len(block.reasons)
        if time.monotonic() - reported > _SECONDS_BETWEEN_LINES:
            reported = time.monotonic()
            log.info("read %s of %s pictures", f"{done:,}", f"{len(unknown):,}")


def _filled(sources: Sequence[Source], rows: Sequence[int], fill: Fill, dtype: np.dtype) -> Block:
    readable: list[int] = []
    block = Block(readable, np.zeros(len(rows), dtype))
    for row in rows:
        source = sources[row]
        # Before the file is read: if it changes meanwhile, the next pass sees another key.
        key = _key(source)
        try:
            fill(source, block.records[len(readable)])
        except DecodeError as err:
            block.reasons[row] = err.reason
        else:
            readable.append(row)
            block.keys.append(key)
    block.records = block.records[: len(readable)]
    return block


def _key(source: Source) -> Key | None:
    return key_of(source) if isinstance(source, str | Path) else None
