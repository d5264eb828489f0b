"""Pictures → probabilities, by whatever form the network has, with every core busy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tlkeras.data.decode import Source
from tlkeras.data.pipeline import load_pixels
from tlkeras.errors import BundleError, DecodeError
from tlkeras.features.engines.engine import Engine, Precision
from tlkeras.features.streams import through
from tlkeras.heads.head import FittedHead
from tlkeras.heads.unknown import UnknownScore
from tlkeras.progress import Progress, silent
from tlkeras.tasks.network.embedding import Sample

OnError = Callable[[int, DecodeError], None]
PICTURES_TO_TRY = 8


class Answering(Protocol):
    """A network that can be made an engine."""

    @property
    def classes(self) -> int:
        """How many columns its answers have."""
        ...

    @property
    def size_px(self) -> int:
        """Height and width that pictures are resized to."""
        ...

    @property
    def unknown(self) -> UnknownScore | None:
        """What tells pictures unlike the training ones; its scores are one more column."""
        ...

    def engine(self, count: int, sample: Sample) -> Engine:
        """Pixels (m, size_px, size_px, 3) → probabilities (m, classes), for `count` pictures.

        With `unknown`, its scores are a last column beside them. `sample` gives some of their
        pixels, should engines have to be tried on them.
        """
        ...


@dataclass(frozen=True, eq=False)
class WithHead:
    """An engine with a head after it."""

    embed: Engine
    head: FittedHead
    unknown: UnknownScore | None = None

    @property
    def name(self) -> str:
        """The engine's."""
        return self.embed.name

    @property
    def precision(self) -> Precision:
        """The engine's."""
        return self.embed.precision

    @property
    def streams(self) -> int:
        """The engine's."""
        return self.embed.streams

    @property
    def batch(self) -> int:
        """The engine's."""
        return self.embed.batch

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Probabilities (m, classes) of pixels (m, h, w, 3), and the unknown score if any."""
        vectors = self.embed(pixels)
        answers = self.head.probabilities(vectors)
        return (
            answers if self.unknown is None else np.column_stack([answers, self.unknown(vectors)])
        )


def answer(
    network: Answering,
    sources: Sequence[Source],
    on_error: OnError | None = None,
    progress: Progress = silent,
    *,
    exact: bool = False,
) -> np.ndarray:
    """Probabilities (n, classes) of pictures, in order; NaN in rows that can't be read.

    A network with an unknown score has that in one more column: (n, classes + 1).

    Args:
        network: whose answers they are.
        sources: files, bytes or arrays.
        on_error: told of each picture that can't be read; None: its error is raised.
        progress: told how many are done.
        exact: large JPEGs are decoded in full, as the served graph does.

    Raises:
        DecodeError: a picture that can't be read, without `on_error`.
        BundleError: the network answers with other columns.
    """
    width = network.classes + (network.unknown is not None)
    table = np.full((len(sources), width), np.nan, "float32")
    side = network.size_px

    def read(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        kept, pixels = [], []
        for row in rows.tolist():
            try:
                pixels.append(load_pixels(sources[row], (side, side), exact=exact))
                kept.append(row)
            except DecodeError as error:
                if on_error is None:
                    raise
                on_error(row, error)
        shown = np.stack(pixels) if pixels else np.empty((0, side, side, 3), np.float32)
        return np.array(kept, np.int64), shown

    def sample() -> np.ndarray:
        step = max(1, len(sources) // PICTURES_TO_TRY)
        shown = read(np.arange(0, len(sources), step)[:PICTURES_TO_TRY])[1]
        return shown if len(shown) else np.zeros((1, side, side, 3), np.float32)

    if sources:
        done = 0
        everything = np.arange(len(sources))
        for rows, answers in through(network.engine(len(sources), sample), everything, read):
            if answers.shape != (len(rows), width):
                raise BundleError(
                    f"A network answers each picture with {width} numbers. Received: an array "
                    f"{answers.shape} for {len(rows)} pictures. Copy the run folder again, or "
                    "save the run again."
                )
            table[rows] = answers
            done += len(rows)
            progress("predicting", done, len(sources))
    return table
