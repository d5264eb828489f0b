"""Whether a head answers the same on embeddings of lower precision as on exact ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.heads.head import FittedHead
from tlkeras.tasks.network.embedding import Embedding

PICTURES = 64
MOST_CHANGED = 0.02


@dataclass(frozen=True)
class Agreement:
    """How many labels of validation pictures a lower precision changed.

    >>> print(Agreement("bfloat16", 100, 1, 0.92, 0.93))
    bfloat16 embeddings changed 1 of 100 validation labels (accuracy 0.920, in float32 0.930)
    """

    precision: str
    pictures: int
    changed: int
    accuracy: float
    exact: float

    @property
    def holds(self) -> bool:
        """Whether it is within the noise: at most 2 % of the labels, or one."""
        return self.changed <= max(1, MOST_CHANGED * self.pictures)

    def __str__(self) -> str:
        """One sentence for the run's record."""
        text = (
            f"{self.precision} embeddings changed {self.changed} of {self.pictures} validation "
            f"labels (accuracy {self.accuracy:.3f}, in float32 {self.exact:.3f})"
        )
        return text if self.holds else f"{text}: too many, so float32 is used"


def compare(
    low: Embedding, exact: Embedding, head: FittedHead, validation: Sequence[Picture]
) -> Agreement:
    """What the head, trained on `low`'s training rows, says of validation pictures by both.

    At most 64 pictures spread over the part are embedded again in float32.
    """
    step = max(1, -(-len(validation) // PICTURES))
    shown = list(validation)[::step]
    before = head.before_refit
    # `exact` first: its engine may have to be tried, which takes the machine for itself.
    true = before.probabilities(exact(shown).vectors).argmax(1)
    said = before.probabilities(low(shown).vectors).argmax(1)
    labels = np.array([picture.label for picture in shown])
    return Agreement(
        low.precision,
        len(shown),
        int((said != true).sum()),
        float((said == labels).mean()),
        float((true == labels).mean()),
    )
