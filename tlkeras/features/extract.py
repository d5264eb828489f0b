"""Pictures → Features: one pass through the frozen backbone, and none for known pictures.

pictures ─ key(content, view) ─▶ store ─ known ───────────────────────────▶ Features
                                   └─ missing ─▶ streams ─▶ store, table ─▶ ┘
"""

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Protocol, overload

import numpy as np

from tlkeras.cache import cache_folder
from tlkeras.data.augment import Augmentation
from tlkeras.data.picture import SHA256_BYTES, Picture, Pictures
from tlkeras.data.pipeline import load_pixels
from tlkeras.errors import BackboneError
from tlkeras.features.chunk import KEY_BYTES
from tlkeras.features.features import Features, Ids
from tlkeras.features.store import FeatureStore
from tlkeras.features.streams import through
from tlkeras.features.table import Table
from tlkeras.progress import Progress, silent

if TYPE_CHECKING:
    from tlkeras.features.engines.engine import Engine

_PIXELS = 3  # raise the number when the same file gives other pixels than before


@dataclass(frozen=True)
class View:
    """One augmented look at every picture: the same view gives the same pixels again."""

    augmentation: Augmentation
    number: int
    seed: int

    @property
    def key(self) -> str:
        """Text that tells this view from every other."""
        return f"{astuple(self.augmentation)}/{self.number}/{self.seed}"


class Embed(Protocol):
    """Whatever turns pictures into Features, row by row in their order."""

    def __call__(
        self, pictures: Sequence[Picture], view: View | None = None, progress: Progress = silent
    ) -> Features:
        """Features of the pictures; with a view, of that look at them."""
        ...


class Extractor:
    """Turns pictures into embeddings of one backbone, each picture once.

    Example::

        extract = Extractor(lambda pictures: engine, 224, width=1280, key="3fa9…-float32")
        features = extract(data.train.pictures)      # Features, vectors (n, 1280) float32
        extract.passes                               # pictures that went through the backbone

    Args:
        choose: the engine that computes the embeddings; asked once, and only when a picture is
            not known yet, with the pictures that are not.
        size_px: the height and width that the pictures are resized to.
        width: number of values in one embedding.
        key: names the backbone with its weights, and the engine's precision, in the store on
            disk; None: nothing is kept, every call computes all.
    """

    def __init__(
        self,
        choose: "Callable[[Sequence[Picture]], Engine]",
        size_px: int,
        *,
        width: int,
        key: str | None,
    ) -> None:
        self.size_px = size_px
        self.width = width
        self.passes = 0
        self._choose = choose
        self._engine: Engine | None = None
        folder = None if key is None else cache_folder() / "features"
        self._store = FeatureStore(folder, key or "", width)

    def __call__(
        self, pictures: Sequence[Picture], view: View | None = None, progress: Progress = silent
    ) -> Features:
        """Features of the pictures, row by row in their order.

        What was computed is kept when this is interrupted, and not computed again.

        Raises:
            DecodeError: a picture that could be read when the folder was opened no longer can.
        """
        labels, ids, keys = _columns(pictures, self.size_px, view)
        with Table(len(labels), self.width) as table, self._store as store:
            missing = np.flatnonzero(~store.fill(keys, table))
            done = 0
            with closing(self._embedded(pictures, missing, view)) as answers:
                for rows, vectors in answers:
                    table.write(rows, vectors)
                    store.put(keys[rows], vectors)
                    done += len(rows)
                    self.passes += len(rows)
                    progress("embedding", done, len(missing))
            return Features(table.array(), labels, ids)

    def release(self) -> None:
        """Forget the engine and its memory; `choose` is asked again if one is needed."""
        self._engine = None

    def _embedded(
        self, pictures: Sequence[Picture], missing: np.ndarray, view: View | None
    ) -> Generator[tuple[np.ndarray, np.ndarray], None, None]:
        """Rows (m,) with their vectors (m, width), in order, some pictures at a time."""
        if not len(missing):
            return
        if self._engine is None:
            self._engine = self._choose(Some(pictures, missing))
        engine = self._engine

        def read(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            pixels = np.empty((len(rows), self.size_px, self.size_px, 3), np.float32)
            for place, row in enumerate(rows.tolist()):
                pixels[place] = _pixels(pictures[row], self.size_px, view)
            return rows, pixels

        for rows, vectors in through(engine, missing, read):
            if vectors.shape != (len(rows), self.width):
                raise BackboneError(
                    f"{len(rows)} embeddings of {self.width} values were expected of the engine "
                    f"{engine.name}. Received: shape {vectors.shape}. Choose another engine."
                )
            yield rows, vectors


class Some(Sequence[Picture]):
    """The pictures at `rows` (m,) of others, taken from there when asked for."""

    def __init__(self, pictures: Sequence[Picture], rows: np.ndarray) -> None:
        self._pictures = pictures
        self._rows = rows

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> "Some": ...
    def __getitem__(self, index: int | slice) -> "Picture | Some":
        if isinstance(index, slice):
            return Some(self._pictures, self._rows[index])
        return self._pictures[int(self._rows[index])]

    def __len__(self) -> int:
        return len(self._rows)


def _columns(
    pictures: Sequence[Picture], size_px: int, view: View | None
) -> tuple[np.ndarray, Ids, np.ndarray]:
    """Labels int64 (n,), ids and keys S16 (n,) of the pictures."""
    if isinstance(pictures, Pictures):
        labels, digests = pictures.labels, pictures.digests
    else:
        labels = np.array([picture.label for picture in pictures], np.int64)
        contents = b"".join(bytes.fromhex(picture.sha256) for picture in pictures)
        digests = np.frombuffer(contents, np.uint8).reshape(len(pictures), SHA256_BYTES)
    look = f"/{size_px}/{_PIXELS}/{view.key if view else ''}".encode()
    keys = np.empty(len(pictures), f"S{KEY_BYTES}")
    for row, digest in enumerate(digests):
        text = digest.tobytes().hex().encode() + look
        keys[row] = hashlib.blake2b(text, digest_size=KEY_BYTES).digest()
    return labels, Ids(digests), keys


def _pixels(picture: Picture, size_px: int, view: View | None) -> np.ndarray:
    size = (size_px, size_px)
    if view is None:
        return load_pixels(picture.source, size)
    # Seeded by content: a look at a picture must not depend on which others are known.
    seed = (view.seed, view.number, int(picture.sha256[:15], 16))
    return load_pixels(picture.source, size, augment=view.augmentation, seed=seed)
