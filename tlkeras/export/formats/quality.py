"""What a smaller file costs: its accuracy before and after, and how often the labels agree."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.backbones.foreign.doors import read_json
from tlkeras.errors import ExportError, ParityError
from tlkeras.export.named import PROBABILITIES, SCORE

if TYPE_CHECKING:
    import keras

Table = Callable[[np.ndarray], np.ndarray]
"""Pixels (n, size_px, size_px, 3) float32 in [0, 255] → probabilities (n, classes) float32.

With an unknown score that is one column more.
"""


@dataclass(frozen=True)
class Quality:
    """A file's answers for one part of the pictures, beside those of the model it came from.

    Attributes:
        part: "validation", "test" or whatever the pictures were called.
        pictures: how many.
        before: share right by the model; None where the labels are not known.
        after: share right by the file.
        agreement: share of pictures that both give the same label.
        largest_difference: of a probability.
        unknown_agreement: share of pictures that both mark as unlike the training pictures, or
            both do not; None where the file has no unknown score.
        unknown_difference: largest one of an unknown score.

    >>> print(Quality("test", 200, 0.94, 0.935, 0.985, 0.12))
    200 test pictures: accuracy 0.940 before and 0.935 after, 98.5 % of the labels agree
    """

    part: str
    pictures: int
    before: float | None
    after: float | None
    agreement: float
    largest_difference: float
    unknown_agreement: float | None = None
    unknown_difference: float | None = None

    @property
    def drop(self) -> float:
        """Accuracy lost; below 0 where the file is better; labels that differ if none is known."""
        if self.before is None or self.after is None:
            return 1.0 - self.agreement
        return self.before - self.after

    def to_dict(self) -> dict[str, object]:
        """The fields as JSON can hold them."""
        return asdict(self)

    def __str__(self) -> str:
        agree = f"{100 * self.agreement:.1f} % of the labels agree"
        if self.unknown_agreement is not None:
            agree += f" and {100 * self.unknown_agreement:.1f} % of the marks for unlike pictures"
        shown = f"{self.pictures} {self.part} pictures"
        if self.before is None or self.after is None:
            return f"{shown}: {agree}"
        return f"{shown}: accuracy {self.before:.3f} before and {self.after:.3f} after, {agree}"


def quality(
    part: str,
    expected: np.ndarray,
    found: np.ndarray,
    labels: np.ndarray | None = None,
    classes: int | None = None,
) -> Quality:
    """How the answers `found` of a file compare with the model's `expected`, (n, c) both.

    Args:
        part: what the pictures are called.
        expected: the model's table.
        found: the file's. Answers that are not numbers agree with nothing.
        labels: the true classes (n,) int, if they are known.
        classes: columns that are probabilities, if an unknown score follows them.

    >>> expected, found = np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([[0.8, 0.2], [0.6, 0.4]])
    >>> quality("test", expected, found, np.array([0, 1])).agreement
    0.5
    """
    if expected.shape != found.shape or not len(expected):
        raise ExportError(
            "Expected a row of probabilities by the model and by the file for each of 1 or more "
            f"pictures, came {expected.shape} and {found.shape}. Hand in pictures of the model's "
            "own size."
        )
    wanted, given = expected[:, :classes], found[:, :classes]
    usable = np.isfinite(given).all(axis=1)
    ours, theirs = wanted.argmax(axis=1), np.where(usable, given.argmax(axis=1), -1)
    told = Quality(
        part,
        len(expected),
        None if labels is None else float((ours == labels).mean()),
        None if labels is None else float((theirs == labels).mean()),
        float((ours == theirs).mean()),
        _apart(wanted, given),
    )
    if wanted.shape == expected.shape:
        return told
    scores, others = expected[:, classes], found[:, classes]
    alike = np.isfinite(others) & ((scores > 1) == (others > 1))
    return replace(
        told,
        unknown_agreement=float(alike.mean()),
        unknown_difference=_apart(scores, others),
    )


def _apart(expected: np.ndarray, found: np.ndarray) -> float:
    return float(np.where(np.isfinite(found), np.abs(expected - found), np.inf).max())


def model_answers(network: "keras.Model", pixels: np.ndarray, batch_size: int = 32) -> np.ndarray:
    """Probabilities (n, c) float32 by Keras, for pixels (n, size_px, size_px, 3).

    Of a `named_network` with an unknown score that is one column more.
    """
    starts = range(0, len(pixels), batch_size)
    batches = (np.asarray(pixels[start : start + batch_size], np.float32) for start in starts)
    return np.concatenate([_table(network(batch, training=False)) for batch in batches])


def _table(given: Any) -> np.ndarray:
    if not isinstance(given, dict):
        return np.asarray(given, np.float32)
    names = [name for name in (PROBABILITIES, SCORE) if name in given]
    return np.column_stack([np.asarray(given[name], np.float32) for name in names])


def check_drop(found: Quality, max_drop: float, name: str) -> None:
    """Nothing when a file is good enough.

    Raises:
        ParityError: it loses more accuracy than `max_drop`.
    """
    if found.drop > max_drop + 1e-9:
        raise ParityError(
            f"Expected {name} to lose no more than {max_drop:g} of its accuracy. Received: "
            f"{found}. Take litert-float16: it is half as large as float32 and computes in float, "
            "so that its answers stay; or, for int8, calibrate on more or other pictures; or allow "
            "more with max_drop."
        )


def quality_file(path: str | Path) -> Path:
    """Where the quality of a file is written: beside it.

    >>> quality_file("flowers_int8.tflite").name
    'flowers_int8.tflite.parity.json'
    """
    return Path(f"{path}.parity.json")


def read_quality(path: str | Path) -> tuple[Quality, ...]:
    """The quality of the file at `path` as it was measured when it was written.

    Raises:
        ExportError: nothing was written beside it.

    Example::

        for each in read_quality("flowers_int8.tflite"):
            print(each)
    """
    note = quality_file(path)
    try:
        told: Any = read_json(note)
        return tuple(Quality(**_fields(row)) for row in told["quality"])
    except (ValueError, TypeError, KeyError) as error:
        raise ExportError(
            f"Expected the quality of '{path}' in '{note}', but: {error}. Export it again."
        ) from error


def _fields(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in Quality.__dataclass_fields__ if name in row}
