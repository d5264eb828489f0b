"""What fine-tuning has come to after an epoch: all that is needed to go on from there."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

PhaseName = Literal["fine-tuning", "refit"]


@dataclass(frozen=True)
class Judged:
    """How a model did on the validation part."""

    accuracy: float
    loss: float

    def beats(self, other: "Judged") -> bool:
        """Whether it has more right, or as many with a lower loss.

        >>> Judged(0.9, 0.5).beats(Judged(0.8, 0.1)), Judged(0.9, 0.5).beats(Judged(0.9, 0.4))
        (True, False)
        """
        return (self.accuracy, -self.loss) > (other.accuracy, -other.loss)


@dataclass(frozen=True, eq=False)
class State:
    """Where fine-tuning stands; the order of pictures and every dropout follow from the epoch.

    Attributes:
        phase: "fine-tuning", whose epochs the validation part judges, or "refit" on both parts.
        epoch: the last one of that phase that is complete.
        frozen: how the frozen model did.
        best: the best epoch of the first phase.
        best_epoch: its number.
        history: one row an epoch of the first phase.
        stopped: why the first phase ended early because its loss was no number; else empty.
        weights: of the layers that move, after `epoch`.
        optimizer: step, mean and square of the gradients, of every optimizer.
        best_weights: of the layers that move, after the best epoch of the first phase.
    """

    phase: PhaseName
    epoch: int
    frozen: Judged
    best: Judged
    best_epoch: int
    history: list[dict[str, float]]
    stopped: str
    weights: list[np.ndarray]
    optimizer: list[np.ndarray]
    best_weights: list[np.ndarray]
