"""Results as one HTML file that needs nothing else: no network, no scripts, light and dark.

headline ± interval → classes → confusion matrix → confused pairs → the most wrong pictures
"""

from base64 import b64encode
from collections.abc import Callable
from html import escape

from tlkeras.evaluation.heatmap import NUMBERED_CLASSES, to_svg
from tlkeras.evaluation.metrics import ClassScore
from tlkeras.evaluation.mistakes import Mistake
from tlkeras.evaluation.results import Results
from tlkeras.evaluation.style import CSS
from tlkeras.evaluation.wording import percent, plain, reliability_sentence, span

Thumbnails = Callable[[int], bytes | None]

MISTAKES = 24
MATRIX_CLASSES = 60

# No script, no font, no request: even a hostile file name could not call out.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def to_page(results: Results, thumbnails: Thumbnails | None = None) -> str:
    """A complete HTML document; `thumbnails` gives a row's picture file bytes, or None.

    >>> page = to_page(Results(("cat", "dog"), [0, 1], [[0.9, 0.1], [0.2, 0.8]]))
    >>> page.startswith("<!doctype html>"), "<script" in page
    (True, False)
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{_text(results.title)}</title>"
        "<style>html { background: #f6f7f9; } body { margin: 0; } "
        "@media (prefers-color-scheme: dark) { html { background: #10141a; } }</style></head>"
        f"<body>{to_fragment(results, thumbnails)}</body></html>\n"
    )


def to_fragment(results: Results, thumbnails: Thumbnails | None = None) -> str:
    """One `<div>` with its own style, for a notebook or for the page.

    >>> to_fragment(Results(("cat", "dog"), [0, 1], [[0.9, 0.1], [0.2, 0.8]]))[:17]
    '<div class="tlk">'
    """
    sections = [
        _headline(results),
        _classes(results),
        _matrix(results),
        _pairs(results),
        _mistakes(results, thumbnails),
    ]
    return (
        f'<div class="tlk"><style>{CSS}</style><h1>{_text(results.title)}</h1>'
        f"{''.join(sections)}</div>"
    )


def _text(text: str) -> str:
    return escape(plain(text))


def _headline(results: Results) -> str:
    name, share = results.baseline
    tiles = {
        "right answers": f"{results.correct} of {len(results)}",
        "balanced accuracy": percent(results.balanced_accuracy),
        "macro F1": percent(results.macro.f1),
        "mean confidence": percent(results.mean_confidence),
        "log loss": f"{results.log_loss:.3f}",
    }
    body = "".join(
        f'<div class="tile"><b>{value}</b><span>{label}</span></div>'
        for label, value in tiles.items()
    )
    return (
        '<section><div class="headline"><div>'
        f'<div class="big">{escape(percent(results.accuracy))}</div>'
        f'<div class="soft">accuracy on {len(results)} '
        f"{'picture' if len(results) == 1 else 'pictures'}</div></div>"
        f'<div class="range">{_range(results)}</div></div><div class="tiles">{body}</div>'
        f"<p>{escape(reliability_sentence(results))}</p>"
        f"<p>Always answering “{_text(name)}” would give {escape(percent(share))}.</p></section>"
    )


def _range(results: Results) -> str:
    """An axis from 0 to 100 % with the interval, the accuracy, and the majority baseline."""
    low, high = results.interval
    x0, width = 14, 472

    def at(share: float) -> float:
        return x0 + share * width

    anchor = "end" if results.accuracy > 0.5 else "start"
    edge = at(high) if anchor == "end" else at(low)
    ticks = "".join(
        f'<text class="soft" x="{at(t):.1f}" y="56" text-anchor="middle" '
        f'style="font-size:11px">{t * 100:.0f}</text>'
        for t in (0, 0.25, 0.5, 0.75, 1)
    )
    baseline = at(results.baseline[1])
    return (
        '<svg viewBox="0 0 500 62" role="img" aria-label="95 % interval">'
        f'<text x="{edge:.1f}" y="14" text-anchor="{anchor}">95 % interval '
        f"{escape(span(results.interval))}</text>"
        f'<rect x="{x0}" y="29" width="{width}" height="6" rx="3" style="fill:var(--track)"/>'
        f'<rect x="{at(low):.1f}" y="26" width="{max(at(high) - at(low), 3):.1f}" height="12" '
        'rx="6" style="fill:var(--right)" fill-opacity="0.4"/>'
        f'<line x1="{baseline:.1f}" x2="{baseline:.1f}" y1="23" y2="41" '
        'style="stroke:var(--soft)" stroke-width="2" stroke-dasharray="3 2">'
        "<title>always answering the commonest class</title></line>"
        f'<circle cx="{at(results.accuracy):.1f}" cy="32" r="7" style="fill:var(--right)"/>'
        f"{ticks}</svg>"
    )


def _classes(results: Results) -> str:
    rows = "".join(_class_row(score) for score in results.per_class)
    macro = results.macro
    empty = sum(score.support == 0 for score in results.per_class)
    note = (
        f"<p>{empty} {'class has' if empty == 1 else 'classes have'} no pictures here: nothing "
        "is known about how well such a class is found.</p>"
        if empty
        else ""
    )
    return (
        f"<section><h2>Classes</h2>{note}"
        '<div class="scroll"><table><thead><tr><th>class</th><th>pictures</th><th>precision</th>'
        f"<th>recall</th><th>F1</th></tr></thead><tbody>{rows}</tbody><tfoot><tr>"
        f"<td>mean over classes with pictures</td><td>{macro.support}</td>"
        f"<td>{_bar(macro.precision)}</td><td>{_bar(macro.recall)}</td><td>{_bar(macro.f1)}</td>"
        '</tr></tfoot></table></div><p class="soft" style="margin-top:12px">Precision: of the '
        "pictures answered as this class, the share that is. Recall: of the pictures of this "
        "class, the share that is found. F1: their harmonic mean.</p></section>"
    )


def _class_row(score: ClassScore) -> str:
    known = score.support > 0
    precision = _bar(score.precision)
    recall, f1 = (_bar(score.recall), _bar(score.f1)) if known else ("-", "-")
    return (
        f"<tr><td><bdi>{_text(score.name)}</bdi></td><td>{score.support}</td>"
        f"<td>{precision}</td><td>{recall}</td><td>{f1}</td></tr>"
    )


def _bar(share: float) -> str:
    fill = f'<span class="bar"><i style="width:{share * 100:.1f}%"></i></span>'
    return f"{escape(percent(share))}{fill}"


def _matrix(results: Results) -> str:
    classes = len(results.class_names)
    if classes > MATRIX_CLASSES:
        return ""
    how = "Numbers are pictures." if classes <= NUMBERED_CLASSES else "Point at a cell to read it."
    return (
        "<section><h2>Confusion matrix</h2><p>A row is a true class, a column an answer; "
        f"the colour is the share of the row, blue right and orange wrong. {how}</p>"
        f'<div class="scroll">{to_svg(results)}</div></section>'
    )


def _pairs(results: Results) -> str:
    classes = len(results.class_names)
    pairs = results.confused(10 if classes <= NUMBERED_CLASSES else 25)
    if not pairs or classes < 3:
        return ""
    rows = "".join(
        f"<tr><td><bdi>{_text(pair.truth)}</bdi></td>"
        f'<td class="text"><bdi>{_text(pair.predicted)}</bdi></td>'
        f"<td>{pair.count} of {pair.support}</td><td>{_bar(pair.count / pair.support)}</td></tr>"
        for pair in pairs
    )
    return (
        '<section><h2>Most confused</h2><div class="scroll"><table><thead><tr><th>true class</th>'
        '<th class="text">taken for</th><th>pictures</th><th>share of the class</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div></section>"
    )


def _mistakes(results: Results, thumbnails: Thumbnails | None) -> str:
    wrong = len(results) - results.correct
    if not wrong:
        return "<section><h2>Mistakes</h2><p>None on these pictures.</p></section>"
    worst = results.worst(MISTAKES)
    cards = "".join(_card(mistake, thumbnails) for mistake in worst)
    shown = f"the {len(worst)} it was surest of" if len(worst) < wrong else "the surest first"
    count = "1 wrong answer." if wrong == 1 else f"{wrong} wrong answers, {shown}."
    return (
        f"<section><h2>Mistakes</h2><p>{count} Look at the labels too: a confident mistake is "
        f'often a wrong label.</p><div class="cards">{cards}</div></section>'
    )


def _card(mistake: Mistake, thumbnails: Thumbnails | None) -> str:
    return (
        f"<figure>{_picture(mistake, thumbnails)}<figcaption>is "
        f"<b><bdi>{_text(mistake.truth)}</bdi></b> {_chance(mistake.probability_of_truth)}"
        f'<br>answered <b class="no"><bdi>{_text(mistake.predicted)}</bdi></b> '
        f"{_chance(mistake.probability)}"
        f'<span class="soft">{_text(mistake.name)}</span></figcaption></figure>'
    )


def _chance(share: float) -> str:
    return f'<span class="fixed">({escape(percent(share, digits=0))})</span>'


def _picture(mistake: Mistake, thumbnails: Thumbnails | None) -> str:
    if thumbnails is None:
        return ""
    content = thumbnails(mistake.index)
    kind = _media_type(content) if content else None
    if content is None or kind is None:
        return '<div class="none">no preview</div>'
    data = b64encode(content).decode("ascii")
    return f'<img alt="{_text(mistake.name)}" src="data:{kind};base64,{data}">'


def _media_type(content: bytes) -> str | None:
    """Media type by the first bytes, of the formats that every browser shows."""
    starts = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"GIF8": "image/gif"}
    for start, kind in starts.items():
        if content.startswith(start):
            return kind
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
