"""A labelled, scanned and split data set: what training, evaluation and `check` start from.

files or arrays ─▶ Listing ─scan─▶ readable ─clusters of copies─▶ split ─▶ train, validation,
                             └──▶ set aside, each with its reason          test
"""

import hashlib
import html
import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from tlkeras.data.check import Examined, Findings, copies, find
from tlkeras.data.columns.listing import Listing
from tlkeras.data.columns.records import Selected
from tlkeras.data.duplicates import clusters, joined, numbered
from tlkeras.data.labelled import list_arrays, list_csv, list_folder
from tlkeras.data.picture import Part, Pictures, SetAside, printable
from tlkeras.data.scan import scan
from tlkeras.data.split import PART_NAMES, split
from tlkeras.errors import DataError

log = logging.getLogger(__name__)

Shares = tuple[float, float, float]

_SHARES: Shares = (0.70, 0.15, 0.15)


class ImageFolder:
    """Pictures with labels, split into `train`, `validation` and `test`.

    Args:
        folder: one sub-folder for each class, or train/, val/ and test/ above such folders
            (also training, valid, validation, testing). A missing part is taken from train/.
        split: shares of train, validation and test; 0 leaves validation or test empty. Copies of
            a picture always stay in one part, and every class gets into every part.
        groups: gives each path its group (a patient, a video); a group stays in one part.
        seed: another seed, another split.

    Attributes:
        train, validation, test: the parts, with `.paths`, `.labels` and `.counts()`.
        class_names: sorted; `labels` are indices into it.
        set_aside: what is not used, each with its `path` and `reason`.
        root: the folder, None for arrays.
        seed: as given.

    Raises:
        DataError: the pictures cannot be trained on as they are; the message says why.

    Example::

        data = ImageFolder("flowers", groups=lambda path: path.stem.split("_")[0])
        print(data.check())
        data.train.paths, data.train.labels
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        split: Shares = _SHARES,
        groups: Callable[[Path], Hashable] | None = None,
        seed: int = 0,
    ) -> None:
        _check_shares(split)
        self._fill(list_folder(folder), split, groups, seed)

    @classmethod
    def from_csv(
        cls,
        csv: str | Path,
        *,
        root: str | Path | None = None,
        split: Shares = _SHARES,
        seed: int = 0,
    ) -> "ImageFolder":
        """A data set from a table with the columns path, label and perhaps split and group.

        Paths are relative to `root`, or to the folder of the table.

        Example::

            data = ImageFolder.from_csv("flowers.csv", root="/photos")
        """
        _check_shares(split)
        data = cls.__new__(cls)
        data._fill(list_csv(csv, root), split, None, seed)
        return data

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray | Sequence[np.ndarray],
        labels: Sequence[int] | Sequence[str] | np.ndarray,
        *,
        class_names: Sequence[str] | None = None,
        groups: Iterable[Hashable] | None = None,
        split: Shares = _SHARES,
        seed: int = 0,
    ) -> "ImageFolder":
        """A data set from pictures in memory, which are copied.

        Args:
            images: (n, h, w, 3), (n, h, w, 1) or (n, h, w), or a list of single pictures of any
                size; uint8, or float in [0, 255].
            labels: n ints or strings, any of them; they are mapped to sorted class names.
            class_names: name of each class; for ints 0 to n - 1 the names in that order.
            groups: n values; pictures with the same one stay in one part.
            split: as for a folder.
            seed: as for a folder.

        >>> images = np.random.default_rng(0).integers(0, 255, (20, 9, 7, 3), dtype=np.uint8)
        >>> data = ImageFolder.from_arrays(images, ["cat", "dog"] * 10)
        >>> data.train.counts(), data.class_names
        ({'cat': 7, 'dog': 7}, ('cat', 'dog'))
        """
        _check_shares(split)
        data = cls.__new__(cls)
        data._fill(list_arrays(images, labels, class_names, groups), split, None, seed)
        return data

    def _fill(
        self,
        listing: Listing,
        shares: Shares,
        groups: Callable[[Path], Hashable] | None,
        seed: int,
    ) -> None:
        sources = listing.paths if listing.pixels is None else listing.pixels
        with scan(sources, listing.paths) as scanned:
            readable = np.flatnonzero(scanned.readable)
            unreadable = np.flatnonzero(~scanned.readable).tolist()
            set_aside = [*listing.set_aside, *scanned.set_aside(unreadable)]
            _check_readable(listing, readable, set_aside)
            alike = clusters(
                _rows(scanned.facts, readable)["sha256"],
                _rows(scanned.dhash, readable),
                Selected(scanned.thumbnails, readable),
            )
        leaks = _leaks(listing, readable, alike)
        set_aside += leaks.values()
        kept = np.ones(len(readable), bool)
        kept[list(leaks)] = False
        used, alike = readable[kept], alike[kept]
        keys = _group_keys(listing, used, groups)
        together = numbered(alike) if keys is None else joined(keys, alike)
        parts = _parts(listing, used, together, shares, seed)
        self._class_names = listing.class_names
        self._root = listing.root
        self._seed = seed
        self._ignored = listing.ignored
        self._set_aside = tuple(set_aside)
        self._examined = Examined(
            listing.paths if len(used) == len(listing) else listing.paths.take(used),
            _rows(listing.labels, used),
            _rows(scanned.facts, used),
            parts,
            alike.astype(np.int32),
            together.astype(np.int32),
        )
        pictures = Pictures(
            self._examined.paths,
            self._examined.labels,
            self._examined.facts["sha256"],
            None if listing.pixels is None else [listing.pixels[row] for row in used.tolist()],
        )
        self._parts = {
            name: Part(name, pictures.take(np.flatnonzero(parts == number)), self._class_names)
            for number, name in enumerate(PART_NAMES)
        }
        self._log()

    def _log(self) -> None:
        if self._set_aside:
            log.warning(
                "%s of %s pictures are set aside, such as %s: %s (see .set_aside)",
                f"{len(self._set_aside):,}",
                f"{len(self._set_aside) + len(self._examined):,}",
                printable(self._set_aside[0].path),
                self._set_aside[0].reason,
            )
        for finding in copies(self._examined, self._class_names):
            if finding.kind == "two-labels":
                log.warning("%s: %s", finding.message, printable(finding.paths[0]))

    @property
    def train(self) -> Part:
        """The pictures to train on."""
        return self._parts["train"]

    @property
    def validation(self) -> Part:
        """The pictures that choose between models; may be empty."""
        return self._parts["validation"]

    @property
    def test(self) -> Part:
        """The pictures for the final figures; may be empty."""
        return self._parts["test"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """Sorted names; a label is an index into them."""
        return self._class_names

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """Pictures that are not used, each with its reason."""
        return self._set_aside

    @property
    def root(self) -> Path | None:
        """The folder the pictures lie in, None for arrays."""
        return self._root

    @property
    def seed(self) -> int:
        """The seed of the split."""
        return self._seed

    def check(self) -> Findings:
        """What is odd: broken, copied, leaked, doubly labelled, few, tiny, turned pictures.

        Example::

            findings = ImageFolder("flowers").check()
            print(findings)
            findings.ok, findings.to_dict()
        """
        parts = (self.train, self.validation, self.test)
        numbers = ", ".join(f"{part.name} {len(part):,}" for part in parts)
        summary = (
            f"{len(self._examined):,} pictures, {len(self.class_names)} classes: {numbers}; "
            f"{len(self.set_aside):,} set aside"
        )
        return Findings(summary, find(parts, self._examined, self.set_aside, self._ignored))

    def fingerprint(self) -> str:
        """SHA-256 over class names and each picture's content, label and part.

        The same pictures in another folder or under other names have the same fingerprint.
        """
        digest = hashlib.sha256(repr(self.class_names).encode())
        one = self._examined
        words = np.ascontiguousarray(one.facts["sha256"]).view(">u8")
        by_name = np.argsort(np.argsort(PART_NAMES))
        order = np.lexsort((by_name[one.parts], one.labels, *words.T[::-1]))
        for row in order.tolist():
            sha256 = one.facts["sha256"][row].tobytes().hex()
            item = (sha256, int(one.labels[row]), PART_NAMES[one.parts[row]])
            digest.update(repr(item).encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        where = f"{printable(self.root)!r}: " if self.root else ""
        return (
            f"ImageFolder({where}{len(self.class_names)} classes, train {len(self.train):,}, "
            f"validation {len(self.validation):,}, test {len(self.test):,}, "
            f"set aside {len(self.set_aside):,})"
        )

    def _repr_html_(self) -> str:
        parts = (self.train, self.validation, self.test)
        head = "".join(f"<th>{part.name}</th>" for part in parts)
        counts = [part.counts() for part in parts]
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td>"
            + "".join(f"<td>{count[name]}</td>" for count in counts)
            + "</tr>"
            for name in self.class_names
        )
        return f"<table><tr><th>class</th>{head}</tr>{rows}</table>"


def _check_shares(shares: Shares) -> None:
    try:
        values = tuple(float(share) for share in shares)
    except (TypeError, ValueError):
        values = ()
    fine = len(values) == 3 and all(0 <= value <= 1 for value in values)
    if not fine or abs(sum(values) - 1) > 1e-6 or values[0] == 0:
        raise DataError(
            "Expected split=(train, validation, test), three shares that sum to 1 with train "
            f"above 0, got {shares!r}: use for instance (0.7, 0.15, 0.15)."
        )


def _check_readable(listing: Listing, readable: np.ndarray, set_aside: Sequence[SetAside]) -> None:
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


def _rows(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows of a table, ascending; the table itself, not a copy, where these are all."""
    return table if len(rows) == len(table) else table[rows]


def _leaks(listing: Listing, readable: np.ndarray, copies: np.ndarray) -> dict[int, SetAside]:
    """Training pictures of a given split that are copies of a validation or test picture.

    By position in `readable`, of which `copies` are the clusters.
    """
    given = listing.parts[readable]
    held = np.flatnonzero(given > 0)
    held_clusters, first = np.unique(copies[held], return_index=True)
    suspects = np.flatnonzero((given == 0) & np.isin(copies, held_clusters))
    leaks: dict[int, SetAside] = {}
    for position in suspects.tolist():
        at = held[first[np.searchsorted(held_clusters, copies[position])]]
        original = printable(listing.paths[int(readable[at])])
        leaks[position] = SetAside(
            listing.paths[int(readable[position])],
            f"a copy of {original} in {PART_NAMES[given[at]]}",
            "leaked",
        )
    return leaks


def _group_keys(
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


def _parts(
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
