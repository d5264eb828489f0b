"""What `predict` gives: an answer a picture, and which picture it belongs to."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tlkeras.data.picture import printable
from tlkeras.rows import html_table


@dataclass(frozen=True)
class Prediction:
    """The answer for one picture; `label` is None and `reason` says why where it can't be read.

    `unknown_score` above 1 says that the picture is unlike the training pictures; None where
    the classifier has no such score.
    """

    path: str
    label: str | None
    score: float
    reason: str | None = None
    unknown_score: float | None = None

    @property
    def unknown(self) -> bool:
        """Whether the picture is unlike the training pictures, as far as that can be told."""
        return self.unknown_score is not None and self.unknown_score > 1


@dataclass(frozen=True, repr=False)
class Predictions:
    """Answers in the order the pictures were given.

    Attributes:
        paths: (n,) text, the file of each row, or "bytes 3", "array 3" for data in memory.
        probabilities: (n, classes) float32; NaN in rows whose picture can't be read.
        class_names: name of each column.
        unreadable: reason by row, for pictures that can't be read.
        unknown_scores: (n,) float32, how unlike the training pictures each is; above 1 more
            than nearly all pictures like them (the recipe's `false_alarms` says how nearly). NaN
            in rows that can't be read, and in all where the classifier has no such score.

    >>> table = Predictions(("a.jpg",), np.array([[0.2, 0.8]], "float32"), ("cat", "dog"), {})
    >>> table.labels, round(table[0].score, 2)
    (('dog',), 0.8)
    """

    paths: tuple[str, ...]
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    unreadable: dict[int, str]
    unknown_scores: np.ndarray = field(default_factory=lambda: np.empty(0, "float32"))

    def __post_init__(self) -> None:
        if not len(self.unknown_scores):
            nothing = np.full(len(self.paths), np.nan, "float32")
            object.__setattr__(self, "unknown_scores", nothing)

    @property
    def unknown(self) -> np.ndarray:
        """(n,) bool, which pictures are unlike the training ones; False where it is not known."""
        return np.asarray(self.unknown_scores > 1)

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The most probable class of each row; None where the picture can't be read."""
        return tuple(row.label for row in self)

    @property
    def scores(self) -> np.ndarray:
        """(n,) float32 probability of the label; NaN where the picture can't be read."""
        return self.probabilities.max(axis=1)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> Prediction:
        path = self.paths[row]
        if row in self.unreadable:
            return Prediction(path, None, float("nan"), self.unreadable[row])
        best = int(self.probabilities[row].argmax())
        score, strange = float(self.probabilities[row, best]), float(self.unknown_scores[row])
        known = None if np.isnan(strange) else strange
        return Prediction(path, self.class_names[best], score, None, known)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[row] for row in range(len(self)))

    def __repr__(self) -> str:
        return f"Predictions({len(self)} pictures, {len(self.unreadable)} not readable)"

    def _repr_html_(self) -> str:
        rows = (
            (printable(row.path), "", "", f"not readable: {row.reason}")
            if row.label is None
            else (printable(row.path), row.label, f"{row.score:.3f}", _note(row))
            for row in self
        )
        return html_table(("picture", "label", "score", ""), rows, numbers=(2,))

    def __str__(self) -> str:
        width = max((len(path) for path in self.paths), default=0)
        return "\n".join(
            f"{row.path:<{width}}  {row.label}  {row.score:.3f}  {_note(row)}".rstrip()
            if row.label is not None
            else f"{row.path:<{width}}  not readable: {row.reason}"
            for row in self
        )

    def to_dict(self) -> list[dict[str, object]]:
        """One plain dictionary a row, as JSON can hold it."""
        return [
            {"path": row.path, "label": None, "reason": row.reason}
            if row.label is None
            else {
                "path": row.path,
                "label": row.label,
                "score": row.score,
                "probabilities": dict(
                    zip(self.class_names, self.probabilities[index].tolist(), strict=True)
                ),
                **(
                    {}
                    if row.unknown_score is None
                    else {"unknown_score": row.unknown_score, "unknown": row.unknown}
                ),
            }
            for index, row in enumerate(self)
        ]


def _note(row: Prediction) -> str:
    """What to add to an answer that should not be relied on."""
    if not row.unknown:
        return ""
    return f"unlike the training pictures (unknown score {row.unknown_score:.2f})"
