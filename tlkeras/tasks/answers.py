"""What a trained model says about pictures."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.decode import Source
from tlkeras.data.picture import Picture
from tlkeras.data.shown.thumbnail import thumbnail
from tlkeras.data.sources import gather
from tlkeras.errors import DecodeError
from tlkeras.progress import Progress, silent
from tlkeras.tasks.network.answering import answer
from tlkeras.tasks.network.columns import apart
from tlkeras.tasks.predictions import Predictions

if TYPE_CHECKING:
    from tlkeras.tasks.fitted import Fitted

THUMBNAIL_PX = 160


def predict(
    fitted: "Fitted",
    pictures: Source | Iterable[Source],
    progress: Progress = silent,
    *,
    exact: bool = False,
) -> Predictions:
    """Answers for every picture named, in order; one that can't be read marks its own row.

    With `exact`, large JPEGs are decoded in full, as the served graph does.
    """
    sources = gather(pictures)
    unreadable: dict[int, str] = {}

    def note(index: int, error: DecodeError) -> None:
        unreadable[index] = error.reason

    table = answer(fitted.network, sources, note, progress, exact=exact)
    names = tuple(_name(source, index) for index, source in enumerate(sources))
    probabilities, scores = apart(table, fitted.network.classes)
    told = dict(sorted(unreadable.items()))
    if scores is None:
        return Predictions(names, probabilities, fitted.class_names, told)
    return Predictions(names, probabilities, fitted.class_names, told, scores)


def thumbnails(pictures: Sequence[Picture]) -> Callable[[int], bytes | None]:
    """A function from row to a small JPEG of that row's picture, None if it can't be read."""
    return lambda row: thumbnail(pictures[row].source, THUMBNAIL_PX)


def _name(source: Source, index: int) -> str:
    if isinstance(source, bytes):
        return f"bytes {index}"
    return f"array {index}" if isinstance(source, np.ndarray) else str(source)
