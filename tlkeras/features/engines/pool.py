"""Things that one thread at a time may use, and that are costly to make."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Empty, LifoQueue
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Lends up to `limit` things, made when first needed; a thread waits while all are out.

    >>> pool = Pool(list, limit=1)
    >>> with pool.borrowed() as mine:
    ...     mine.append(3)
    >>> with pool.borrowed() as again:
    ...     again
    [3]
    """

    def __init__(self, make: Callable[[], T], limit: int) -> None:
        self._make = make
        self._left = limit
        self._lock = Lock()
        self._idle: LifoQueue[T] = LifoQueue()  # the last one used is the one in the cache

    @contextmanager
    def borrowed(self) -> Iterator[T]:
        """One of them, for this thread alone until the block ends."""
        thing = self._take()
        try:
            yield thing
        finally:
            self._idle.put(thing)

    def _take(self) -> T:
        try:
            return self._idle.get_nowait()
        except Empty:
            pass
        with self._lock:
            fresh = self._left > 0
            self._left -= fresh
        if not fresh:
            return self._idle.get()
        try:
            return self._make()
        except BaseException:
            with self._lock:
                self._left += 1
            raise
