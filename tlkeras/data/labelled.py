"""Which files (or arrays) there are, and the label each was given: nothing is opened yet.

folder/class/*.jpg                         ┐
folder/{train,val,test}/class/*.jpg        ├─▶ Listing
csv: path,label[,split][,group]            │
images (n, …), labels (n,)                 ┘
"""

import difflib
import hashlib
import os
import sys
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from tlkeras.data.columns.csv_rows import csv_rows
from tlkeras.data.columns.listing import LabelledPaths, Listing
from tlkeras.data.columns.paths import Paths
from tlkeras.data.corrections.journal import JOURNAL_NAME, read_journal
from tlkeras.data.corrections.laid import lay_over
from tlkeras.data.decode import SUFFIXES, array_to_rgb
from tlkeras.data.picture import SetAside, printable
from tlkeras.data.sources import files_below, real_folders, visible
from tlkeras.errors import DataError, DecodeError

_PARTS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def list_folder(folder: str | Path) -> Listing:
    """Pictures in class folders, or in class folders below train/, val/ and test/.

    The corrections of a `labels.csv` in the folder are laid over the labels.
    """
    problems: list[str] = []
    listing = by_folder(folder, problems)
    root, names = Path(folder), listing.class_names
    journal = read_journal(root)
    labels, used, force = lay_over(root, journal, listing.paths, listing.labels, names)
    numbers = np.bincount(listing.labels, minlength=len(names))
    emptied = (numbers > 0) & (np.bincount(labels[used], minlength=len(names)) == 0)
    problems += [
        f"{JOURNAL_NAME} leaves no picture to {names[label]!r}: correct it, or undo some of it"
        for label in np.flatnonzero(emptied)
    ]
    _check_classes(root, names, labels[used], problems)
    own = root / JOURNAL_NAME
    return replace(
        listing,
        paths=listing.paths if len(used) == len(labels) else listing.paths.take(used),
        labels=labels[used],
        parts=listing.parts[used],
        ignored=listing.ignored if force.foreign else _without(listing.ignored, own),
        set_aside=(*listing.set_aside, *force.left_out),
        corrections=force,
    )


def by_folder(folder: str | Path, problems: list[str] | None = None) -> Listing:
    """Pictures with the labels that their folders say, whatever was corrected; `problems` grow."""
    problems = [] if problems is None else problems
    root = Path(folder)
    if not root.is_dir():
        raise DataError(_no_folder(root))
    ignored = Paths()
    try:
        parts = _part_folders(root, ignored)
    except OSError as err:
        raise DataError(
            f"Expected a folder that can be listed, got {printable(root)!r}: {err.strerror}. "
            "Check its permissions."
        ) from err
    seen = real_folders(root)
    found = LabelledPaths()
    closed: list[Path] = []
    for part, parent in parts:
        for class_folder in _class_folders(parent, problems, ignored):
            if os.path.realpath(class_folder) not in seen:
                seen.update(real_folders(class_folder))
            name = printable(class_folder.name)
            found.name(name)
            for kind, where, file in files_below(class_folder, seen):
                if kind == "picture":
                    found.add(where, file, name, part)
                elif kind == "other":
                    ignored.add(where, file)
                else:
                    closed.append(where)
    class_names, labels = found.classes()
    return Listing(
        root,
        class_names,
        found.paths,
        labels,
        found.parts(),
        ignored=ignored,
        set_aside=tuple(SetAside(path, "the folder cannot be listed") for path in closed),
    )


def list_csv(table: str | Path, root: str | Path | None = None) -> Listing:
    """Pictures named in a table with the columns path and label, perhaps split and group."""
    table = Path(table)
    where = table.parent if root is None else Path(root)
    problems: list[str] = []
    found = LabelledPaths()
    groups: list[str | None] = []
    repeated: list[SetAside] = []
    known: dict[bytes, int] = {}
    for line, row in csv_rows(table):
        path, label = row.get("path", ""), row.get("label", "")
        part = _PARTS.get(row.get("split", "").lower())
        if not path or not label:
            problems.append(f"line {line}: no {'path' if not path else 'label'}")
            continue
        if row.get("split") and part is None:
            problems.append(f"line {line}: split {row['split']!r} is not train, validation or test")
            continue
        first = known.setdefault(_short(path, label), line)
        if first != line:
            repeated.append(SetAside(where / path, f"line {line} repeats line {first}", "repeated"))
            continue
        full = where / path
        found.add(full.parent, full.name, printable(label), part)
        group = row.get("group") or None
        groups.append(sys.intern(group) if group else None)
    parts = found.parts()
    if (parts >= 0).any():
        problems += [f"{printable(found.paths[row])}: no split, but other rows have one"
                     for row in np.flatnonzero(parts < 0).tolist()]  # fmt: skip
    class_names, labels = found.classes()
    _check_classes(table, class_names, labels, problems)
    return Listing(
        where,
        class_names,
        found.paths,
        labels,
        parts,
        groups if any(groups) else None,
        set_aside=tuple(repeated),
    )


def _short(path: str, label: str) -> bytes:
    """A row's path and label in 16 bytes: two rows alike are a row said twice."""
    both = f"{len(path)} {path}{label}".encode("utf-8", "surrogatepass")
    return hashlib.blake2b(both, digest_size=16).digest()


def list_arrays(
    images: np.ndarray | Sequence[np.ndarray],
    labels: Sequence[int] | Sequence[str] | np.ndarray,
    class_names: Sequence[str] | None = None,
    groups: Iterable[Hashable] | None = None,
) -> Listing:
    """Pictures uint8 (h, w, 3), copied from arrays, with labels that are any ints or strings."""
    given = np.asarray(labels)
    problems: list[str] = []
    if given.ndim != 1 or given.dtype.kind not in "iubUS":
        problems.append(
            f"labels: expected one int or string each, shape (n,), got {given.dtype} "
            f"{given.shape}; for one-hot rows use labels.argmax(axis=1)"
        )
    elif len(given) != len(images):
        problems.append(f"{len(images)} images, but {len(given)} labels")
    members = None if groups is None else list(groups)
    if members is not None and len(members) != len(images):
        problems.append(f"{len(images)} images, but {len(members)} groups")
    pixels = _rgb_arrays(images, problems)
    if problems:
        raise DataError(_gathered("images and labels of the same length", problems))
    names, indices = _class_indices(given, class_names)
    _check_classes(None, names, np.array(indices, np.int32), problems)
    paths = Paths(Path(f"array/{number:06}") for number in range(len(pixels)))
    parts = np.full(len(pixels), -1, np.int8)
    return Listing(None, names, paths, np.array(indices, np.int32), parts, members, pixels)


def _without(paths: Sequence[Path], one: Path) -> Sequence[Path]:
    """The paths, one of them left out where it is among them."""
    if not isinstance(paths, Paths):
        return paths
    row = paths.rows_of([one]).get(one)
    return paths if row is None else paths.take(np.delete(np.arange(len(paths)), row))


def _part_folders(root: Path, ignored: Paths) -> list[tuple[str | None, Path]]:
    """[(part, folder)]; one part None when the root holds the classes. `ignored` files grow."""
    folders = [root / entry.name for entry in visible(root) if entry.is_dir()]
    named = [(_PARTS.get(folder.name.lower()), folder) for folder in folders]
    training = [folder for part, folder in named if part == "train"]
    if not any(entry.is_dir() for folder in training for entry in visible(folder)):
        return [(None, root)]
    parts = [(part, folder) for part, folder in named if part is not None]
    doubled = sorted({part for part, _ in parts if [p for p, _ in parts].count(part) > 1})
    if doubled:
        raise DataError(
            f"Expected one folder each for train, validation and test in {printable(root)}, got "
            f"{', '.join(printable(folder.name) for _, folder in parts)}: two of them mean "
            f"{' and '.join(doubled)}. Rename or merge them."
        )
    for entry in visible(root):
        if entry.is_file():
            ignored.add(root, entry.name)
    for part, folder in named:
        if part is None:
            for kind, where, name in files_below(folder):
                if kind == "picture":
                    ignored.add(where, name)
    return list(parts)


def _class_folders(parent: Path, problems: list[str], ignored: Paths) -> list[Path]:
    folders: list[Path] = []
    loose: list[Path] = []
    for entry in visible(parent):
        path = parent / entry.name
        if entry.is_dir():
            folders.append(path)
        elif path.suffix.lower() in SUFFIXES:
            loose.append(path)
        else:
            ignored.add(parent, entry.name)
    if loose:
        problems.append(
            f"{len(loose)} picture(s) directly in {printable(parent)}, in no class folder, such "
            f"as {printable(loose[0].name)}"
        )
    return folders


def _check_classes(
    root: Path | None, class_names: Sequence[str], labels: np.ndarray, problems: list[str]
) -> None:
    numbers = np.bincount(labels, minlength=len(class_names)).tolist()
    problems += [
        f"class {name!r} has no pictures"
        for name, number in zip(class_names, numbers, strict=True)
        if not number
    ]
    if len(class_names) < 2:
        only = f"only one class, {class_names[0]!r}" if class_names else "no classes"
        problems.append(only + (_deeper(root, class_names) if root else ""))
    if problems:
        place = f" in {printable(root)}" if root else ""
        raise DataError(_gathered(f"at least two classes with pictures{place}", problems))


def _deeper(root: Path, class_names: Sequence[str]) -> str:
    """A hint when the class folders lie one folder further down."""
    if len(class_names) != 1 or not (root / class_names[0]).is_dir():
        return ""
    inner = [entry.name for entry in visible(root / class_names[0]) if entry.is_dir()]
    if len(inner) < 2:
        return ""
    return (
        f", which itself holds folders such as {printable(inner[0])!r}: did you mean "
        f"{printable(root / class_names[0])}?"
    )


def _gathered(expected: str, problems: Sequence[str]) -> str:
    shown = "\n".join(f"  - {problem}" for problem in problems[:20])
    more = f"\n  and {len(problems) - 20} more" if len(problems) > 20 else ""
    return (
        f"Expected {expected}, got:\n{shown}{more}\n"
        "Put every picture into a folder named after its class (or give it a label), remove "
        "empty classes, then try again."
    )


def _no_folder(root: Path) -> str:
    came = "a file" if root.exists() else "no such folder"
    hint = ""
    if root.is_file() and root.suffix.lower() == ".csv":
        hint = " For a table of pictures use ImageFolder.from_csv."
    elif root.parent.is_dir():
        names = [entry.name for entry in visible(root.parent) if entry.is_dir()]
        close = difflib.get_close_matches(root.name, names, n=3)
        if close:
            hint = f" Did you mean {' or '.join(printable(root.parent / name) for name in close)}?"
    return (
        f"Expected a folder with one sub-folder for each class, got {printable(root)!r}: {came}."
        f"{hint} Check the name; the working folder is {printable(Path.cwd())}."
    )


def _rgb_arrays(images: np.ndarray | Sequence[np.ndarray], problems: list[str]) -> list[np.ndarray]:
    if isinstance(images, np.ndarray) and images.ndim not in (3, 4):
        problems.append(f"images: expected (n, h, w, 3), (n, h, w, 1) or (n, h, w), "
                        f"got shape {images.shape}")  # fmt: skip
        return []
    pictures: list[np.ndarray] = []
    floats = [np.asarray(image) for image in images if np.asarray(image).dtype.kind == "f"]
    # Judged over all of them: one nearly black picture says nothing about the scale.
    brightest = max((float(image.max()) for image in floats if image.size), default=255.0)
    for number, image in enumerate(images):
        array = np.asarray(image)
        if array.dtype.kind == "f" and array.size and brightest > 1 and array.min() >= 0:
            array = np.rint(array).astype(np.uint8) if array.max() <= 255 else array
        try:
            picture = np.array(array_to_rgb(array))
        except DecodeError as err:
            problems.append(f"image {number}: {err.reason}")
            continue
        picture.setflags(write=False)
        pictures.append(picture)
    return pictures


def _class_indices(
    labels: np.ndarray, class_names: Sequence[str] | None
) -> tuple[tuple[str, ...], list[int]]:
    values = labels.astype(str) if labels.dtype.kind == "S" else labels
    found, inverse = np.unique(values, return_inverse=True)
    if class_names is None:
        return tuple(printable(str(value)) for value in found.tolist()), inverse.tolist()
    names = tuple(printable(str(name)) for name in class_names)
    if len(set(names)) != len(names):
        raise DataError(f"Expected class names that differ, got {names}: rename the repeated one.")
    if values.dtype.kind == "U":
        unknown = sorted(set(found.tolist()) - set(class_names))
        if not unknown:
            position = {name: index for index, name in enumerate(class_names)}
            return names, [position[value] for value in values.tolist()]
        close = difflib.get_close_matches(unknown[0], names, n=3)
        hint = f" Close to {unknown[0]!r}: {', '.join(close)}." if close else ""
        raise DataError(
            f"Expected labels among {list(names)}, got {unknown} too.{hint} Mend the labels, or "
            "leave class_names out."
        )
    if found.min() >= 0 and found.max() < len(names):
        return names, [int(value) for value in values]
    if len(found) == len(names):
        return names, inverse.tolist()
    raise DataError(
        f"Expected labels 0 to {len(names) - 1} for {len(names)} class names, got "
        f"{found.tolist()[:20]}: give one name for each label, in their sorted order."
    )
