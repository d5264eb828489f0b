"""An import report as HTML that needs nothing else: no script, no font, no request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from converters.report.text import facts, headline, verdict

if TYPE_CHECKING:
    from converters.parity.result import Parity
    from converters.report.facts import ImportReport

# Even a hostile layer name could not call out.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_LIGHT = "--page:#f6f7f9;--card:#fff;--ink:#1a2230;--soft:#5a6677;--line:#dfe4ea;"
_DARK = "--page:#10141a;--card:#181e27;--ink:#e7ecf3;--soft:#9aa7b8;--line:#2b3442;"
_CSS = (
    f"""
.cvt {{ color-scheme:light; {_LIGHT} --good:#1f5fb8; --bad:#c2410c; }}
@media (prefers-color-scheme:dark) {{
  .cvt {{ color-scheme:dark; {_DARK} --good:#6aa5f5; --bad:#f58a4b; }} }}
[data-jp-theme-light="true"] .cvt {{ color-scheme:light; {_LIGHT} --good:#1f5fb8; --bad:#c2410c; }}
[data-jp-theme-light="false"] .cvt {{ color-scheme:dark; {_DARK} --good:#6aa5f5; --bad:#f58a4b; }}
"""
    + """
.cvt { background:var(--page); color:var(--ink); padding:24px 20px;
  font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif; }
.cvt > * { max-width:1000px; margin-left:auto; margin-right:auto; }
.cvt h1 { font-size:20px; margin:0 auto 14px; overflow-wrap:anywhere; }
.cvt h2 { font-size:16px; margin:0 0 6px; }
.cvt section, .cvt details { background:var(--card); border:1px solid var(--line);
  border-radius:10px; padding:16px 20px; margin-bottom:16px; overflow-x:auto; }
.cvt summary { cursor:pointer; font-weight:600; }
.cvt table { border-collapse:collapse; width:100%; font-size:14px; color:var(--ink);
  font-variant-numeric:tabular-nums; table-layout:auto; }
.cvt.cvt th, .cvt.cvt td { padding:4px 10px 4px 0; text-align:left; vertical-align:top;
  border-bottom:1px solid var(--line); background:none; overflow-wrap:break-word; }
.cvt th { color:var(--soft); font-weight:500; }
.cvt .figures td + td { white-space:nowrap; }
.cvt .good { color:var(--good); } .cvt .bad { color:var(--bad); font-weight:600; }
.cvt ul { margin:0; padding-left:20px; }
"""
)
_ROWS = 2000


def to_page(report: ImportReport) -> str:
    """A complete HTML document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(headline(report))}</title>"
        f"<style>body{{margin:0}}</style></head><body>{to_fragment(report)}</body></html>\n"
    )


def to_fragment(report: ImportReport) -> str:
    """One `<div>` with its own style, for a notebook or for the page."""
    colour = "good" if report.passed else "bad"
    known = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in facts(report)
    )
    parts = [
        f'<h1 class="{colour}">{escape(headline(report))}</h1>',
        f"<section><table>{known}</table></section>",
        _parity(report.parity) if report.parity else "",
        _list("No gradient reaches", report.without_gradient or ()),
        _list("Notes", report.warnings),
        _folded(
            f"{len(report.layers)} layers and what they were",
            ("layer", "operator", "node", "weights"),
            ((r.layer, r.op, r.node, ", ".join(r.weights)) for r in report.layers),
        ),
        _folded(
            f"{len(report.weights)} weights and where they went",
            ("source", "shape", "variable", "how"),
            ((w.source, _shape(w.shape), w.variable, _how(w.steps)) for w in report.weights),
        ),
    ]
    return f'<div class="cvt"><style>{_CSS}</style>{"".join(parts)}</div>'


def parity_fragment(parity: Parity) -> str:
    """One `<div>` with its own style: what was compared, how far it is apart, and the table."""
    colour = "good" if parity.passed else "bad"
    head = f"{'Agrees with' if parity.passed else 'DIFFERS from'} {parity.reference}"
    told = (
        f"max abs {parity.max_abs:.2g}, max rel {parity.max_rel:.2g} "
        f"(tolerance {parity.tolerance:g})"
    )
    return (
        f'<div class="cvt"><style>{_CSS}</style><h1 class="{colour}">{escape(head)}</h1>'
        f"<p>{escape(told)}</p>{_parity(parity)}</div>"
    )


def _parity(parity: Parity) -> str:
    rows = "".join(
        f"<tr><td>{escape(o.name)}</td><td>{_shape(o.shape)}</td><td>{o.max_abs:.2g}</td>"
        f"<td>{o.max_rel:.2g}</td><td>sample {o.worst_input}</td>"
        f'<td class="{"good" if o.passed else "bad"}">{verdict(o.passed, o.varies)}</td></tr>'
        for o in parity.outputs
    )
    first = parity.first_divergence
    note = f'<p class="bad">First divergence: {escape(str(first))}</p>' if first else ""
    return (
        '<section><h2>Agreement</h2><table class="figures"><tr><th>output</th><th>shape</th>'
        "<th>max abs</th><th>max rel</th><th>worst</th><th></th></tr>"
        f"{rows}</table>{note}</section>"
    )


def _list(title: str, items: Sequence[str]) -> str:
    if not items:
        return ""
    rows = "".join(f"<li>{escape(item)}</li>" for item in items[:_ROWS])
    return f"<section><h2>{escape(title)}</h2><ul>{rows}</ul></section>"


def _folded(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    found = list(rows)
    if not found:
        return ""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in found[:_ROWS]
    )
    more = f"<p>The first {_ROWS} are shown.</p>" if len(found) > _ROWS else ""
    return (
        f"<details><summary>{escape(title)}</summary><table><tr>{head}</tr>{body}</table>{more}"
        "</details>"
    )


def _shape(shape: Sequence[int]) -> str:
    return " x ".join(map(str, shape)) or "scalar"


def _how(steps: Sequence[tuple[str, tuple[int, ...]]]) -> str:
    return ", ".join(f"{name} {list(numbers)}" for name, numbers in steps) or "as it is"
