"""What a piece of work costs on this machine: seconds, and memory of this process."""

import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def measured(into: dict[str, float]) -> Iterator[None]:
    """Fill `into` with `seconds`, and where the system tells it `peak_mb` and `peak_before_mb`.

    The peak is that of the whole process since it began, so work that took less memory than the
    process had taken before leaves both alike.

    >>> cost = {}
    >>> with measured(cost):
    ...     pass
    >>> cost["seconds"] >= 0
    True
    """
    started, before = time.perf_counter(), peak_mb()
    yield
    into["seconds"] = time.perf_counter() - started
    after = peak_mb()
    if before is not None and after is not None:
        into["peak_mb"], into["peak_before_mb"] = after, before


def peak_mb() -> float | None:
    """The most memory that this process has held, in millions of bytes; None if nobody tells."""
    try:
        told = Path("/proc/self/status").read_text(encoding="utf-8")
    except OSError:
        return _peak_by_getrusage()
    # Not getrusage: on Linux that begins with the peak of the process this one was cloned from.
    found = re.search(r"VmHWM:\s+(\d+) kB", told)
    return int(found[1]) * 1024 / 1e6 if found else None


def _peak_by_getrusage() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
