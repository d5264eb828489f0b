"""Measuring several programs side by side: fresh processes by turns, medians, a page of results.

commands ─ round 1: A B C, round 2: B C A, … ─▶ samples ─ medians, ratios ─▶ JSON, table, plot

    from benchmarks.harness import Command, interleaved, published

    rows = interleaved([Command("theirs", [...]), Command("ours", [...])], rounds=5)
    published("end_to_end", rows, reference="theirs", folder=RESULTS)

The process that measures loads neither NumPy nor a framework: a child's peak memory counts the
pages it shared with its parent before it became another program.
"""

from benchmarks.harness.machine import described
from benchmarks.harness.processes import Command, Sample, interleaved, run
from benchmarks.harness.results import RESULTS, medians, published, ratios, table

__all__ = [
    "RESULTS",
    "Command",
    "Sample",
    "described",
    "interleaved",
    "medians",
    "published",
    "ratios",
    "run",
    "table",
]
