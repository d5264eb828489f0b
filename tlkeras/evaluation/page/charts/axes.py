"""A small chart's frame: axes with round ticks, and from values to places in the drawing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH_PX, HEIGHT_PX = 440, 270
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 22, 30, 46


@dataclass(frozen=True)
class Axes:
    """A frame in which x and y run from their lower to their upper limits.

    >>> axes = Axes("Loss", (0, 10), (0, 1))
    >>> axes.place(0, 0), axes.place(10, 1)
    ((66.0, 224.0), (418.0, 30.0))
    """

    title: str
    x: tuple[float, float]
    y: tuple[float, float]
    x_title: str = ""
    y_title: str = ""
    x_word: Callable[[float], str] = "{:g}".format
    y_word: Callable[[float], str] = "{:g}".format

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Pixels from the left and from the top."""
        wide = WIDTH_PX - _LEFT - _RIGHT
        high = HEIGHT_PX - _TOP - _BOTTOM
        across = (x - self.x[0]) / ((self.x[1] - self.x[0]) or 1)
        up = (y - self.y[0]) / ((self.y[1] - self.y[0]) or 1)
        return round(_LEFT + across * wide, 1), round(_TOP + (1 - up) * high, 1)

    def draw(self, inside: Sequence[str], x_ticks: Sequence[float] | None = None) -> str:
        """One `<svg>` with the axes around what is `inside`."""
        xs = ticks(*self.x) if x_ticks is None else x_ticks
        left, bottom = self.place(self.x[0], self.y[0])
        right, top = self.place(self.x[1], self.y[1])
        parts = [
            f'<svg class="chart" role="img" aria-label="{escape(self.title)}" '
            f'viewBox="0 0 {WIDTH_PX} {HEIGHT_PX}">',
            f'<text x="{left}" y="16" style="font-weight:600">{escape(self.title)}</text>',
        ]
        for value in ticks(*self.y):
            y = self.place(0, value)[1]
            parts.append(
                f'<line x1="{left}" x2="{right}" y1="{y}" y2="{y}" style="stroke:var(--line)"/>'
                f'<text class="soft" x="{left - 7}" y="{y + 4}" text-anchor="end">'
                f"{escape(self.y_word(value))}</text>"
            )
        for value in xs:
            x = self.place(value, 0)[0]
            parts.append(
                f'<line x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}" '
                'style="stroke:var(--soft)"/>'
                f'<text class="soft" x="{x}" y="{bottom + 18}" text-anchor="middle">'
                f"{escape(self.x_word(value))}</text>"
            )
        parts.append(
            f'<line x1="{left}" x2="{right}" y1="{bottom}" y2="{bottom}" '
            'style="stroke:var(--soft)"/>'
            f'<text class="soft" x="{(left + right) / 2}" y="{HEIGHT_PX - 8}" '
            f'text-anchor="middle">{escape(self.x_title)}</text>'
            f'<text class="soft" text-anchor="middle" transform="translate(12 '
            f'{(top + bottom) / 2}) rotate(-90)">{escape(self.y_title)}</text>'
        )
        return "".join([*parts, *inside, "</svg>"])


def ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers from low to high, at most `most` of them.

    >>> ticks(0, 1), ticks(3, 47)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [10.0, 20.0, 30.0, 40.0])
    """
    if not high > low:
        return [low]
    rough = (high - low) / (most - 1)
    power = 10.0 ** floor(log10(rough))
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= rough * (1 - 1e-9))
    first, last = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return [round(number * step, 12) for number in range(first, last + 1)]
