"""The look of the report page, for light and dark screens; nothing is fetched from anywhere."""

_LIGHT = """
  --page: #f6f7f9; --card: #ffffff; --ink: #1a2230; --soft: #5a6677; --line: #dfe4ea;
  --right: #1f5fb8; --wrong: #c2410c; --on: #ffffff; --track: #e9edf2;
  --c0: #1f5fb8; --c1: #c2410c; --c2: #0f766e; --c3: #8b5cf6; --c4: #a16207;
  --c5: #475569; --c6: #be185d; --c7: #4d7c0f; --c8: #0891b2; --c9: #111827;
"""
_DARK = """
  --page: #10141a; --card: #181e27; --ink: #e7ecf3; --soft: #9aa7b8; --line: #2b3442;
  --right: #6aa5f5; --wrong: #f58a4b; --on: #0c1118; --track: #262f3c;
  --c0: #6aa5f5; --c1: #f58a4b; --c2: #2dd4bf; --c3: #b79cfb; --c4: #facc15;
  --c5: #94a3b8; --c6: #f472b6; --c7: #a3e635; --c8: #22d3ee; --c9: #f1f5f9;
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
  font-variant-numeric: tabular-nums; table-layout: auto; }
.tlk thead th { color: var(--soft); font-weight: 500; white-space: normal; }
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
.tlk h3 { font-size: 14px; margin: 14px 0 6px; }
.tlk .charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(280px, 1fr));
  gap: 14px 20px; }
.tlk svg.chart { display: block; width: 100%; max-width: 560px; height: auto; }
.tlk svg.map { display: block; width: 100%; min-width: 560px; height: auto; }
.tlk svg path.cross { fill: none; stroke-width: 2.4px; stroke-linecap: round; }
.tlk svg text.name { font-weight: 600; paint-order: stroke; stroke: var(--card);
  stroke-width: 4px; stroke-linejoin: round; }
.tlk .cards.pairs { grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); }
.tlk .pair { display: grid; grid-template-columns: 1fr 1fr; gap: 2px; }
.tlk table.facts td { text-align: left; white-space: normal; overflow-wrap: anywhere; }
.tlk table.facts td:first-child { color: var(--soft); white-space: nowrap; min-width: 130px;
  width: 1%; font-weight: 400; }
.tlk table.facts tr:last-child td { border-bottom: 0; }
.tlk .knobs { display: grid; grid-template-columns: repeat(auto-fill, minmax(210px, 1fr));
  gap: 0 28px; margin: 8px 0 0; font-size: 13px; }
.tlk .knobs div { display: flex; justify-content: space-between; gap: 12px; padding: 4px 0;
  border-bottom: 1px solid var(--line); }
.tlk .knobs div.wide { grid-column: 1 / -1; }
.tlk .knobs dt { color: var(--soft); white-space: nowrap; }
.tlk .knobs dd { margin: 0; text-align: right; overflow-wrap: anywhere;
  font-variant-numeric: tabular-nums; }
.tlk ul { margin: 6px 0 0; padding-left: 20px; font-size: 14px; overflow-wrap: anywhere; }
.tlk li { margin: 3px 0; }
@media (max-width: 560px) { .tlk .bar { display: none; } .tlk { padding: 20px 12px 32px; } }
.tlk code { font: 12px/1.45 ui-monospace, "DejaVu Sans Mono", monospace; color: var(--ink);
  background: var(--track); border-radius: 4px; padding: 1px 5px; overflow-wrap: anywhere;
  user-select: all; }
.tlk figcaption code { display: block; margin-top: 7px; padding: 4px 7px; }
.tlk .finding + .finding { border-top: 1px solid var(--line); margin-top: 20px; padding-top: 6px; }
.tlk .finding .severity { color: var(--soft); font-weight: 400; margin-left: 8px; }
.tlk .finding .severity.error, .tlk .finding .severity.warning { color: var(--wrong); }
@media print { .tlk section { break-inside: avoid; } }
"""
)
