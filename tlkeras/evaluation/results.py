"""Labels and probabilities, checked once, and every number that follows from them.

class_names  labels (n,)  probabilities (n, c)  names (n)
      └──────────┴──────────┬──────┴───────────────┘
   accuracy ± interval · per class · confusion · log loss · mistakes
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from tlkeras.errors import DataError
from tlkeras.evaluation import metrics
from tlkeras.evaluation.mistakes import (
    ConfusedPair,
    Mistake,
    highest_losses,
    most_confused,
    most_wrong,
)
from tlkeras.intervals import wilson_interval

if TYPE_CHECKING:
    from tlkeras.evaluation.page.story import Teller

SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False, repr=False)
class Results:
    """Numbers from labels (n,) int and probabilities (n, c) float in [0, 1], rows adding to 1.

    `names` says which picture a row is (its path as text); it stays with its row everywhere.

    >>> results = Results(("cat", "dog"), [0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.7, 0.3]])
    >>> round(results.accuracy, 3), results.worst(1)[0].name
    (0.667, 'row 2')
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    names: tuple[str, ...] = ()
    title: str = "Evaluation"
    thumbnails: Callable[[int], bytes | None] | None = None
    story: "Teller | None" = None

    def __post_init__(self) -> None:
        class_names = _checked_class_names(self.class_names)
        labels = _checked_labels(self.labels, class_names)
        probabilities = _checked_probabilities(self.probabilities, len(labels), len(class_names))
        names = tuple(str(name) for name in self.names)
        if not names:
            names = tuple(f"row {row}" for row in range(len(labels)))
        if len(names) != len(labels):
            raise DataError(
                f"Expected one name for each of the {len(labels)} labels; received {len(names)} "
                "names. Pass the paths in the order of the labels."
            )
        for field, value in (
            ("class_names", class_names),
            ("labels", labels),
            ("probabilities", probabilities),
            ("names", names),
        ):
            object.__setattr__(self, field, value)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def predicted(self) -> np.ndarray:
        """Class index (n,) int64 with the highest probability; the first one on a tie."""
        return self.probabilities.argmax(axis=1)

    @cached_property
    def correct(self) -> int:
        """Number of right answers."""
        return int(np.sum(self.predicted == self.labels))

    @property
    def accuracy(self) -> float:
        """Share of right answers in [0, 1]."""
        return metrics.accuracy(self.labels, self.predicted)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval (low, high) of the accuracy."""
        return wilson_interval(self.correct, len(self))

    @cached_property
    def confusion(self) -> np.ndarray:
        """Counts (c, c) int64; rows are the true classes, columns the answers."""
        return metrics.confusion_matrix(self.labels, self.predicted, len(self.class_names))

    @cached_property
    def per_class(self) -> tuple[metrics.ClassScore, ...]:
        """Precision, recall, F1 and support, one entry a class."""
        return metrics.per_class(self.confusion, self.class_names)

    @cached_property
    def recall_intervals(self) -> tuple[tuple[float, float] | None, ...]:
        """Wilson's 95 % interval (low, high) of each class's recall; None without pictures."""
        support = self.confusion.sum(axis=1).tolist()
        found = self.confusion.diagonal().tolist()
        return tuple(
            wilson_interval(right, n) if n else None
            for right, n in zip(found, support, strict=True)
        )

    @property
    def macro(self) -> metrics.ClassScore:
        """Mean precision, recall and F1 over the classes that have pictures."""
        return metrics.macro_average(self.per_class)

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that have pictures, in [0, 1]."""
        return metrics.balanced_accuracy(self.confusion)

    @cached_property
    def log_loss(self) -> float:
        """Mean of -ln p(true class), in nats; lower is better."""
        return metrics.log_loss(self.labels, self.probabilities)

    @cached_property
    def mean_confidence(self) -> float:
        """Mean probability of the predicted class in [0, 1]; near the accuracy when honest."""
        return float(np.mean(self.probabilities.max(axis=1), dtype=np.float64))

    @property
    def reliability(self) -> Literal["honest", "overconfident", "underconfident"]:
        """Where the mean confidence lies against the interval of the accuracy."""
        low, high = self.interval
        if self.mean_confidence > high:
            return "overconfident"
        return "underconfident" if self.mean_confidence < low else "honest"

    @property
    def baseline(self) -> tuple[str, float]:
        """The commonest true class and the accuracy of always answering it."""
        support = self.confusion.sum(axis=1)
        return self.class_names[int(support.argmax())], float(support.max() / len(self))

    def worst(self, k: int = 10) -> list[Mistake]:
        """Up to `k` wrong answers, those the model was surest of first."""
        return most_wrong(k, self.labels, self.probabilities, self.names, self.class_names)

    def top_losses(self, k: int = 10) -> list[Mistake]:
        """The `k` pictures whose true class got the least, right answers among them."""
        return highest_losses(k, self.labels, self.probabilities, self.names, self.class_names)

    def confused(self, k: int = 10) -> list[ConfusedPair]:
        """Up to `k` pairs of classes with the most mistakes between them."""
        return most_confused(k, self.confusion, self.class_names)


def _checked_class_names(names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise DataError(
            f"class_names is expected to be a sequence of names; received the text {names!r}. "
            "Pass a tuple, for example ('cat', 'dog')."
        )
    class_names = tuple(str(name) for name in names)
    if len(class_names) < 2:
        raise DataError(
            f"Expected at least 2 class names; received {class_names}. "
            "A classifier needs something to choose between."
        )
    twice = sorted({name for name in class_names if class_names.count(name) > 1})
    if twice:
        raise DataError(
            f"Expected every class name once; received more than once: {', '.join(twice)}. "
            "Rename or merge these classes."
        )
    return class_names


def _checked_labels(labels: np.ndarray, class_names: tuple[str, ...]) -> np.ndarray:
    """Give a read-only copy (n,) int64 with every value in 0 … c-1."""
    array = np.asarray(labels)
    if array.size == 0:
        raise DataError(
            "Expected at least one labelled picture to evaluate on; received none. "
            "Give the test part some pictures: a larger share in `split`, or a test folder."
        )
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(
            "labels is expected to be class indices of shape (n,) and an integer dtype; received "
            f"shape {array.shape}, dtype {array.dtype}. Use argmax(axis=1) on one-hot labels."
        )
    outside = np.flatnonzero((array < 0) | (array >= len(class_names)))
    if outside.size:
        row = int(outside[0])
        raise DataError(
            f"labels is expected within 0 … {len(class_names) - 1}; received {array[row]} in row "
            f"{row} ({outside.size} such rows). Use the class names the labels were made with."
        )
    copy = array.astype(np.int64)
    copy.flags.writeable = False
    return copy


def _checked_probabilities(probabilities: np.ndarray, n: int, classes: int) -> np.ndarray:
    """Give a read-only copy (n, c), float32 or wider, rows adding to 1."""
    array = np.array(probabilities)
    if array.shape != (n, classes):
        raise DataError(
            f"probabilities is expected to have shape ({n}, {classes}), a row for each label and a "
            f"column for each class; received {array.shape}. Evaluate the same pictures and "
            "classes that the labels come from."
        )
    if array.dtype.kind != "f" or array.dtype.itemsize < 4:
        array = array.astype(np.float32)
    _refuse_rows(
        ~np.isfinite(array).all(axis=1),
        array,
        "only finite numbers",
        "The training has probably diverged: lower the learning rate and train again.",
    )
    _refuse_rows(
        ((array < -SUM_TOLERANCE) | (array > 1 + SUM_TOLERANCE)).any(axis=1),
        array,
        "values in [0, 1]",
        "Pass the scores through softmax first.",
    )
    _refuse_rows(
        np.abs(array.sum(axis=1, dtype=np.float64) - 1) > SUM_TOLERANCE,
        array,
        f"rows that add to 1 within {SUM_TOLERANCE}",
        "Pass the scores through softmax first.",
    )
    array.flags.writeable = False
    return array


def _refuse_rows(bad: np.ndarray, array: np.ndarray, expected: str, remedy: str) -> None:
    """Raise when any row is bad, showing the first one."""
    if bad.any():
        row = int(bad.argmax())
        shown = np.array2string(array[row], threshold=6, edgeitems=3, precision=4)
        raise DataError(
            f"probabilities is expected to hold {expected}; received {shown} in row {row} "
            f"({int(bad.sum())} such rows of {len(array)}). {remedy}"
        )
