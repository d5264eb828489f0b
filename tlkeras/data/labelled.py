"""Which files (or arrays) there are, and the label each was given: nothing is opened yet.

folder/class/*.jpg                         ┐
folder/{train,val,test}/class/*.jpg        ├─▶ Listing
csv: path,label[,split][,group]            │
images (n, …), labels (n,)                 ┘
"""

import csv
import difflib
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tlkeras.data.decode import SUFFIXES, array_to_rgb
from tlkeras.data.picture import SetAside, printable
from tlkeras.data.sources import pictures_below, real_folders, visible
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


@dataclass(frozen=True, eq=False)
class Labelled:
    """One file or array with its label; `part` and `group` are None where none was given."""

    path: Path
    label: int
    part: str | None = None
    group: Hashable = None
    pixels: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Listing:
    """All labelled pictures of a data set, before any was opened."""

    root: Path | None
    class_names: tuple[str, ...]
    pictures: tuple[Labelled, ...]
    ignored: tuple[Path, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def list_folder(folder: str | Path) -> Listing:
    """Pictures in class folders, or in class folders below train/, val/ and test/."""
    root = Path(folder)
    if not root.is_dir():
        raise DataError(_no_folder(root))
    try:
        parts, ignored = _part_folders(root)
    except OSError as err:
        raise DataError(
            f"Expected a folder that can be listed, got {printable(root)!r}: {err.strerror}. "
            "Check its permissions."
        ) from err
    seen = real_folders(root)
    problems: list[str] = []
    found: list[tuple[str, str | None, Path]] = []
    closed: list[Path] = []
    names: dict[str, None] = {}
    for part, parent in parts:
        for class_folder in _class_folders(parent, problems, ignored):
            seen.update(real_folders(class_folder))
            pictures, others, unlisted = pictures_below(class_folder, seen)
            class_name = printable(class_folder.name)
            names[class_name] = None
            ignored += others
            closed += unlisted
            found += [(class_name, part, path) for path in pictures]
    class_names = tuple(sorted(names))
    _check_classes(root, class_names, [name for name, _, _ in found], problems)
    index = {name: label for label, name in enumerate(class_names)}
    return Listing(
        root,
        class_names,
        tuple(Labelled(path, index[name], part) for name, part, path in found),
        tuple(ignored),
        tuple(SetAside(path, "the folder cannot be listed") for path in closed),
    )


def list_csv(table: str | Path, root: str | Path | None = None) -> Listing:
    """Pictures named in a table with the columns path and label, perhaps split and group."""
    table = Path(table)
    where = table.parent if root is None else Path(root)
    problems: list[str] = []
    rows: list[tuple[Path, str, str | None, str | None]] = []
    repeated: list[SetAside] = []
    known: dict[tuple[str, str], int] = {}
    for line, row in _csv_rows(table):
        path, label = row.get("path", ""), row.get("label", "")
        part = _PARTS.get(row.get("split", "").lower())
        if not path or not label:
            problems.append(f"line {line}: no {'path' if not path else 'label'}")
        elif row.get("split") and part is None:
            problems.append(f"line {line}: split {row['split']!r} is not train, validation or test")
        elif (path, label) in known:
            repeated.append(
                SetAside(where / path, f"line {line} repeats line {known[path, label]}", "repeated")
            )
        else:
            known[path, label] = line
            rows.append((where / path, printable(label), part, row.get("group") or None))
    if any(part for _, _, part, _ in rows):
        problems += [f"{printable(path)}: no split, but other rows have one"
                     for path, _, part, _ in rows if part is None]  # fmt: skip
    class_names = tuple(sorted({label for _, label, _, _ in rows}))
    _check_classes(table, class_names, [label for _, label, _, _ in rows], problems)
    index = {name: label for label, name in enumerate(class_names)}
    pictures = (Labelled(path, index[name], part, group) for path, name, part, group in rows)
    return Listing(where, class_names, tuple(pictures), set_aside=tuple(repeated))


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
    members = [None] * len(images) if groups is None else list(groups)
    if len(members) != len(images):
        problems.append(f"{len(images)} images, but {len(members)} groups")
    pixels = _rgb_arrays(images, problems)
    if problems:
        raise DataError(_gathered("images and labels of the same length", problems))
    names, indices = _class_indices(given, class_names)
    _check_classes(None, names, [names[index] for index in indices], problems)
    pictures = (
        Labelled(Path(f"array/{number:06}"), index, None, group, picture)
        for number, (picture, index, group) in enumerate(zip(pixels, indices, members, strict=True))
    )
    return Listing(None, names, tuple(pictures))


def _part_folders(root: Path) -> tuple[list[tuple[str | None, Path]], list[Path]]:
    """[(part, folder)] and files to report; one part None when the root holds the classes."""
    folders = [root / entry.name for entry in visible(root) if entry.is_dir()]
    named = [(_PARTS.get(folder.name.lower()), folder) for folder in folders]
    training = [folder for part, folder in named if part == "train"]
    if not any(entry.is_dir() for folder in training for entry in visible(folder)):
        return [(None, root)], []
    parts = [(part, folder) for part, folder in named if part is not None]
    doubled = sorted({part for part, _ in parts if [p for p, _ in parts].count(part) > 1})
    if doubled:
        raise DataError(
            f"Expected one folder each for train, validation and test in {printable(root)}, got "
            f"{', '.join(printable(folder.name) for _, folder in parts)}: two of them mean "
            f"{' and '.join(doubled)}. Rename or merge them."
        )
    beside = [root / entry.name for entry in visible(root) if entry.is_file()]
    for part, folder in named:
        if part is None:
            beside += pictures_below(folder)[0]
    return list(parts), beside


def _class_folders(parent: Path, problems: list[str], ignored: list[Path]) -> list[Path]:
    folders: list[Path] = []
    loose: list[Path] = []
    for entry in visible(parent):
        path = parent / entry.name
        if entry.is_dir():
            folders.append(path)
        elif path.suffix.lower() in SUFFIXES:
            loose.append(path)
        else:
            ignored.append(path)
    if loose:
        problems.append(
            f"{len(loose)} picture(s) directly in {printable(parent)}, in no class folder, such "
            f"as {printable(loose[0].name)}"
        )
    return folders


def _check_classes(
    root: Path | None, class_names: Sequence[str], labels: Sequence[str], problems: list[str]
) -> None:
    used = set(labels)
    problems += [f"class {name!r} has no pictures" for name in class_names if name not in used]
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


def _csv_rows(table: Path) -> list[tuple[int, dict[str, str]]]:
    """(line number, values by lower-case column name) of each row."""
    try:
        with open(table, encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file)
            header = [name.strip().lower() for name in next(reader, [])]
            missing = [name for name in ("path", "label") if name not in header]
            if missing:
                raise DataError(
                    f"Expected the columns path and label (and perhaps split, group) in "
                    f"{printable(table)}, got {', '.join(header) or 'an empty file'}: "
                    f"{' and '.join(missing)} missing. Name them in the first line, separated "
                    "by commas."
                )
            return [
                (reader.line_num, dict(zip(header, map(str.strip, values), strict=False)))
                for values in reader
                if any(values)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as err:
        raise DataError(
            f"Expected a comma-separated UTF-8 table of pictures, got {printable(table)}: {err}. "
            "Check the name and save it as CSV UTF-8."
        ) from err


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
