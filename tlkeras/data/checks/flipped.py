"""Pictures that are copies of one another's mirror images, left for right.

They are searched for as near copies are, among the pictures and their mirror images together.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from tlkeras.data.check import Examined
from tlkeras.data.checks.findings import Finding, Severity
from tlkeras.data.checks.looks import Looks
from tlkeras.data.columns.records import Thumbnails
from tlkeras.data.duplicates.clustering import unique_contents
from tlkeras.data.duplicates.near import near_pairs
from tlkeras.data.duplicates.partition import components


class _WithMirrored:
    """Thumbnails uint8 (2n, 16, 16, 3): those of the pictures, then of their mirror images."""

    def __init__(self, thumbnails: Thumbnails, count: int) -> None:
        self._thumbnails = thumbnails
        self._count = count

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """The thumbnails uint8 (k, 16, 16, 3) of `rows`, int (k,)."""
        needed, where = np.unique(rows % self._count, return_inverse=True)
        found = self._thumbnails[needed][where]
        mirrored = rows >= self._count
        found[mirrored] = found[mirrored][:, :, ::-1]
        return found


def flipped(examined: Examined, looks: Looks, class_names: Sequence[str]) -> Iterator[Finding]:
    """One finding with the sets of pictures that are mirror images, where there are any."""
    sets = mirrored_sets(examined, looks)
    if not sets:
        return
    paths = examined.paths_of(sets)
    torn = [rows for rows in sets if len(np.unique(examined.parts[rows])) > 1]
    message = (
        f"{len(paths):,} pictures in {len(sets):,} set{'s' * (len(sets) != 1)}: mirror images "
        "of one another"
    )
    if torn:
        message += f"\n{len(torn):,} of them with pictures in several parts of the split"
    severity: Severity = "warning" if torn else "info"
    details = examined.sets(sets, class_names)
    yield Finding("flipped-duplicate", severity, message, paths, details)


def mirrored_sets(examined: Examined, looks: Looks) -> list[np.ndarray]:
    """Rows int64 (k,), ascending, of each set in which a picture is another's mirror image.

    Pictures that are copies as they are do not count as mirror images of one another.
    """
    first, _ = unique_contents(examined.facts["sha256"])
    rows = np.sort(first[looks.seen[first]])
    count = len(looks.seen)
    both = np.concatenate([rows, rows + count])
    hashes = np.concatenate([looks.dhash, looks.mirrored])
    left, right = near_pairs(hashes, _WithMirrored(looks.thumbnails, count), both)
    roots = components(len(both), left, right)
    straight, turned = roots[: len(rows)], roots[len(rows) :]
    sets: dict[tuple[int, ...], np.ndarray] = {}
    # A set holds a picture as it is and another one's mirror image.
    for root in np.intersect1d(straight, turned).tolist():
        members = np.union1d(rows[straight == root], rows[turned == root])
        if len(np.unique(examined.clusters[members])) > 1:
            sets[tuple(members.tolist())] = members
    return sorted(sets.values(), key=lambda some: int(some[0]))
