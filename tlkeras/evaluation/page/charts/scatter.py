"""Pictures on a plane: colour by class, mistakes as crosses; small for any number of them.

Right answers are one path a class (some ten bytes a point), each cross says which picture it is.
"""

from collections.abc import Sequence
from html import escape

import numpy as np

from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import plain, shortened

WIDTH_PX, HEIGHT_PX = 880, 560
COLOURS = 10
NAMED_CLASSES = 30
MISTAKES_TOLD = 300
_MARGIN_PX = 26


def to_svg(results: Results, rows: np.ndarray, plane: np.ndarray) -> str:
    """One `<svg>` of some rows (m,) of the results at places (m, 2) in [0, 1].

    >>> results = Results(("cat", "dog"), [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    >>> svg = to_svg(results, np.arange(3), np.array([[0, 0], [1, 1], [0.5, 0]]))
    >>> svg.count('<path class="cross"'), svg.count("<path style")
    (1, 2)
    """
    places = np.empty((len(plane), 2), np.int64)
    places[:, 0] = _MARGIN_PX + plane[:, 0] * (WIDTH_PX - 2 * _MARGIN_PX)
    places[:, 1] = HEIGHT_PX - _MARGIN_PX - plane[:, 1] * (HEIGHT_PX - 2 * _MARGIN_PX)
    labels = results.labels[rows]
    wrong = results.predicted[rows] != labels
    radius = 3.6 if len(rows) <= 1500 else 2.2
    parts = [
        '<svg class="map" role="img" aria-label="Embedding map" '
        f'viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}">'
    ]
    coloured = len(results.class_names) <= NAMED_CLASSES
    for label, name in enumerate(results.class_names):
        of_class = labels == label
        parts += _path(places[of_class & ~wrong], _colour(label, coloured), radius, name)
    parts += _mistakes(results, rows, places, wrong, radius, coloured)
    if coloured:
        parts += _names(results.class_names, labels, places)
    return "".join([*parts, "</svg>"])


def _colour(label: int, coloured: bool) -> str:
    return f"var(--c{label % COLOURS})" if coloured else "var(--soft)"


def _path(places: np.ndarray, colour: str, radius: float, name: str) -> list[str]:
    """Points as strokes of no length with round ends: the shortest way to write a disc."""
    if not len(places):
        return []
    told = "".join(f"M{x} {y}h0" for x, y in places.tolist())
    return [
        f'<path style="stroke:{colour};stroke-width:{2 * radius};stroke-linecap:round;'
        f'stroke-opacity:.75" d="{told}"><title>{escape(plain(name))}</title></path>'
    ]


def _mistakes(
    results: Results,
    rows: np.ndarray,
    places: np.ndarray,
    wrong: np.ndarray,
    radius: float,
    coloured: bool,
) -> list[str]:
    parts = []
    for number, index in enumerate(np.flatnonzero(wrong).tolist()):
        row, (x, y) = int(rows[index]), places[index].tolist()
        title = f"<title>{_told(results, row)}</title>" if number < MISTAKES_TOLD else ""
        colour = _colour(int(results.labels[row]), coloured)
        half = round(radius + 1)
        cross = f"M{x - half} {y - half}l{2 * half} {2 * half}m0 {-2 * half}l{-2 * half} {2 * half}"
        parts.append(f'<path class="cross" style="stroke:{colour}" d="{cross}">{title}</path>')
    return parts


def _told(results: Results, row: int) -> str:
    truth = results.class_names[results.labels[row]]
    answer = results.class_names[results.predicted[row]]
    return escape(plain(f"{truth} answered as {answer}: {shortened(results.names[row], 80)}"))


def _names(class_names: Sequence[str], labels: np.ndarray, places: np.ndarray) -> list[str]:
    """Each class's name at the middle of its points, moved apart where two would overlap."""
    taken: list[tuple[float, float, float]] = []
    parts = []
    for label, name in enumerate(class_names):
        own = places[labels == label]
        if not len(own):
            continue
        short = shortened(name, 22)
        half = 3.6 * len(short)
        x = float(np.clip(np.median(own[:, 0]), half + 4, WIDTH_PX - half - 4))
        y = float(np.median(own[:, 1]))
        while any(abs(y - b) < 15 and abs(x - a) < half + w for a, b, w in taken):
            y += 15
        y = min(y, HEIGHT_PX - 4.0)
        taken.append((x, y, half))
        parts.append(
            f'<text class="name" x="{x:.0f}" y="{y:.0f}" text-anchor="middle">'
            f"<title>{escape(plain(name))}</title>{escape(short)}</text>"
        )
    return parts
