"""A confusion matrix as one inline SVG: a row is a true class, the colour its share of the row.

Blue is right, orange is wrong; the wrong cells are drawn stronger than their share, since one
mistake in twenty is what one looks for.
"""

from html import escape

import numpy as np

from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import percent, plain, shortened

NUMBERED_CLASSES = 30
WIDTH_PX = 940
_CHARACTER_PX = 6.9


def to_svg(results: Results) -> str:
    """One `<svg>` element whose colours follow the page's light or dark style.

    >>> svg = to_svg(Results(("cat", "dog"), [0, 1], [[0.9, 0.1], [0.2, 0.8]]))
    >>> svg[:19], svg.count("<rect")
    ('<svg class="matrix"', 4)
    """
    classes = len(results.class_names)
    labels = [shortened(name, 24) for name in results.class_names]
    font_px = 12 if classes <= NUMBERED_CLASSES else 10
    margin = max(len(label) for label in labels) * _CHARACTER_PX * font_px / 12 + 12
    left, slant = margin + 22, margin * 0.72
    cell = min(58.0, max(11.0, (WIDTH_PX - left - slant) / classes))
    # Names that do not fit above their column are turned by 45 degrees.
    turned = margin > cell + 8
    top, right = (slant + 26, slant + 8) if turned else (44, 8)
    width, height = left + cell * classes + right, top + cell * classes + 6
    parts = [
        f'<svg class="matrix" role="img" aria-label="Confusion matrix" width="{width:.0f}" '
        f'height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f'<text class="soft" x="{left + cell * classes / 2:.1f}" y="13" text-anchor="middle">'
        "answer</text>",
        f'<text class="soft" text-anchor="middle" transform="translate(12 '
        f'{top + cell * classes / 2:.1f}) rotate(-90)">true class</text>',
    ]
    for index, (label, name) in enumerate(zip(labels, results.class_names, strict=True)):
        middle = (index + 0.5) * cell
        row = f'x="{left - 8:.1f}" y="{top + middle + font_px / 3:.1f}" text-anchor="end"'
        column = (
            f'transform="translate({left + middle + 3:.1f} {top - 7:.1f}) rotate(-45)"'
            if turned
            else f'x="{left + middle:.1f}" y="{top - 8:.1f}" text-anchor="middle"'
        )
        parts += [_name(row, label, name, font_px), _name(column, label, name, font_px)]
    parts += _cells(results, left, top, cell)
    return "".join([*parts, "</svg>"])


def strength(share: float | np.ndarray, right: bool) -> float | np.ndarray:
    """Opacity in [0, 1] for a share in (0, 1]; small shares of wrong answers stay visible.

    >>> round(strength(0.05, right=False), 2), round(strength(1.0, right=True), 2)
    (0.27, 0.95)
    """
    return 0.1 + 0.85 * share if right else 0.18 + 0.77 * share**0.7


def _name(place: str, label: str, name: str, font_px: int) -> str:
    title = f"<title>{escape(plain(name))}</title>" if label != name else ""
    return f'<text {place} style="font-size:{font_px}px">{title}{escape(label)}</text>'


def _cells(results: Results, left: float, top: float, cell: float) -> list[str]:
    confusion = results.confusion
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    numbered = len(confusion) <= NUMBERED_CLASSES
    digits = len(str(int(confusion.max())))
    font_px = min(14.0, cell * 0.5, cell * 1.4 / digits)
    parts = []
    for row, column in np.ndindex(*confusion.shape):
        count, share = int(confusion[row, column]), float(shares[row, column])
        x, y = left + column * cell, top + row * cell
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell - 1:.1f}" height="{cell - 1:.1f}" '
            f'rx="2" {_paint(share, row == column)}>'
            f"<title>{_tip(results, row, column, share)}</title></rect>"
        )
        if numbered and count:
            tone = ' class="on"' if strength(share, row == column) > 0.7 else ""
            parts.append(
                f'<text{tone} x="{x + cell / 2 - 0.5:.1f}" y="{y + cell / 2 + font_px * 0.35:.1f}" '
                f'text-anchor="middle" pointer-events="none" style="font-size:{font_px:.1f}px">'
                f"{count}</text>"
            )
    return parts


def _paint(share: float, right: bool) -> str:
    if not share:
        return 'style="fill:var(--track)" fill-opacity="0.55"'
    colour = "--right" if right else "--wrong"
    return f'style="fill:var({colour})" fill-opacity="{strength(share, right):.2f}"'


def _tip(results: Results, row: int, column: int, share: float) -> str:
    count, support = results.confusion[row, column], results.per_class[row].support
    truth, answer = results.class_names[row], results.class_names[column]
    text = f"{truth} answered as {answer}: {count} of {support}"
    return escape(plain(text + (f" ({percent(share)})" if support else "")))
