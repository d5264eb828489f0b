"""A labelled, scanned and split data set: what training, evaluation and `check` start from.

files or arrays ─▶ Listing ─scan─▶ readable ─clusters of copies─▶ split ─▶ train, validation,
                             └──▶ set aside, each with its reason          test
"""

import hashlib
import logging
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path

import numpy as np

from tlkeras.data.check import Examined, Findings, copies, find
from tlkeras.data.checks.flipped import flipped
from tlkeras.data.checks.looks import look_at_all, odd_looks
from tlkeras.data.columns.listing import Listing
from tlkeras.data.columns.placed import Shares, check_readable, group_keys, leaks, placed
from tlkeras.data.columns.records import Selected
from tlkeras.data.corrections.corrections import Corrections
from tlkeras.data.duplicates import clusters, joined, numbered
from tlkeras.data.labelled import list_arrays, list_csv, list_folder
from tlkeras.data.picture import Part, Pictures, SetAside, printable
from tlkeras.data.scan import scan
from tlkeras.data.shown.page import to_html
from tlkeras.data.split import PART_NAMES
from tlkeras.errors import DataError

log = logging.getLogger(__name__)

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
        corrections: of labels, kept in the folder's `labels.csv` and laid over it.
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
        self._from_folders = True

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
            check_readable(listing, readable, set_aside)
            alike = clusters(
                _rows(scanned.facts, readable)["sha256"],
                _rows(scanned.dhash, readable),
                Selected(scanned.thumbnails, readable),
            )
        leaked = leaks(listing, readable, alike)
        set_aside += leaked.values()
        kept = np.ones(len(readable), bool)
        kept[list(leaked)] = False
        used, alike = readable[kept], alike[kept]
        keys = group_keys(listing, used, groups)
        together = numbered(alike) if keys is None else joined(keys, alike)
        parts = placed(listing, used, together, shares, seed)
        self._class_names = listing.class_names
        self._root = listing.root
        self._seed = seed
        self._ignored = listing.ignored
        self._set_aside = tuple(set_aside)
        self._in_force = listing.corrections
        self._from_folders = False
        self._examined = Examined(
            listing.paths if len(used) == len(listing) else listing.paths.take(used),
            _rows(listing.labels, used),
            _rows(scanned.facts, used),
            parts,
            alike.astype(np.int32),
            together.astype(np.int32),
        )
        given = listing.pixels
        pixels = None if given is None else [given[row] for row in used.tolist()]
        self._sources = self._examined.paths if pixels is None else pixels
        pictures = Pictures(
            self._examined.paths, self._examined.labels, self._examined.facts["sha256"], pixels
        )
        self._parts = {
            name: Part(name, pictures.take(np.flatnonzero(parts == number)), self._class_names)
            for number, name in enumerate(PART_NAMES)
        }
        self._log()

    def _log(self) -> None:
        unwanted = [aside for aside in self._set_aside if aside.kind != "left-out"]
        if unwanted:
            log.warning(
                "%s of %s pictures are set aside, such as %s: %s (see .set_aside)",
                f"{len(unwanted):,}",
                f"{len(self._set_aside) + len(self._examined):,}",
                printable(unwanted[0].path),
                unwanted[0].reason,
            )
        force = self._in_force
        if force:
            log.info("%s (see .corrections)", force)
        if force.foreign:
            log.info("%s", force.foreign)
        for text in force.unused:
            log.warning("not in force: %s", text)
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

    @property
    def corrections(self) -> Corrections:
        """The corrections of labels in the folder's `labels.csv`, to be added to and undone.

        Raises:
            DataError: the pictures came from a table or from arrays.
        """
        if not self._from_folders:
            raise DataError(
                "Expected pictures in class folders, over which corrections can be laid. "
                f"Received: pictures from {'arrays' if self._root is None else 'a table'}. "
                "Correct the labels there."
            )
        return Corrections(self._root or "")

    def check(self) -> Findings:
        """What is odd: broken, copied, leaked, doubly labelled, few, tiny, blank, blurred pictures.

        Every picture is looked at once, by several threads; what was measured is kept, so that
        the next check takes no time.

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
        found = find(parts, self._examined, self.set_aside, self._ignored, self._in_force)
        looks = look_at_all(self._sources)
        found += odd_looks(looks, self._examined.paths)
        found += flipped(self._examined, looks, self.class_names)
        looks.close()
        return Findings(summary, found)

    def groups(self, *parts: str) -> np.ndarray:
        """A number int64 (n,) for each picture of "train", "validation", "test", or several.

        Pictures that belong together, copies or by `groups=`, have the same number: whoever
        holds some of a part back must hold them back together.

        Example::

            data.groups("train", "validation")            # array([0, 1, 1, 2, ...])
        """
        one = self._examined
        rows = [np.flatnonzero(one.parts == PART_NAMES.index(part)) for part in parts]
        return one.groups[np.concatenate(rows)].astype(np.int64)

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
        title = str(self.root) if self.root else "arrays"
        parts = (self.train, self.validation, self.test)
        return to_html(title, parts, len(self.set_aside))


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


def _rows(table: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The rows of a table, ascending; the table itself, not a copy, where these are all."""
    return table if len(rows) == len(table) else table[rows]
