"""Features: what a frozen backbone makes of pictures, and all that heads ever see."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlkeras.errors import DataError


@dataclass(frozen=True)
class Features:
    """Embeddings with their labels and ids.

    Attributes:
        vectors: (n, d) float32, one embedding a row.
        labels: (n,) int64, the class index of each row.
        ids: (n,) text, the content hash of the picture each row belongs to.

    >>> one = Features(np.ones((2, 3), "float32"), np.array([0, 1]), ("a", "b"))
    >>> len(Features.join([one, one])), one.width
    (4, 3)
    """

    vectors: np.ndarray
    labels: np.ndarray
    ids: tuple[str, ...]

    def __post_init__(self) -> None:
        counts = {len(self.vectors), len(self.labels), len(self.ids)}
        if self.vectors.ndim != 2 or len(counts) != 1:
            raise DataError(
                "Features need vectors (n, d), labels (n,) and n ids. Received: "
                f"vectors {self.vectors.shape}, labels {self.labels.shape}, {len(self.ids)} ids."
            )
        bad = ~np.isfinite(self.vectors).all(axis=1)
        if bad.any():
            raise DataError(
                f"Every embedding must be finite. Received: {int(bad.sum())} of {len(bad)} rows "
                f"with NaN or infinity, the first of picture {self.ids[int(bad.argmax())]}. "
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
        """Features (n1 + n2 + …, d) of several, one below the other."""
        return cls(
            np.concatenate([part.vectors for part in parts]),
            np.concatenate([part.labels for part in parts]),
            tuple(name for part in parts for name in part.ids),
        )
