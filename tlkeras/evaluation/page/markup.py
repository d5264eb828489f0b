"""The smallest pieces of the page: safe text, a section, a table, a bar, a picture in the file."""

from base64 import b64encode
from collections.abc import Mapping
from html import escape

from tlkeras.evaluation.wording import percent, plain

_STARTS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n": "image/png", b"GIF8": "image/gif"}


def text(words: str) -> str:
    """Foreign words as HTML that shows them as they are.

    >>> text("<b>\\x1b")
    '&lt;b&gt;\\\\x1b'
    """
    return escape(plain(words))


def section(title: str, body: str, words: str = "") -> str:
    """A card with a heading; `words` is the text below it, `body` HTML.

    >>> section("Cost", "<p>1 s</p>")
    '<section><h2>Cost</h2><p>1 s</p></section>'
    """
    told = f"<p>{text(words)}</p>" if words else ""
    return f"<section><h2>{text(title)}</h2>{told}{body}</section>"


def facts(rows: Mapping[str, object]) -> str:
    """A table of two columns, names and values, both of them foreign text.

    >>> facts({"seed": 0})
    '<div class="scroll"><table class="facts"><tr><td>seed</td><td>0</td></tr></table></div>'
    """
    cells = "".join(
        f"<tr><td>{text(name)}</td><td>{text(str(value))}</td></tr>" for name, value in rows.items()
    )
    return f'<div class="scroll"><table class="facts">{cells}</table></div>'


def bar(share: float) -> str:
    """A share in [0, 1] as percentage and bar."""
    fill = f'<span class="bar"><i style="width:{share * 100:.1f}%"></i></span>'
    return f"{escape(percent(share))}{fill}"


def counted(count: int, noun: str) -> str:
    """The number with its noun.

    >>> counted(1, "picture"), counted(1200, "picture")
    ('1 picture', '1,200 pictures')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def picture(content: bytes | None, name: str) -> str:
    """An encoded picture inside the page, or a grey field where there is none.

    >>> picture(b"no picture", "a.jpg")
    '<div class="none">no preview</div>'
    """
    kind = _media_type(content) if content else None
    if content is None or kind is None:
        return '<div class="none">no preview</div>'
    data = b64encode(content).decode("ascii")
    return f'<img alt="{text(name)}" src="data:{kind};base64,{data}">'


def _media_type(content: bytes) -> str | None:
    """Media type by the first bytes, of the formats that every browser shows."""
    for start, kind in _STARTS.items():
        if content.startswith(start):
            return kind
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
