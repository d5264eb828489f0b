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

from tlkeras.data.check import Examined, Findings, find
from tlkeras.data.duplicates import clusters, joined
from tlkeras.data.labelled import Labelled, Listing, list_arrays, list_csv, list_folder
from tlkeras.data.picture import Part, Picture, SetAside, printable
from tlkeras.data.scan import ScanRecord, scan
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
        listed = listing.pictures
        records = scan(
            [one.path if one.pixels is None else one.pixels for one in listed],
            [one.path for one in listed],
        )
        set_aside = [*listing.set_aside, *(one for one in records if isinstance(one, SetAside))]
        readable = [
            (one, record)
            for one, record in zip(listed, records, strict=True)
            if isinstance(record, ScanRecord)
        ]
        _check_readable(listing, readable, set_aside)
        copies = _clusters([record for _, record in readable])
        leaks = _leaks([one for one, _ in readable], copies)
        set_aside += leaks.values()
        kept = [index for index in range(len(readable)) if index not in leaks]
        used = [readable[index] for index in kept]
        together = joined(_group_keys([one for one, _ in used], groups), copies[kept].tolist())
        parts = _parts([one for one, _ in used], together, shares, seed, listing.class_names)
        self._class_names = listing.class_names
        self._root = listing.root
        self._seed = seed
        self._ignored = listing.ignored
        self._set_aside = tuple(set_aside)
        self._examined = tuple(
            _examined(one, record, PART_NAMES[part], int(cluster), int(group))
            for (one, record), part, cluster, group in zip(
                used, parts, copies[kept], together, strict=True
            )
        )
        self._parts = {
            name: Part(
                name,
                tuple(one.picture for one in self._examined if one.part == name),
                self._class_names,
            )
            for name in PART_NAMES
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
        for finding in self.check():
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
        for item in sorted(
            (one.picture.sha256, one.picture.label, one.part) for one in self._examined
        ):
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


def _check_readable(
    listing: Listing,
    readable: Sequence[tuple[Labelled, ScanRecord]],
    set_aside: Sequence[SetAside],
) -> None:
    """Every class must have a readable picture that may be trained on."""
    reasons = {item.path: item.reason for item in set_aside}
    given = {one.part for one in listing.pictures} != {None}
    present = {one.label for one, _ in readable if not given or one.part == "train"}
    problems: list[str] = []
    for label, name in enumerate(listing.class_names):
        if label in present:
            continue
        broken = [one.path for one in listing.pictures if one.label == label]
        broken = [path for path in broken if path in reasons]
        said = f", such as {printable(broken[0])}: {reasons[broken[0]]}" if broken else ""
        where = " in train" if given else ""
        problems.append(f"  - {name!r} has none{where}{said}")
    if problems:
        raise DataError(
            "Expected at least one readable picture of every class to train on, got:\n"
            + "\n".join(problems[:20])
            + "\nReplace the broken files, add pictures, or remove the class."
        )


def _clusters(records: Sequence[ScanRecord]) -> np.ndarray:
    return clusters(
        [record.sha256 for record in records],
        np.stack([record.dhash for record in records]),
        np.stack([record.thumbnail for record in records]),
    )


def _leaks(pictures: Sequence[Labelled], copies: np.ndarray) -> dict[int, SetAside]:
    """Training pictures of a given split that are copies of a validation or test picture."""
    held: dict[int, Labelled] = {}
    for one, cluster in zip(pictures, copies.tolist(), strict=True):
        if one.part in ("validation", "test"):
            held.setdefault(cluster, one)
    return {
        index: SetAside(
            one.path, f"a copy of {printable(held[cluster].path)} in {held[cluster].part}", "leaked"
        )
        for index, (one, cluster) in enumerate(zip(pictures, copies.tolist(), strict=True))
        if one.part == "train" and cluster in held
    }


def _group_keys(
    pictures: Sequence[Labelled], groups: Callable[[Path], Hashable] | None
) -> list[Hashable]:
    """One key for each picture; a picture without a group is a group of its own."""
    keys: list[Hashable] = []
    for index, one in enumerate(pictures):
        group = one.group if groups is None else groups(one.path)
        keys.append(("alone", index) if group is None else ("group", group))
    return keys


def _parts(
    pictures: Sequence[Labelled],
    together: np.ndarray,
    shares: Shares,
    seed: int,
    class_names: Sequence[str],
) -> np.ndarray:
    """Index into PART_NAMES of each picture: as given, and the missing parts split off."""
    given = {one.part for one in pictures if one.part is not None}
    parts = np.array([PART_NAMES.index(one.part or "train") for one in pictures], dtype=np.int8)
    wanted = [0.0 if name in given - {"train"} else share for name, share in
              zip(PART_NAMES, shares, strict=True)]  # fmt: skip
    total = sum(wanted)
    free = np.flatnonzero(parts == 0)
    labels = np.array([one.label for one in pictures], dtype=np.int64)
    missing = set(range(len(class_names))) - set(labels[free].tolist())
    if missing:
        raise DataError(
            "Expected pictures of every class in train, but all of those of "
            f"{', '.join(repr(class_names[label]) for label in sorted(missing))} are copies of "
            "validation or test pictures and were set aside. Add training pictures, or remove "
            "the copies from validation and test."
        )
    parts[free] = split(
        labels[free],
        together[free],
        [share / total for share in wanted],
        seed=seed,
        class_names=class_names,
    )
    return parts


def _examined(one: Labelled, record: ScanRecord, part: str, cluster: int, group: int) -> Examined:
    picture = Picture(one.path, one.label, record.sha256, one.pixels)
    return Examined(
        picture, part, record.width, record.height, record.mode, record.rotated, cluster, group
    )
