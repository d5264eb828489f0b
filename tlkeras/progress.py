"""Progress of long work, told once and shown where the reader is.

A terminal or a notebook gets a bar, a log file gets a line every few seconds.
"""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, Self

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0


class Progress(Protocol):
    """Receives how far a named task has come."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Take `done` of `total` units of `task`; `note` holds its latest figures."""


def silent(task: str, done: int, total: int, note: str = "") -> None:
    """Show nothing.

    >>> silent("reading", 1, 10)
    """


def of(part: str, progress: Progress) -> Progress:
    """The same progress, its tasks named after the part of the data they work on.

    >>> told = []
    >>> of("test", lambda *step: told.append(step))("embedding", 1, 2)
    >>> told
    [('embedding, test', 1, 2, '')]
    """
    return lambda task, done, total, note="": progress(f"{task}, {part}", done, total, note)


class LogLines:
    """Writes progress as log lines: the first, the last, and one every few seconds."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Log where the task stands, if it is time to."""
        now = time.monotonic()
        if done < total and now - self._last.get(task, -1e9) < SECONDS_BETWEEN_LINES:
            return
        self._last[task] = now
        logger.info("%s: %d of %d%s", task, done, total, f"  {note}" if note else "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """Nothing is held open."""


class Bars:
    """Draws one bar a task with rich, in a terminal or a notebook."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[note]}"),
            console=Console(stderr=True),
        )
        self._ids: dict[str, object] = {}

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Draw the task's bar at `done` of `total`."""
        if task not in self._ids:
            self._ids[task] = self._bars.add_task(task, total=total, note=note)
        self._bars.update(self._ids[task], completed=done, total=total, note=note)  # type: ignore[arg-type]

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        self._bars.stop()


def shown() -> Bars | LogLines:
    """A context manager that shows progress the way the current output can.

    Bars in a terminal and in a notebook, log lines everywhere else.
    """
    return Bars() if sys.stderr.isatty() or _in_notebook() else LogLines()


@contextmanager
def showing(progress: Progress | None) -> Iterator[Progress]:
    """The caller's own progress; without one, what `shown` gives, for as long as the `with`.

    >>> with showing(silent) as show:
    ...     show("reading", 1, 10)
    """
    if progress is not None:
        yield progress
        return
    with shown() as bars:
        yield bars


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return type(shell).__name__ == "ZMQInteractiveShell"
