"""How many cores there are for this process, and work that several threads do in order.

A leaf: every room may import it.
"""

import math
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def cores() -> int:
    """How many cores this process may use: by its affinity, and by its container's quota.

    >>> cores() >= 1
    True
    """
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    return max(1, min(allowed, _quota()))


def in_order(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    ahead: int,
    threads: int | None = None,
) -> Iterator[Result]:
    """`function` of each item, computed by threads at most `ahead` items early, in order.

    >>> list(in_order(abs, [-3, 2, -1], ahead=2))
    [3, 2, 1]
    """
    pool = ThreadPoolExecutor(threads or cores(), thread_name_prefix="tlkeras")
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


def _quota() -> int:
    """Cores that the container's quota amounts to, rounded up."""
    try:
        share, period = _QUOTA.read_text().split()
        return math.ceil(int(share) / int(period))
    except (OSError, ValueError, ZeroDivisionError):  # no container, or "max"
        return 1 << 16
