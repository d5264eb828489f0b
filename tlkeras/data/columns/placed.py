"""Which part each readable picture of a listing goes to, and which are set aside for that."""

from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import numpy as np

from tlkeras.data.columns.listing import Listing
from tlkeras.data.picture import SetAside, printable
from tlkeras.data.split import PART_NAMES, split
from tlkeras.errors import DataError

Shares = tuple[float, float, float]


def check_readable(listing: Listing, readable: np.ndarray, set_aside: Sequence[SetAside]) -> None:
    """Every class must have a readable picture that may be trained on."""
    given = bool((listing.parts >= 0).any())
    counted = readable[listing.parts[readable] == 0] if given else readable
    present = np.bincount(listing.labels[counted], minlength=len(listing.class_names))
    problems: list[str] = []
    for label in np.flatnonzero(present == 0).tolist():
        reasons = {item.path: item.reason for item in set_aside}
        paths = listing.paths.take(np.flatnonzero(listing.labels == label))
        broken = next((path for path in paths if path in reasons), None)
        said = f", such as {printable(broken)}: {reasons[broken]}" if broken else ""
        where = " in train" if given else ""
        problems.append(f"  - {listing.class_names[label]!r} has none{where}{said}")
    if problems:
        raise DataError(
            "Expected at least one readable picture of every class to train on, got:\n"
            + "\n".join(problems[:20])
            + "\nReplace the broken files, add pictures, or remove the class."
        )


def leaks(listing: Listing, readable: np.ndarray, copies: np.ndarray) -> dict[int, SetAside]:
    """Training pictures of a given split that are copies of a validation or test picture.

    By position in `readable`, of which `copies` are the clusters.
    """
    given = listing.parts[readable]
    held = np.flatnonzero(given > 0)
    held_clusters, first = np.unique(copies[held], return_index=True)
    suspects = np.flatnonzero((given == 0) & np.isin(copies, held_clusters))
    found: dict[int, SetAside] = {}
    for position in suspects.tolist():
        at = held[first[np.searchsorted(held_clusters, copies[position])]]
        original = printable(listing.paths[int(readable[at])])
        found[position] = SetAside(
            listing.paths[int(readable[position])],
            f"a copy of {original} in {PART_NAMES[given[at]]}",
            "leaked",
        )
    return found


def group_keys(
    listing: Listing, used: np.ndarray, groups: Callable[[Path], Hashable] | None
) -> np.ndarray | None:
    """The group of each used picture, int64 (n,); one without a group is a group of its own.

    None where no picture has a group.
    """
    if groups is None and listing.groups is None:
        return None
    numbers = np.arange(len(used), dtype=np.int64)
    known: dict[Hashable, int] = {}
    for position, row in enumerate(used.tolist()):
        if groups is not None:
            group = groups(listing.paths[row])
        else:
            group = None if listing.groups is None else listing.groups[row]
        if group is not None:
            numbers[position] = len(used) + known.setdefault(group, len(known))
    return numbers


def placed(
    listing: Listing, used: np.ndarray, together: np.ndarray, shares: Shares, seed: int
) -> np.ndarray:
    """Index into PART_NAMES of each used picture: as given, and the missing parts split off."""
    parts = np.maximum(listing.parts[used], 0)
    given = {PART_NAMES[part] for part in np.unique(listing.parts[used]).tolist() if part > 0}
    wanted = [0.0 if name in given else share for name, share in
              zip(PART_NAMES, shares, strict=True)]  # fmt: skip
    total = sum(wanted)
    free = np.flatnonzero(parts == 0)
    labels = listing.labels[used]
    present = np.bincount(labels[free], minlength=len(listing.class_names))
    missing = [listing.class_names[label] for label in np.flatnonzero(present == 0)]
    if missing:
        raise DataError(
            "Expected pictures of every class in train, but all of those of "
            f"{', '.join(repr(name) for name in missing)} are copies of "
            "validation or test pictures and were set aside. Add training pictures, or remove "
            "the copies from validation and test."
        )
    parts[free] = split(
        labels[free],
        together[free],
        [share / total for share in wanted],
        seed=seed,
        class_names=listing.class_names,
    )
    return parts
