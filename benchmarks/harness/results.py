"""Samples → medians and ratios → a JSON file, a Markdown table and a plot."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.harness.machine import ROOT
from benchmarks.harness.processes import Sample

RESULTS = ROOT / "benchmarks" / "results"
MEASURES = ("wall_s", "cpu_s", "peak_mb")
UNITS = {"wall_s": "wall s", "cpu_s": "CPU s", "peak_mb": "peak MB"}

Samples = Mapping[str, Sequence[Sample]]


def _plain(sample: Sample) -> dict[str, object]:
    """The sample as JSON holds it; of what was reported the figures, no paths and no reports."""
    figures = {k: v for k, v in sample.reported.items() if isinstance(v, int | float)}
    return {**asdict(sample), "reported": figures}


def medians(samples: Sequence[Sample]) -> dict[str, float]:
    """Median of each measure over the runs that ended well; {} if none did."""
    good = [sample for sample in samples if not sample.failure]
    if not good:
        return {}
    return {name: statistics.median(getattr(s, name) for s in good) for name in MEASURES}


def ratios(samples: Samples, reference: str) -> dict[str, dict[str, float]]:
    """How many times less each row needs than the reference, by measure: medians divided."""
    base = medians(samples.get(reference, ()))
    return {
        name: {measure: base[measure] / value for measure, value in found.items() if value}
        for name, rows in samples.items()
        if base and (found := medians(rows))
    }


def published(
    name: str,
    samples: Samples,
    *,
    reference: str,
    folder: Path = RESULTS,
    machine: Mapping[str, object] | None = None,
    settings: Mapping[str, object] | None = None,
    notes: Sequence[str] = (),
    plot: bool = True,
) -> Path:
    """The JSON file of a benchmark, complete or not there; the plot beside it.

    Raises:
        OSError: the folder can't be written.
    """
    times = ratios(samples, reference)
    document = {
        "benchmark": name,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "reference": reference,
        "machine": dict(machine or {}),
        "settings": dict(settings or {}),
        "notes": list(notes),
        "rows": [
            {
                "name": row,
                "median": medians(found),
                "times_less": times.get(row, {}),
                "samples": [_plain(sample) for sample in found],
            }
            for row, found in samples.items()
        ],
    }
    return written(document, folder / f"{name}.json", plot=plot)


def written(document: Mapping[str, object], path: Path, *, plot: bool = False) -> Path:
    """A JSON document under a name that it has only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rough = path.with_name(path.name + ".tmp")
    rough.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    os.replace(rough, path)
    if plot:  # in a process of its own: matplotlib's memory is not to be that of our children
        command = [sys.executable, "-m", "benchmarks.harness.plot", str(path.resolve())]
        subprocess.run(command, cwd=ROOT, check=False)
    return path


def table(samples: Samples, reference: str) -> str:
    """A Markdown table: medians, spread of the wall time, times less than the reference."""
    times = ratios(samples, reference)
    lines = [
        "| | wall s | from … to | CPU s | peak MB | times less wall | CPU | memory | runs |",
        "|---|---:|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, rows in samples.items():
        found = medians(rows)
        if not found:
            reason = rows[0].failure.splitlines()[-1][:100] if rows else "not run"
            lines.append(f"| {name} | failed: {reason} | | | | | | | {len(rows)} |")
            continue
        walls = [sample.wall_s for sample in rows if not sample.failure]
        less = times.get(name, {})
        cells = [f"{less[key]:.1f}" if key in less else "" for key in MEASURES]
        lines.append(
            f"| {name} | {found['wall_s']:.2f} | {min(walls):.2f} … {max(walls):.2f} "
            f"| {found['cpu_s']:.2f} | {found['peak_mb']:.0f} "
            f"| {cells[0]} | {cells[1]} | {cells[2]} | {len(walls)} |"
        )
    return "\n".join(lines)
