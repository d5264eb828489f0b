"""What is odd about a data set that was scanned and split: the checks that need no pixels.

An "error" makes the numbers wrong (a picture with two labels), a "warning" may cost accuracy
(copies, few pictures), an "info" is good to know (pictures that were turned upright).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Sized
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlkeras.data.checks.findings import SHOWN, Finding, Findings, Severity
from tlkeras.data.columns.paths import Paths
from tlkeras.data.corrections.journal import JOURNAL_NAME
from tlkeras.data.corrections.laid import InForce
from tlkeras.data.duplicates.clustering import unique_contents
from tlkeras.data.duplicates.partition import several
from tlkeras.data.picture import Part, SetAside, printable
from tlkeras.data.split import PART_NAMES

__all__ = ["Examined", "Finding", "Findings", "copies", "find"]

MIN_SIDE_PX = 32
MAX_ASPECT = 5
ODD_SIZE = 4  # times the usual side, or a part of it
MAX_IMBALANCE = 3
MIN_TRAIN_PICTURES = 10


@dataclass(frozen=True, eq=False)
class Examined:
    """What is known of the n pictures that are trained or tested on, a column each.

    `parts`, `clusters` and `groups` are int (n,): pictures with the same number are in the same
    part, are copies, or belong together. `facts` is (n,) with the fields sha256, width, height,
    mode and rotated.
    """

    paths: Paths
    labels: np.ndarray
    facts: np.ndarray
    parts: np.ndarray
    clusters: np.ndarray
    groups: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def paths_of(self, rows: Sequence[np.ndarray] | np.ndarray) -> Paths:
        """Paths of some rows, or of several sets of rows."""
        return self.paths.take(rows if isinstance(rows, np.ndarray) else np.concatenate(rows))

    def sets(self, sets: Sequence[np.ndarray], class_names: Sequence[str]) -> list[str]:
        """Of each picture in some sets of rows: the set, its class and its part."""
        return [
            f"set {number}, {class_names[self.labels[row]]}, {PART_NAMES[self.parts[row]]}"
            for number, rows in enumerate(sets, 1)
            for row in rows.tolist()
        ]

    def size(self, row: int) -> str:
        """Width and height of one picture in pixels."""
        return f"{self.facts['width'][row]} x {self.facts['height'][row]}"


def find(
    parts: Sequence[Part],
    examined: Examined,
    set_aside: Sequence[SetAside],
    ignored: Sequence[Path],
    force: InForce,
) -> list[Finding]:
    """Every finding about a data set that was scanned and split, those that need no pixels."""
    return [
        *_not_used(set_aside, ignored),
        *_corrected(force),
        *copies(examined, parts[0].class_names),
        *_torn_groups(examined),
        *_class_sizes(parts),
        *_shapes(examined),
    ]


def _not_used(set_aside: Sequence[SetAside], ignored: Sequence[Path]) -> Iterator[Finding]:
    said = {
        "unreadable": ("picture", "set aside, unreadable"),
        "leaked": ("training picture", "set aside, a copy of a validation or test picture"),
        "repeated": ("row of the table", "set aside, the same as an earlier one"),
    }
    for kind, (noun, words) in said.items():
        some = [item for item in set_aside if item.kind == kind]
        if some:
            reasons = [f"{printable(item.path)}: {item.reason}" for item in some[:SHOWN]]
            message = "\n".join([f"{_counted(some, noun)} {words}", *reasons])
            yield Finding(kind, "warning", message, tuple(item.path for item in some))
    if ignored:
        suffixes = Counter(path.suffix.lower() or "(no suffix)" for path in ignored)
        listed = ", ".join(f"{number} {printable(name)}" for name, number in suffixes.most_common())
        yield Finding(
            "ignored",
            "info",
            f"{_counted(ignored, 'other file')} left out: {listed}",
            ignored,
        )


def _corrected(force: InForce) -> Iterator[Finding]:
    if force:
        out = force.left_out
        yield Finding(
            "corrected",
            "info",
            str(force),
            (*force.relabelled, *(aside.path for aside in out)),
            (*force.changes, *(aside.reason for aside in out)),
        )
    if force.unused:
        rows = f"{len(force.unused):,} row{'s' * (len(force.unused) != 1)}"
        listed = list(force.unused[:SHOWN])
        if len(force.unused) > SHOWN:
            listed.append(f"and {len(force.unused) - SHOWN:,} more")
        message = "\n".join([f"{rows} of {JOURNAL_NAME} not in force, mend or remove", *listed])
        yield Finding("stale-correction", "warning", message)
    if force.foreign:
        yield Finding("foreign-labels", "info", f"{force.foreign}, and was left alone")


def copies(examined: Examined, class_names: Sequence[str]) -> Iterator[Finding]:
    """Equal files and near copies, those with two labels first."""
    _, contents = unique_contents(examined.facts["sha256"])
    exact = several(contents)
    clustered = several(examined.clusters)
    near = [rows for rows in clustered if _differ(contents[rows])]
    kinds: tuple[tuple[str, Severity, str, list[np.ndarray]], ...] = (
        ("two-labels", "error", "the same file in several classes", exact),
        ("two-labels-near", "warning", "near copies in several classes", near),
        ("duplicate", "warning", "equal files", exact),
        ("near-duplicate", "warning", "near copies of one another", near),
    )
    for kind, severity, words, candidates in kinds:
        two = kind.startswith("two-labels")
        sets = [rows for rows in candidates if two == _differ(examined.labels[rows])]
        if not sets:
            continue
        paths = examined.paths_of(sets)
        message = f"{_counted(paths, 'picture')} in {_counted(sets, 'set')}: {words}"
        if two:
            mixed = Counter(tuple(np.unique(examined.labels[rows]).tolist()) for rows in sets)
            message += "\n" + "\n".join(
                f"{' and '.join(class_names[label] for label in labels)}: {number}"
                for labels, number in mixed.most_common(SHOWN)
            )
        yield Finding(kind, severity, message, paths, examined.sets(sets, class_names))
    straddling = [rows for rows in clustered if _differ(examined.parts[rows])]
    if straddling:
        yield Finding(
            "leaked",
            "warning",
            f"{_counted(straddling, 'picture')} with a copy in another part of the given split",
            examined.paths_of(straddling),
        )


def _torn_groups(examined: Examined) -> Iterator[Finding]:
    torn = [
        rows
        for rows in several(examined.groups)
        if _differ(examined.parts[rows]) and _differ(examined.clusters[rows])
    ]
    if torn:
        yield Finding(
            "torn-group",
            "warning",
            f"{_counted(torn, 'group')} with pictures in several parts of the given split",
            examined.paths_of(torn),
        )


def _class_sizes(parts: Sequence[Part]) -> Iterator[Finding]:
    training = parts[0].counts()
    most, least = max(training.values()), min(training.values())
    if most > MAX_IMBALANCE * least:
        large, small = max(training, key=training.__getitem__), min(
            training, key=training.__getitem__
        )  # fmt: skip
        yield Finding(
            "unbalanced",
            "warning",
            f"the largest class has {most / least:.1f} times the training pictures of the "
            f"smallest: {large} {most}, {small} {least}",
        )
    few = {name: number for name, number in training.items() if number < MIN_TRAIN_PICTURES}
    if few:
        listed = ", ".join(f"{name} {number}" for name, number in few.items())
        yield Finding(
            "few-pictures",
            "warning",
            f"fewer than {MIN_TRAIN_PICTURES} training pictures: {listed}",
        )
    for part in parts[1:]:
        absent = [name for name, number in part.counts().items() if number == 0]
        if absent and len(part):
            yield Finding(
                "missing-class", "warning", f"not in {part.name} at all: {', '.join(absent)}"
            )


def _shapes(examined: Examined) -> Iterator[Finding]:
    width = examined.facts["width"].astype(np.int64)
    height = examined.facts["height"].astype(np.int64)
    shorter, longer = np.minimum(width, height), np.maximum(width, height)
    small = shorter < MIN_SIDE_PX
    tiny = np.flatnonzero(small)
    if len(tiny):
        smallest = int(tiny[np.argmin(width[tiny] * height[tiny])])
        words = f"with a side below {MIN_SIDE_PX} px, the smallest {examined.size(smallest)}"
        yield _about(examined, tiny, "tiny", "warning", words, examined.size)
    long = np.flatnonzero(longer > MAX_ASPECT * shorter)
    if len(long):
        words = f"longer than {MAX_ASPECT} : 1"
        yield _about(examined, long, "extreme-aspect", "warning", words, examined.size)
    sides = np.sqrt(width * height)
    odd = np.flatnonzero(_unlike_the_others(sides) & ~small)
    if len(odd):
        words = f"of another size than most, which are about {np.median(sides):.0f} px a side"
        yield _about(examined, odd, "odd-size", "info", words, examined.size)
    rotated = np.flatnonzero(examined.facts["rotated"])
    if len(rotated):
        words = "turned upright by the EXIF orientation"
        yield _about(examined, rotated, "rotated", "info", words)
    others = np.flatnonzero(examined.facts["mode"] != b"RGB")
    if len(others):
        modes = Counter(examined.facts["mode"][others].tolist())
        listed = ", ".join(f"{number} {mode.decode()}" for mode, number in modes.most_common())
        yield _about(examined, others, "not-rgb", "info", f"converted to RGB: {listed}")


def _unlike_the_others(sides: np.ndarray) -> np.ndarray:
    """Whether each of the sides (n,) in px is far from what most of them are, bool (n,).

    Far is a factor of ODD_SIZE from the median, and three quartile distances outside the
    quartiles (J. Tukey's "far out", 1977), both on a logarithmic scale.
    """
    logs = np.log2(sides)
    low, middle, high = np.quantile(logs, [0.25, 0.5, 0.75])
    reach = 3 * (high - low)
    far_out = (logs < low - reach) | (logs > high + reach)
    return far_out & (np.abs(logs - middle) > np.log2(ODD_SIZE))


def _about(
    examined: Examined,
    rows: np.ndarray,
    kind: str,
    severity: Severity,
    words: str,
    detail: Callable[[int], str] | None = None,
) -> Finding:
    details = [detail(row) for row in rows.tolist()] if detail else ()
    message = f"{_counted(rows, 'picture')} {words}"
    return Finding(kind, severity, message, examined.paths_of(rows), details)


def _differ(values: np.ndarray) -> bool:
    return bool((values != values[0]).any())


def _counted(some: Sized, noun: str) -> str:
    first, _, rest = noun.partition(" of ")
    plural = first if len(some) == 1 else first + "s"
    return f"{len(some):,} {plural}" + (f" of {rest}" if rest else "")
