"""Features: what a frozen backbone makes of pictures, and all that heads ever see."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import overload

import numpy as np

from tlkeras.errors import DataError
from tlkeras.features.table import blocks, joined


class Ids(Sequence[str]):
    """Content hashes as text, kept as the bytes uint8 (n, 32) that they spell.

    >>> list(Ids(np.array([[63, 169], [65, 170]], "uint8")))
    ['3fa9', '41aa']
    """

    def __init__(self, digests: np.ndarray) -> None:
        self.digests = digests

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> "Ids": ...
    def __getitem__(self, index: int | slice) -> "str | Ids":
        if isinstance(index, slice):
            return Ids(self.digests[index])
        return bytes(self.digests[index]).hex()

    def __len__(self) -> int:
        return len(self.digests)


@dataclass(frozen=True)
class Features:
    """Embeddings with their labels and ids.

    Attributes:
        vectors: (n, d) float32, one embedding a row; a large table is a file mapped into
            memory and can only be read (`tlkeras.features.table.blocks` reads it piece by piece).
        labels: (n,) int64, the class index of each row.
        ids: (n,) text, the content hash of the picture each row belongs to.

    >>> one = Features(np.ones((2, 3), "float32"), np.array([0, 1]), ("a", "b"))
    >>> len(Features.join([one, one])), one.width
    (4, 3)
    """

    vectors: np.ndarray
    labels: np.ndarray
    ids: Sequence[str]

    def __post_init__(self) -> None:
        counts = {len(self.vectors), len(self.labels), len(self.ids)}
        if self.vectors.ndim != 2 or len(counts) != 1:
            raise DataError(
                "Features need vectors (n, d), labels (n,) and n ids. Received: "
                f"vectors {self.vectors.shape}, labels {self.labels.shape}, {len(self.ids)} ids."
            )
        bad = [
            piece.start + int(row)
            for piece in blocks(self.vectors)
            for row in np.flatnonzero(~np.isfinite(self.vectors[piece]).all(axis=1))
        ]
        if bad:
            raise DataError(
                f"Every embedding must be finite. Received: {len(bad)} of {len(self)} rows "
                f"with NaN or infinity, the first of picture {self.ids[bad[0]]}. "
                "The backbone's weights are damaged, or its preprocessing does not fit it."
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def width(self) -> int:
        """Number of values in one embedding (d)."""
        return int(self.vectors.shape[1])

    @classmethod
    def join(cls, parts: Sequence["Features"]) -> "Features":
        """Features (n1 + n2 + …, d) of several, one below the other; of one, that one."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            joined([part.vectors for part in parts]),
            np.concatenate([part.labels for part in parts]),
            _ids([part.ids for part in parts]),
        )


def _ids(parts: Sequence[Sequence[str]]) -> Sequence[str]:
    digests = [ids.digests for ids in parts if isinstance(ids, Ids)]
    if len(digests) == len(parts):
        return Ids(np.concatenate(digests))
    return tuple(chain.from_iterable(parts))
