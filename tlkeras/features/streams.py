"""Many pictures through an engine, with every core busy and a bounded number in memory.

stream 1:  read some pictures ─ engine ─ read more ─ engine ─ …      each on a core of its own,
stream 2:  read some pictures ─ engine ─ read more ─ engine ─ …      waiting for nobody
"""

from collections.abc import Callable, Generator, Iterator

import numpy as np

from tlkeras.features.engines.engine import Engine
from tlkeras.threads import cores, in_order

Read = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Rows (m,) → those of them that could be read, (k,), and their pixels (k, h, w, 3)."""


def through(
    engine: Engine, rows: np.ndarray, read: Read
) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
    """Rows (k,) with the engine's answers (k, d), some pictures at a time, in order.

    Args:
        engine: called by `engine.streams` threads, each with what it has read itself.
        rows: numbers (n,) of the pictures.
        read: called by several threads at once.
    """
    pieces = _pieces(rows, engine.batch, engine.streams)

    def answer(found: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        return found[0], engine(found[1])

    if engine.streams > 1:
        # One more each is waiting than is worked on, so that no thread ever waits for work.
        ahead = 2 * engine.streams + 1
        yield from in_order(
            lambda some: answer(read(some)), pieces, ahead=ahead, threads=engine.streams
        )
    else:  # it uses all cores by itself, so the pictures are read ahead of it
        yield from map(answer, in_order(read, pieces, ahead=2 * cores() + 1))


def _pieces(rows: np.ndarray, batch: int, streams: int) -> Iterator[np.ndarray]:
    """The rows in pieces of `batch`; the last ones smaller, so that all streams end together."""
    share = batch * streams
    whole = len(rows) // share * share
    for start in range(0, whole, batch):
        yield rows[start : start + batch]
    yield from (piece for piece in np.array_split(rows[whole:], streams) if len(piece))
