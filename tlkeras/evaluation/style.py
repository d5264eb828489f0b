"""The look of the report page, for light and dark screens; nothing is fetched from anywhere."""

_LIGHT = """
  --page: #f6f7f9; --card: #ffffff; --ink: #1a2230; --soft: #5a6677; --line: #dfe4ea;
  --right: #1f5fb8; --wrong: #c2410c; --on: #ffffff; --track: #e9edf2;
"""
_DARK = """
  --page: #10141a; --card: #181e27; --ink: #e7ecf3; --soft: #9aa7b8; --line: #2b3442;
  --right: #6aa5f5; --wrong: #f58a4b; --on: #0c1118; --track: #262f3c;
"""

CSS = (
    f".tlk {{ color-scheme: light; {_LIGHT} }}"
    f"@media (prefers-color-scheme: dark) {{ .tlk {{ color-scheme: dark; {_DARK} }} }}"
    # JupyterLab has a theme of its own, whatever the desktop prefers.
    f'[data-jp-theme-light="true"] .tlk {{ color-scheme: light; {_LIGHT} }}'
    f'[data-jp-theme-light="false"] .tlk {{ color-scheme: dark; {_DARK} }}'
    """
.tlk { background: var(--page); color: var(--ink); padding: 28px 20px 48px;
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.tlk > * { max-width: 1000px; margin-left: auto; margin-right: auto; }
.tlk h1 { font-size: 22px; margin: 0 auto 16px; overflow-wrap: anywhere; }
.tlk h2 { font-size: 16px; margin: 0 0 4px; }
.tlk p { margin: 0 0 14px; color: var(--soft); max-width: 75ch; }
.tlk section { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 20px 22px; margin-bottom: 18px; }
.tlk .scroll { overflow-x: auto; }
.tlk .headline { display: flex; flex-wrap: wrap; gap: 12px 40px; align-items: center; }
.tlk .big { font-size: 46px; line-height: 1.1; font-weight: 650; white-space: nowrap; }
.tlk .range { flex: 1 1 360px; min-width: 260px; }
.tlk .range svg { display: block; width: 100%; height: 62px; }
.tlk .tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr));
  gap: 10px; margin: 18px 0 14px; }
.tlk .tile { border: 1px solid var(--line); border-radius: 8px; padding: 8px 12px; }
.tlk .tile b { display: block; font-size: 19px; font-weight: 600; }
.tlk .tile span, .tlk .soft { color: var(--soft); font-size: 13px; }
.tlk p:last-child { margin-bottom: 0; }
.tlk table { border-collapse: collapse; width: 100%; font-size: 14px; color: var(--ink);
  font-variant-numeric: tabular-nums; }
.tlk thead th { color: var(--soft); font-weight: 500; }
.tlk th, .tlk td { padding: 5px 10px; text-align: right; border-bottom: 1px solid var(--line);
  background: none; white-space: nowrap; }
.tlk th:first-child, .tlk td:first-child { text-align: left; padding-left: 0; white-space: normal;
  overflow-wrap: anywhere; min-width: 120px; font-weight: 500; }
.tlk td.text { text-align: left; white-space: normal; overflow-wrap: anywhere;
  min-width: 110px; }
.tlk th.text { text-align: left; }
.tlk tfoot td { border-bottom: 0; color: var(--soft); }
.tlk .bar { display: inline-block; width: 84px; height: 7px; border-radius: 4px;
  background: var(--track); margin-left: 9px; vertical-align: middle; overflow: hidden; }
.tlk .bar i { display: block; height: 100%; background: var(--right); border-radius: 4px; }
.tlk svg text { fill: var(--ink); font: 12px system-ui, "DejaVu Sans", sans-serif; }
.tlk svg text.soft { fill: var(--soft); }
.tlk svg text.on { fill: var(--on); }
.tlk svg.matrix { display: block; margin: 0 auto; }
.tlk .cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(172px, 1fr));
  gap: 14px; }
.tlk figure { margin: 0; border: 1px solid var(--line); border-radius: 8px; overflow: hidden; }
.tlk figure img, .tlk figure .none { display: flex; width: 100%; height: 132px;
  object-fit: contain; background: var(--track); align-items: center; justify-content: center;
  color: var(--soft); font-size: 13px; }
.tlk figcaption { padding: 8px 10px 10px; font-size: 13px; overflow-wrap: anywhere; }
.tlk figcaption b { font-weight: 600; }
.tlk figcaption .no { color: var(--wrong); }
.tlk figcaption .soft { display: block; font-size: 12px; margin-top: 4px; }
.tlk .fixed { white-space: nowrap; }
@media print { .tlk section { break-inside: avoid; } }
"""
)
