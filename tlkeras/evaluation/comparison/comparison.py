"""Several classifiers on the same pictures: figures with intervals, every pair, every flip."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import DataError
from tlkeras.evaluation.comparison.pair import Pair, pairs_of
from tlkeras.intervals import wilson_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Compared:
    """One classifier that is compared.

    Attributes:
        name: what to call it.
        predicted: (n,) int, the class that it answers for each picture.
        size_mb: of its saved model file, in millions of bytes; None where not known.
        ms_per_picture: milliseconds a picture takes on this machine; None where not measured.
    """

    name: str
    predicted: np.ndarray
    size_mb: float | None = None
    ms_per_picture: float | None = None


@dataclass(frozen=True)
class Flip:
    """A picture that not all classifiers answer alike; `answers` in the order of the models."""

    path: str
    truth: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One line of the table: a classifier with its figures; shares in [0, 1]."""

    name: str
    correct: int
    accuracy: float
    interval: tuple[float, float]
    size_mb: float | None
    ms_per_picture: float | None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison:
    """Classifiers that answered the same pictures, and what can be told apart.

    Args:
        class_names: name of each class index.
        labels: (n,) int, the true classes.
        paths: which picture each row is, as text.
        models: two or more classifiers with their answers.
        notes: what a reader should know of how the figures came about.

    >>> comparison = Comparison(
    ...     ("cat", "dog"),
    ...     [0, 1, 1],
    ...     ("a.jpg", "b.jpg", "c.jpg"),
    ...     [Compared("small", [0, 0, 1], 2.1, 3.0), Compared("large", [0, 1, 1], 9.4, 12.5)],
    ... )
    >>> comparison.table[1].accuracy, comparison.flips[0].path, comparison.pairs[0].p
    (1.0, 'b.jpg', 1.0)
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    paths: tuple[str, ...]
    models: Sequence[Compared]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if len(self.models) < 2:
            raise DataError(
                f"A comparison needs two classifiers or more. Received: {len(self.models)}. "
                "Name another, or use evaluate for one."
            )
        names = [model.name for model in self.models]
        if len(set(names)) < len(names):
            raise DataError(
                f"Classifiers that are compared have names that differ. Received: {names}. "
                "Rename one."
            )
        labels = _checked(self.labels, "labels", len(self.paths), len(self.class_names))
        object.__setattr__(self, "labels", labels)
        object.__setattr__(
            self,
            "models",
            tuple(
                Compared(
                    model.name,
                    _checked(model.predicted, model.name, len(labels), len(self.class_names)),
                    model.size_mb,
                    model.ms_per_picture,
                )
                for model in self.models
            ),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def table(self) -> tuple[Row, ...]:
        """One row a classifier, in the order they were given."""
        rows = []
        for model in self.models:
            correct = int((model.predicted == self.labels).sum())
            share, interval = correct / len(self), wilson_interval(correct, len(self))
            rows.append(
                Row(model.name, correct, share, interval, model.size_mb, model.ms_per_picture)
            )
        return tuple(rows)

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Every two of them, in order."""
        answers = [model.predicted for model in self.models]
        right = [(answer == self.labels).tolist() for answer in answers]
        flips = [[int((a != b).sum()) for b in answers] for a in answers]
        return tuple(pairs_of([model.name for model in self.models], right, flips))

    @cached_property
    def flips(self) -> tuple[Flip, ...]:
        """The pictures that not all of them answer alike."""
        answers = np.stack([model.predicted for model in self.models])
        return tuple(
            Flip(
                self.paths[row],
                self.class_names[self.labels[row]],
                tuple(self.class_names[label] for label in answers[:, row]),
            )
            for row in np.flatnonzero((answers != answers[0]).any(axis=0)).tolist()
        )

    @property
    def sentences(self) -> tuple[str, ...]:
        """What the pictures say of every pair, a plain sentence or two each."""
        return tuple(pair.sentence for pair in self.pairs)

    def __repr__(self) -> str:
        return f"Comparison({len(self.models)} classifiers, {len(self)} pictures)"

    def __str__(self) -> str:
        from tlkeras.evaluation.comparison.text import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from tlkeras.evaluation.comparison.text import to_html

        return to_html(self)

    def to_dict(self) -> dict[str, object]:
        """Every number and every flip as plain Python values, ready for JSON."""
        return {
            "n": len(self),
            "models": [{**vars(row), "interval": list(row.interval)} for row in self.table],
            "pairs": [pair.to_dict() for pair in self.pairs],
            "sentences": list(self.sentences),
            "flips": [
                {
                    "path": flip.path,
                    "truth": flip.truth,
                    "answers": dict(
                        zip((row.name for row in self.table), flip.answers, strict=True)
                    ),
                }
                for flip in self.flips
            ],
            "notes": list(self.notes),
        }

    def plot(self) -> "Figure":
        """A matplotlib figure: accuracy with its interval, and what only one of two has right.

        Raises:
            MissingExtraError: matplotlib is not installed.

        Example::

            comparison.plot().savefig("comparison.png", dpi=150)
        """
        from tlkeras.evaluation.comparison.plot import figure

        return figure(self)


def _checked(values: np.ndarray, what: str, n: int, classes: int) -> np.ndarray:
    """A read-only copy (n,) int64 with every value in 0 … classes-1."""
    array = np.array(values)
    within = array.dtype.kind in "iu" and array.size and 0 <= array.min() <= array.max() < classes
    if array.shape != (n,) or not within:
        raise DataError(
            f"Expected {n} class indices in 0 to {classes - 1}, one a picture and at least one. "
            f"Received for {what}: shape {array.shape}, dtype {array.dtype}. Let all classifiers "
            "answer the same pictures."
        )
    array = array.astype(np.int64)
    array.flags.writeable = False
    return array
