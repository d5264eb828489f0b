"""A result's JSON file as a picture: bars of the medians, dots of the single runs.

    python -m benchmarks.harness.plot benchmarks/results/end_to_end.json

Draws `rows` with `samples` of wall seconds; a document with `bars` (label → value) and `unit`
is drawn as it says. Without matplotlib there is no picture, and a line says so.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("result", type=Path, help="JSON file that a benchmark wrote")


def drawn(path: Path) -> Path | None:
    """The picture beside the result, `.png`; None if there is nothing to draw."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    document = json.loads(path.read_text(encoding="utf-8"))
    bars, dots, unit = _bars(document)
    if not bars:
        return None
    figure = Figure(figsize=(8, 1 + 0.38 * len(bars)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = list(bars)[::-1]
    axes.barh(names, [bars[name] for name in names], color="#7aa6c2", height=0.62)
    for row, name in enumerate(names):
        axes.plot(dots.get(name, []), [row] * len(dots.get(name, [])), ".", color="#1f3b4d")
        axes.annotate(
            f"  {bars[name]:.3g}",
            (max([bars[name], *dots.get(name, [])]), row),
            va="center",
            fontsize=8,
            annotation_clip=False,
        )
    values = [value for value in bars.values() if value > 0]
    if values and max(values) / min(values) > 30:  # both ends are to be seen
        axes.set_xscale("log")
    axes.margins(x=0.12)
    axes.set_xlabel(unit)
    machine = document.get("machine", {})
    about = f"{machine.get('processor', '')}, {machine.get('cores', '?')} cores"
    axes.set_title(f"{document.get('benchmark', path.stem)}: {about}", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    target = path.with_suffix(".png")
    figure.savefig(target, dpi=120)
    return target


def _bars(document: dict[str, Any]) -> tuple[dict[str, float], dict[str, list[float]], str]:
    """(label → median, label → single runs, unit)."""
    if "bars" in document:
        return document["bars"], {}, str(document.get("unit", ""))
    rows = [row for row in document.get("rows", []) if row.get("median")]
    measure = str(document.get("settings", {}).get("plotted", "wall_s"))
    units = {"wall_s": "wall time, s", "cpu_s": "CPU time, s", "peak_mb": "peak memory, MB"}
    dots = {
        row["name"]: [s[measure] for s in row["samples"] if not s.get("failure")] for row in rows
    }
    return {row["name"]: row["median"][measure] for row in rows}, dots, units[measure]


def main() -> None:
    try:
        drawn(parser.parse_args().result)
    except ModuleNotFoundError as error:
        print(f"no plot: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
