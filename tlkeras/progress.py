"""Progress of long work, told once and shown where the reader is.

A terminal gets bars, a notebook one table with curves, a log file a line every few seconds.
"""

import logging
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from importlib import import_module
from types import TracebackType
from typing import Any, Protocol, Self

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 5.0
SECONDS_BETWEEN_DRAWINGS = 0.25
SECONDS_UNTIL_DRAWN = 1.0
MOST_ROWS = 8
WIDTH_PX, HEIGHT_PX = 180, 44
_FIGURE = re.compile(r"([a-z][a-z_ ]*?) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)(?![\w.])")


class Progress(Protocol):
    """Receives how far a named task has come."""

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Take `done` of `total` units of `task`.

        `note` holds its latest figures, each a name and a number: "loss 0.412 val 0.871".
        """


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
    """Draws one bar a task with rich, in a terminal."""

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


@dataclass
class _Task:
    """Where a task stands, and what its figures were."""

    done: int = 0
    total: int = 0
    note: str = ""
    curves: dict[str, list[float]] = field(default_factory=dict)

    def take(self, done: int, total: int, note: str) -> None:
        self.done, self.total, self.note = done, total, note
        for name, value in _FIGURE.findall(note) if "stopped early" not in note else ():
            self.curves.setdefault(name.strip(), []).append(float(value))


class NotebookTable:
    """Keeps one output of a notebook cell: a row a task, and a curve for each of its figures.

    The output is drawn again a few times a second at most, and never for work that is over at
    once. Without HTML it is plain text, the curves a line of blocks each. When the work is over,
    the table folds away and the curves stay.
    """

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._began = time.monotonic()
        self._next = self._began + SECONDS_UNTIL_DRAWN
        self._output: Any = None

    def __call__(self, task: str, done: int, total: int, note: str = "") -> None:
        """Take where the task stands, and draw it if it is time to."""
        self._tasks.setdefault(task, _Task()).take(done, total, note)
        now = time.monotonic()
        if now >= self._next:
            self._next = now + SECONDS_BETWEEN_DRAWINGS
            self._draw(over=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        """What broke off stays as it stood."""
        if self._output is not None or any(map(_curves, self._tasks.values())):
            self._draw(over=error is None)

    def shown(self, over: bool) -> dict[str, str]:
        """What the output holds: text and HTML by their MIME types.

        >>> table = NotebookTable()
        >>> table._tasks["fine-tuning"] = task = _Task()
        >>> task.take(1, 20, "loss 1.5"), task.take(2, 20, "loss 0.5")
        (None, None)
        >>> print(table.shown(over=False)["text/plain"])
        fine-tuning: 2 of 20  loss 0.5
          loss  1.5 → 0.5  █▁
        """
        steps = f"{len(self._tasks)} step{'s' * (len(self._tasks) != 1)}"
        head = f"{steps} in {time.monotonic() - self._began:.1f} s" if over else ""
        rows = list(self._tasks.items())
        left_out = len(rows) - MOST_ROWS if not over else 0
        rows = rows[max(0, left_out) :]
        drawn = [(name, task) for name, task in rows if _curves(task)]
        lines = [head] if over else [f"{name}: {_text(task)}" for name, task in rows]
        lines += [line for _, task in drawn for line in _blocks(task)]
        cells = "".join(_row(name, task) for name, task in rows)
        more = f"<tr><td>{left_out} steps before</td></tr>" if left_out > 0 else ""
        table = f"<table>{more}{cells}</table>"
        if over:
            table = f"<details><summary>{head}</summary>{table}</details>"
        return {
            "text/plain": "\n".join(lines),
            "text/html": table + "".join(_drawing(name, task) for name, task in drawn),
        }

    def _draw(self, over: bool) -> None:
        content = self.shown(over)
        if self._output is None:
            display = import_module("IPython.display").display
            self._output = display(content, raw=True, display_id=True)
        else:
            self._output.update(content, raw=True)


def shown() -> NotebookTable | Bars | LogLines:
    """A context manager that shows progress the way the current output can.

    A table in a notebook, bars in a terminal, log lines everywhere else.
    """
    if _in_notebook():
        return NotebookTable()
    return Bars() if sys.stderr.isatty() else LogLines()


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


def _text(task: _Task) -> str:
    return f"{task.done:,} of {task.total:,}  {task.note}".rstrip()


def _row(name: str, task: _Task) -> str:
    return (
        f'<tr><td style="text-align:left">{escape(name)}</td>'
        f'<td><progress value="{task.done}" max="{task.total or 1}"></progress></td>'
        f'<td style="text-align:left">{escape(_text(task))}</td></tr>'
    )


def _curves(task: _Task) -> dict[str, list[float]]:
    """Figures that have come more than once."""
    return {name: values for name, values in task.curves.items() if len(values) > 1}


def _heights(values: list[float]) -> list[float]:
    """Each value's place between the lowest, 0, and the highest, 1."""
    low, high = min(values), max(values)
    return [(value - low) / (high - low) if high > low else 0.5 for value in values]


def _blocks(task: _Task) -> list[str]:
    return [
        f"  {name}  {values[0]:g} → {values[-1]:g}  "
        + "".join("▁▂▃▄▅▆▇█"[round(7 * height)] for height in _heights(values))
        for name, values in _curves(task).items()
    ]


def _drawing(task_name: str, task: _Task) -> str:
    """The curves of a task side by side, as SVG with a caption each."""
    found = []
    for name, values in _curves(task).items():
        step, inner = (WIDTH_PX - 8) / (len(values) - 1), HEIGHT_PX - 8
        points = " ".join(
            f"{4 + step * place:.1f},{4 + inner * (1 - height):.1f}"
            for place, height in enumerate(_heights(values))
        )
        caption = f"{task_name}: {name} {values[0]:g} → {values[-1]:g}"
        found.append(
            '<div style="display:inline-block;margin:6px 18px 0 0;font-size:12px">'
            f'{escape(caption)}<br><svg width="{WIDTH_PX}" height="{HEIGHT_PX}" role="img">'
            f'<polyline points="{points}" fill="none" stroke="#1f5fb8" stroke-width="2"/>'
            "</svg></div>"
        )
    return "".join(found)
