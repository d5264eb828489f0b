"""What a network of the zoo is: how it is made and what goes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from torch import nn


@dataclass(frozen=True)
class Input:
    """One input without its batch axis: real numbers, token ids in [0, high), or a mask."""

    shape: tuple[int, ...]
    kind: Literal["real", "tokens", "mask"] = "real"
    high: int = 2

    def sample(self, batch: int, rng: np.random.Generator) -> np.ndarray:
        """(batch, *shape): float32, or int64 for tokens and masks; no two rows alike."""
        if self.kind == "tokens":
            return rng.integers(0, self.high, (batch, *self.shape), dtype=np.int64)
        if self.kind == "mask":  # a prefix of each row is attended to, of another length a row
            (steps,) = self.shape
            lengths = steps - (np.arange(batch) * 3) % (steps - 1)
            return (np.arange(steps) < lengths[:, None]).astype(np.int64)
        noise = rng.standard_normal((batch, *self.shape))
        each = (batch,) + (1,) * len(self.shape)
        channel = (batch, self.shape[0]) + (1,) * (len(self.shape) - 1)
        level = rng.standard_normal(channel) + _slope(self.shape) * rng.standard_normal(channel)
        return (rng.uniform(0.3, 1.2, each) * noise + level).astype(np.float32)


@dataclass(frozen=True)
class Network:
    """One architecture: its family, how to make it, its inputs.

    `plain` says that it is a CNN without reshapes in the middle, in which an import needs no
    transposes at all.
    """

    name: str
    family: str
    make: Callable[[], nn.Module]
    inputs: tuple[Input, ...]
    plain: bool = False

    def sample(self, batch: int, seed: int = 0) -> list[np.ndarray]:
        """Inputs for one call, the same for the same seed."""
        rng = np.random.default_rng([seed, batch])
        return [entry.sample(batch, rng) for entry in self.inputs]


def _slope(shape: tuple[int, ...]) -> np.ndarray:
    """Values that grow along the axes at different rates, so that no two axes look alike."""
    total = np.zeros(shape)
    for number, axis in enumerate(np.indices(shape)[1:]):
        total += (0.5 + number) * (axis / max(1, axis.max()) - 0.5)
    return total
