"""Results as one HTML file that needs nothing else: no network, no scripts, light and dark.

headline ± interval → classes → confusion matrix → confused pairs → the highest losses
→ what is known beside the answers: pictures, training, calibration, map, export, cost …
"""

from tlkeras.evaluation.page import answers, known
from tlkeras.evaluation.page.markup import text
from tlkeras.evaluation.page.mistakes import SHOWN, Thumbnails, top_losses
from tlkeras.evaluation.page.story import Story
from tlkeras.evaluation.page.style import CSS
from tlkeras.evaluation.results import Results

# No script, no font, no request: even a hostile file name could not call out.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def to_page(results: Results, thumbnails: Thumbnails | None = None) -> str:
    """A complete HTML document; `thumbnails` gives a row's picture file bytes, or None.

    >>> page = to_page(Results(("cat", "dog"), [0, 1], [[0.9, 0.1], [0.2, 0.8]]))
    >>> page.startswith("<!doctype html>"), "<script" in page
    (True, False)
    """
    shown = [one.index for one in results.top_losses(SHOWN)]
    story = results.story(shown) if results.story else Story()
    sections = [
        *_from_answers(results),
        top_losses(results, thumbnails, story.overlays),
        known.calibration(results, story),
        known.embedding_map(results, story),
        known.training(story),
        known.findings(story),
        known.export(story),
        known.made(story),
        known.cost(story),
        known.recipe(story),
        known.versions(story),
        known.unknown(story),
    ]
    return document(results.title, "".join(sections))


def to_fragment(results: Results) -> str:
    """One `<div>` with its own style for a notebook: what follows from the answers alone.

    >>> to_fragment(Results(("cat", "dog"), [0, 1], [[0.9, 0.1], [0.2, 0.8]]))[:17]
    '<div class="tlk">'
    """
    sections = [*_from_answers(results), top_losses(results, None, {})]
    return _styled(results.title, "".join(sections))


def document(title: str, body: str) -> str:
    """A complete HTML document around sections that are safe HTML already.

    >>> document("<Flowers>", "<section></section>").count("&lt;Flowers&gt;")
    2
    """
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)}</title>"
        "<style>html { background: #f6f7f9; } body { margin: 0; } "
        "@media (prefers-color-scheme: dark) { html { background: #10141a; } }</style></head>"
        f"<body>{_styled(title, body)}</body></html>\n"
    )


def _from_answers(results: Results) -> list[str]:
    return [
        answers.headline(results),
        answers.classes(results),
        answers.matrix(results),
        answers.pairs(results),
    ]


def _styled(title: str, body: str) -> str:
    return f'<div class="tlk"><style>{CSS}</style><h1>{text(title)}</h1>{body}</div>'
