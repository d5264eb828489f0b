"""The pictures with the highest losses, each beside what spoke for its answer."""

from collections.abc import Callable, Mapping
from html import escape

from tlkeras.evaluation.mistakes import Mistake
from tlkeras.evaluation.page.markup import counted, picture, section, text
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.wording import percent

Thumbnails = Callable[[int], bytes | None]

SHOWN = 24


def top_losses(
    results: Results, thumbnails: Thumbnails | None, overlays: Mapping[int, bytes]
) -> str:
    """Cards of the pictures whose true class got the least.

    `thumbnails` gives a row's encoded picture, `overlays` has the same with its explanation.
    """
    wrong = len(results) - results.correct
    shown = results.top_losses(SHOWN)
    cards = "".join(_card(one, thumbnails, overlays.get(one.index)) for one in shown)
    told = f"{counted(wrong, 'wrong answer')} in all. " if wrong else "No wrong answer. "
    told += (
        f"Here {'is the picture' if len(shown) == 1 else f'are the {len(shown)} pictures'} whose "
        "true class got the lowest probability. Look at the labels too: a confident mistake is "
        "often a wrong label."
    )
    if overlays:
        told += (
            " Beside each picture: where Grad-CAM finds what spoke for the answer, the "
            "brighter the more."
        )
    wide = " pairs" if overlays else ""
    return section("Top losses", f'<div class="cards{wide}">{cards}</div>', told)


def _card(one: Mistake, thumbnails: Thumbnails | None, overlay: bytes | None) -> str:
    seen = "" if thumbnails is None else picture(thumbnails(one.index), one.name)
    if overlay is not None:
        seen = f'<div class="pair">{seen}{picture(overlay, f"Grad-CAM of {one.name}")}</div>'
    wrong = one.predicted != one.truth
    kind = ' class="no"' if wrong else ""
    return (
        f"<figure>{seen}<figcaption>is <b><bdi>{text(one.truth)}</bdi></b> "
        f"{_chance(one.probability_of_truth)}<br>answered <b{kind}><bdi>{text(one.predicted)}"
        f"</bdi></b> {_chance(one.probability) if wrong else ''}"
        f'<span class="soft">{text(one.name)}</span></figcaption></figure>'
    )


def _chance(share: float) -> str:
    return f'<span class="fixed">({escape(percent(share, digits=0))})</span>'
