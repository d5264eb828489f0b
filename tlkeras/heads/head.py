"""What heads are trained on, and what training leaves behind, whichever kind of head it was."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

import numpy as np

from tlkeras.heads.table import Table

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

    vectors: Table
    labels: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def join(self, other: "Labelled") -> "Labelled":
        """Both sets of rows, one below the other; no embedding is copied."""
        return Labelled(
            self.vectors.join(other.vectors),
            np.concatenate([self.labels, other.labels]),
            np.concatenate([self.weights, other.weights]),
        )


@dataclass(frozen=True)
class HeadTraining:
    """How a head is trained with Adam, with early stopping on the validation rows."""

    epochs: int
    learning_rate: float
    batch_size: int
    patience: int
    seed: int


class FittedHead(Protocol):
    """A trained head: an `AffineHead` or, for the user's own Keras layers, a `LayersHead`.

    Attributes:
        validation: (m, classes) float32, what the head answered for the validation rows
            before it had seen them.
        chosen: the settings that the validation rows decided, by name.
        history: one row an epoch or a setting tried.
        before_refit: the head as it was trained on the training rows alone.
    """

    @property
    def validation(self) -> np.ndarray: ...  # noqa: D102
    @property
    def chosen(self) -> dict[str, float]: ...  # noqa: D102
    @property
    def history(self) -> list[dict[str, float]]: ...  # noqa: D102
    @property
    def before_refit(self) -> Self: ...  # noqa: D102

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) float32 for vectors (n, d) float32."""
        ...

    def tempered(self, temperature: float) -> "Self | None":
        """The head with its logits divided by the temperature; None where it has no such place."""
        ...

    def weights(self) -> list[np.ndarray]:
        """The weights in the order of the Keras layers' own lists."""
        ...

    def to_layers(self) -> tuple["keras.Layer", ...]:
        """Built Keras layers that hold the weights, from embedding to probabilities."""
        ...


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
