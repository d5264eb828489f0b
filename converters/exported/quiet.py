"""Another package's log, kept to warnings while it works for us."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet(name: str, level: int = logging.WARNING) -> Iterator[None]:
    """Inside the block the logger of this name lets nothing below `level` through.

    TensorFlow tells of every folder that it writes, by the name that it has until it is complete;
    PyTorch of what it guesses on the way.

    >>> with quiet("some.package"):
    ...     logging.getLogger("some.package").isEnabledFor(logging.INFO)
    False
    """
    logger = logging.getLogger(name)
    before = logger.level
    logger.setLevel(max(level, before))
    try:
        yield
    finally:
        logger.setLevel(before)
