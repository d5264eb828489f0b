"""A data set as HTML for a notebook: a row a class, its numbers and a few of its pictures.

The colours are the notebook's own, so that light and dark ones both read well.
"""

import time
from base64 import b64encode
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from tlkeras.data.picture import Part, Picture, printable
from tlkeras.data.shown.thumbnail import thumbnail

MOST_CLASSES = 24
MOST_PICTURES = 48
MOST_A_CLASS = 4
SECONDS = 2.0
SIDE_PX = 56

_CELL = f"width:{SIDE_PX}px;height:{SIDE_PX}px;margin:2px 4px 2px 0;display:inline-block;"
_SEEN = _CELL + "object-fit:contain;vertical-align:middle;"
_UNSEEN = (
    _CELL + "box-sizing:border-box;vertical-align:middle;border:1px dashed;opacity:.5;"
    "font-size:10px;line-height:13px;padding-top:14px;text-align:center;white-space:normal;"
)
_NAME = "text-align:left;min-width:6em;max-width:16em;overflow-wrap:anywhere;white-space:normal;"
_PICTURES = f"text-align:left;white-space:normal;min-width:{2 * (SIDE_PX + 8)}px;"


def to_html(title: str, parts: Sequence[Part], set_aside: int, seconds: float = SECONDS) -> str:
    """A heading and a table of classes, with the sums in the last row.

    Pictures are of the first part. Reading them stops after `seconds`, at the end of the one
    that is being read; of many classes the first are shown and the others counted together.

    >>> from pathlib import Path
    >>> part = Part("train", (Picture(Path("a/1.png"), 0, "00"),), ("a", "b"))
    >>> to_html("flowers", [part], 0).split("<table>")[0]
    '<p><b>flowers</b> 1 picture, 2 classes, 0 set aside</p>'
    """
    names = parts[0].class_names
    counts = np.array([list(part.counts().values()) for part in parts]).reshape(len(parts), -1)
    seen = _seen(parts[0], seconds)
    rows = [
        _row(printable(name), counts[:, number], "".join(seen[number]))
        for number, name in enumerate(names[:MOST_CLASSES])
    ]
    left = len(names) - len(rows)
    if left:
        more = f"and {left:,} more class{'es' * (left != 1)}"
        rows.append(_row(more, counts[:, MOST_CLASSES:].sum(axis=1), ""))
    rows.append(_row("total", counts.sum(axis=1), "", "th"))
    head = "".join(f"<th>{part.name}</th>" for part in parts)
    total = int(counts.sum())
    told = f"{total:,} picture{'s' * (total != 1)}, {len(names):,} classes, {set_aside:,} set aside"
    return (
        f"<p><b>{escape(printable(title))}</b> {told}</p>"
        f'<table><tr><th style="{_NAME}">class</th>{head}'
        f'<th style="{_PICTURES}">some of {parts[0].name}</th></tr>{"".join(rows)}</table>'
    )


def _row(name: str, counts: np.ndarray, pictures: str, cell: str = "td") -> str:
    numbers = "".join(f"<{cell}>{count:,}</{cell}>" for count in counts.tolist())
    return (
        f'<tr><{cell} style="{_NAME}">{escape(name)}</{cell}>{numbers}'
        f'<{cell} style="{_PICTURES}">{pictures}</{cell}></tr>'
    )


def _seen(part: Part, seconds: float) -> list[list[str]]:
    """HTML of a few pictures of each of the first classes, one of every class before the next."""
    until = time.monotonic() + seconds
    shown = min(len(part.class_names), MOST_CLASSES)
    seen: list[list[str]] = [[] for _ in range(shown)]
    for number, picture in _chosen(part, shown):
        if time.monotonic() > until:
            break
        seen[number].append(_picture(picture))
    return seen


def _chosen(part: Part, classes: int) -> Iterator[tuple[int, Picture]]:
    """Class and picture, spread over the rows of the class: neighbours are often alike."""
    labels = part.labels
    each = min(MOST_A_CLASS, MOST_PICTURES // max(classes, 1))
    rows = [np.flatnonzero(labels == number) for number in range(classes)]
    for turn in range(each):
        for number, of_class in enumerate(rows):
            if turn < len(of_class):
                place = turn * len(of_class) // min(each, len(of_class))
                yield number, part.pictures[int(of_class[place])]


def _picture(picture: Picture) -> str:
    name = escape(picture.name)
    content = thumbnail(picture.source, SIDE_PX)
    if content is None:
        return f'<span style="{_UNSEEN}" title="{name}">not readable</span>'
    data = b64encode(content).decode("ascii")
    return f'<img style="{_SEEN}" alt="{name}" title="{name}" src="data:image/jpeg;base64,{data}">'
