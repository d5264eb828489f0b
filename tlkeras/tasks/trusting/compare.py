"""Which of several trained classifiers is better, smaller, faster: on the same pictures, here.

runs ─ the test part that they share ─ answers of each ─▶ Comparison
"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np

from tlkeras.bundle.bundle import MODEL
from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Part
from tlkeras.data.pipeline import some_pixels
from tlkeras.errors import DataError
from tlkeras.evaluation.comparison import Compared, Comparison
from tlkeras.features.engines.timing import pictures_per_second
from tlkeras.progress import Progress, of, showing
from tlkeras.tasks.fitted import Fitted, columns_of, recorded_part
from tlkeras.tasks.image_classifier import ImageClassifier, labelled_part
from tlkeras.tasks.network.forms import InFolder

Given = ImageClassifier | str | Path

ROUNDS = 3
SECONDS = 0.3
PICTURES_TO_TIME = 16
TIMED = (
    "A picture's time is this machine's with every core busy, of a decoded picture: the median of "
    f"{ROUNDS} rounds in turn."
)


def compare(
    classifiers: Sequence[Given],
    data: Part | ImageFolder | str | Path | None = None,
    *,
    progress: Progress | None = None,
) -> Comparison:
    """Accuracy with intervals, size, time and every flipped answer of trained classifiers.

    All of them answer the same pictures; classes are matched by name. What differs is tested with
    McNemar's exact test, so that "not distinguishable" is said where it is so.

    Args:
        classifiers: two or more, each an ImageClassifier or a run folder.
        data: labelled pictures, as `ImageClassifier.evaluate` takes them; those that one of the
            classifiers was trained on are left out, and counted in `notes`. None: the test part
            that all of them kept aside.
        progress: told how far the work is; None shows it in the terminal or the log.

    Raises:
        DataError: fewer than two, test parts that differ, or no picture that is new to all.
        BundleError: not a run folder.

    Example::

        comparison = tl.compare(["runs/small", "runs/large"])
        print(comparison)
        comparison.flips[0]         # path, truth, the answer of each
        comparison.plot()
    """
    fitted = _named(classifiers)
    with showing(progress) as show:
        part, notes = _pictures(data, fitted)
        # A class that only some of them know is an answer too.
        names = tuple(
            dict.fromkeys((*part.class_names, *(n for f in fitted.values() for n in f.class_names)))
        )
        answers = {
            name: columns_of(one.class_names, names)[_answers(one, part, of(name, show))]
            for name, one in fitted.items()
        }
        times = _milliseconds(fitted, part)
        models = [
            Compared(name, answers[name], _megabytes(one), times[name])
            for name, one in fitted.items()
        ]
    paths = tuple(picture.name for picture in part.pictures)
    return Comparison(names, part.labels, paths, models, (*notes, *_unlike(fitted), TIMED))


def _named(classifiers: Sequence[Given]) -> dict[str, Fitted]:
    if isinstance(classifiers, str | Path | ImageClassifier) or len(classifiers) < 2:
        raise DataError(
            "A comparison needs two classifiers or more, in a list. Received: "
            f"{classifiers!r:.200}. Name the run folders: compare(['runs/a', 'runs/b'])."
        )
    found: dict[str, Fitted] = {}
    given_paths = [given for given in classifiers if not isinstance(given, ImageClassifier)]
    for given in classifiers:
        loaded = given if isinstance(given, ImageClassifier) else ImageClassifier.load(given)
        name = (
            loaded.source.label
            if isinstance(given, ImageClassifier)
            else _short(given, given_paths)
        )
        numbered = (f"{name} ({number})" for number in range(2, len(classifiers) + 1))
        free = name if name not in found else next(n for n in numbered if n not in found)
        found[free] = loaded._trained()
    return found


def _short(folder: str | Path, folders: Sequence[str | Path]) -> str:
    """The run folder's own name, or its path where another has the same."""
    names = [Path(other).resolve().name for other in folders]
    name = Path(folder).resolve().name
    return name if names.count(name) == 1 else str(folder)


def _pictures(
    data: Part | ImageFolder | str | Path | None, fitted: Mapping[str, Fitted]
) -> tuple[Part, list[str]]:
    """What they are compared on, and what a reader should know of it."""
    if data is None:
        return _shared_part(fitted), []
    return _new_to_all(labelled_part(data), fitted)


def _shared_part(fitted: Mapping[str, Fitted]) -> Part:
    """The test part that all of them kept aside, from wherever its files still are."""
    parts = {name: _kept_aside(one) for name, one in fitted.items()}
    (first, expected), *others = parts.items()
    for name, rows in others:
        if rows == expected and rows:
            continue
        raise DataError(
            "Classifiers are compared on the test part that all of them kept aside. Received: "
            f"{len(expected):,} test pictures of {first}, {len(rows):,} of {name}, "
            f"{len(expected & rows):,} in common. Train both on the same folder with the same seed "
            "and split, or name labelled pictures: compare(…, data=…), --data."
        )
    *most, last = fitted.values()
    for one in most:
        try:
            return recorded_part(one, "test")
        except DataError:  # another run may have been trained on a copy that is still there
            continue
    return recorded_part(last, "test")


def _kept_aside(fitted: Fitted) -> set[tuple[str, str]]:
    rows = fitted.manifest
    return {(str(row["sha256"]), str(row["label"])) for row in rows if row["part"] == "test"}


def _new_to_all(part: Part, fitted: Mapping[str, Fitted]) -> tuple[Part, list[str]]:
    """The part without pictures that a classifier was trained on, and how many those were."""
    notes, kept = [], list(part.pictures)
    for name, one in fitted.items():
        seen = {str(row["sha256"]) for row in one.manifest if row["part"] != "test"}
        known = [picture for picture in kept if picture.sha256 in seen]
        if known:
            kept = [picture for picture in kept if picture.sha256 not in seen]
            notes.append(f"Left out: {len(known):,} pictures that {name} was trained on.")
    if not kept:
        raise DataError(
            "A comparison needs pictures that no classifier was trained on. Received: "
            f"{len(part):,} pictures, none of them. {' '.join(notes)} Leave `data` away for the "
            "test part, or name other pictures."
        )
    return Part(part.name, kept, part.class_names), notes


def _answers(fitted: Fitted, part: Part, show: Progress) -> np.ndarray:
    """(n,) int64 columns of the classifier's own classes."""
    columns_of(part.class_names, fitted.class_names)  # a class it does not know is told
    return fitted.network.score(part.pictures, show).argmax(axis=1)


def _milliseconds(fitted: Mapping[str, Fitted], part: Part) -> dict[str, float]:
    """A picture's time by each network, timed in turn: a busy moment then hits all of them."""
    rates: dict[str, list[float]] = {name: [] for name in fitted}
    pixels: dict[int, np.ndarray] = {}
    for one in fitted.values():
        side = one.spec.size_px
        if side not in pixels:
            pixels[side] = some_pixels(part.pictures, side, PICTURES_TO_TIME)
    for _ in range(ROUNDS):
        for name, one in fitted.items():
            shown_to_it = pixels[one.spec.size_px]
            engine = one.network.engine(len(part), partial(np.asarray, shown_to_it))
            rates[name].append(pictures_per_second(engine, shown_to_it, SECONDS))
    return {name: 1000 / median(found) for name, found in rates.items()}


def _megabytes(fitted: Fitted) -> float:
    """Size of the model file that is saved, in millions of bytes."""
    if isinstance(fitted.network, InFolder):
        return (fitted.network.stored.folder / MODEL).stat().st_size / 1e6
    with TemporaryDirectory() as folder:
        fitted.network.write_keras(Path(folder) / MODEL)
        return (Path(folder) / MODEL).stat().st_size / 1e6


def _unlike(fitted: Mapping[str, Fitted]) -> list[str]:
    counts = {name: len(one.class_names) for name, one in fitted.items()}
    if len({frozenset(one.class_names) for one in fitted.values()}) == 1:
        return []
    listed = ", ".join(f"{name} {count}" for name, count in counts.items())
    return [f"They do not choose among the same classes ({listed}): more make it harder."]
