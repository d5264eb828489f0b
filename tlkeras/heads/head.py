"""What training a head leaves behind, whichever kind of head it was."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Labelled:
    """Rows that a head learns from or is judged on.

    Attributes:
        vectors: (n, d) float32 embeddings.
        labels: (n,) int64 class indices.
        weights: (n,) float how much each row counts.
    """

    vectors: np.ndarray
    labels: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def join(self, other: "Labelled") -> "Labelled":
        """Both sets of rows, one below the other."""
        return Labelled(
            np.concatenate([self.vectors, other.vectors]),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.weights, other.weights]),
        )


@dataclass(frozen=True)
class FittedHead:
    """A trained head: built Keras layers from embedding (n, d) to probabilities (n, classes).

    Attributes:
        layers: applied one after the other; trained on training and validation rows.
        validation: (m, classes) float32, what the head answered for the validation rows
            before it had seen them.
        chosen: the settings that the validation rows decided, by name.
        history: one row an epoch or a setting tried.
        before_refit: weights of the layers as they were trained on the training rows alone.
    """

    layers: tuple["keras.Layer", ...]
    validation: np.ndarray
    chosen: dict[str, float]
    before_refit: list[np.ndarray]
    history: list[dict[str, float]] = field(default_factory=list)

    def weights(self) -> list[np.ndarray]:
        """The layers' weights now, in one list."""
        return [value for layer in self.layers for value in layer.get_weights()]

    def set_weights(self, values: list[np.ndarray]) -> None:
        """Put a list from `weights` or `before_refit` back into the layers."""
        rest = list(values)
        for layer in self.layers:
            count = len(layer.weights)
            layer.set_weights(rest[:count])
            rest = rest[count:]


def cross_entropy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean -log of the true class's probability, for probabilities (n, classes).

    >>> round(cross_entropy(np.array([[0.5, 0.5]]), np.array([0])), 4)
    0.6931
    """
    true = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(true, 1e-12)).mean())


def share_right(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Share of rows whose most probable class is the true one.

    >>> share_right(np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]))
    0.5
    """
    return float((probabilities.argmax(axis=1) == labels).mean())
