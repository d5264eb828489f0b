"""A head that is matrix products: it trains and answers in NumPy, and becomes Keras layers."""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

import numpy as np

from tlkeras.heads.table import Table
from tlkeras.heads.temperature import tempered

if TYPE_CHECKING:
    import keras

Activation: TypeAlias = Literal["relu", "softmax"]


@dataclass(frozen=True)
class Affine:
    """One step of such a head: activation(x @ kernel + bias).

    Attributes:
        kernel: (d, k) float32.
        bias: (k,) float32.
        activation: "relu" between steps, "softmax" at the end.
        dropout: share of x that is dropped while the step trains.

    >>> step = Affine(np.eye(2, dtype="float32"), np.array([0, -3], "float32"), "relu")
    >>> step(np.array([[1.0, 2.0]], "float32")).tolist()
    [[1.0, 0.0]]
    """

    kernel: np.ndarray
    bias: np.ndarray
    activation: Activation = "softmax"
    dropout: float = 0.0

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """(n, k) float32 for vectors (n, d)."""
        out = vectors @ self.kernel + self.bias
        return softmax(out) if self.activation == "softmax" else np.maximum(out, 0.0, out=out)


@dataclass(frozen=True)
class AffineHead:
    """A trained head of affine steps, from embeddings (n, d) to probabilities (n, classes).

    Attributes:
        affines: applied one after the other; trained on training and validation rows.
        validation: (m, classes) float32, what the head answered for the validation rows
            before it had seen them.
        chosen: the settings that the validation rows decided, by name.
        first: the steps as they were trained on the training rows alone; empty when the head
            was not trained again.
        history: one row an epoch or a setting tried.
        seed: decides the dropout of the Keras layers when those train on.

    Example::

        head = fit_linear(train, validation, classes=5, strengths=(1e-3, 1e-2))
        head.probabilities(features.vectors)          # (n, 5), no TensorFlow needed
        head.before_refit.to_layers()                 # Keras layers for fine-tuning
    """

    affines: tuple[Affine, ...]
    validation: np.ndarray
    chosen: dict[str, float]
    first: tuple[Affine, ...] = ()
    history: list[dict[str, float]] = field(default_factory=list)
    seed: int = 0

    @property
    def before_refit(self) -> Self:
        """The head as it was when trained on the training rows alone."""
        return replace(self, affines=self.first or self.affines, first=())

    def probabilities(self, vectors: np.ndarray | Table) -> np.ndarray:
        """Probabilities (n, classes) float32 for vectors (n, d) float32; block by block."""
        return apply(self.affines, vectors)

    def tempered(self, temperature: float) -> Self:
        """The head with the temperature folded into its last kernel and bias."""
        return replace(
            self,
            affines=_divided(self.affines, temperature),
            first=_divided(self.first, temperature),
            validation=tempered(self.validation, temperature),
        )

    def weights(self) -> list[np.ndarray]:
        """Kernels and biases in the order of the Keras layers' own lists."""
        return [value for step in self.affines for value in (step.kernel, step.bias)]

    def to_layers(self) -> tuple["keras.Layer", ...]:
        """New built Keras layers that hold the weights and answer the same.

        A dropout comes before the step that it belongs to; the last are "logits" and
        "probabilities".
        """
        import keras

        layers: list[keras.layers.Layer] = []
        for step in self.affines:
            # float32 whatever the policy: probabilities in half precision surprise every client.
            if step.dropout:
                layers.append(
                    keras.layers.Dropout(
                        step.dropout, seed=self.seed, dtype="float32", name="dropout"
                    )
                )
            last = step.activation == "softmax"
            dense = keras.layers.Dense(
                len(step.bias),
                activation=None if last else step.activation,
                dtype="float32",
                name="logits" if last else "hidden",
            )
            dense.build((None, len(step.kernel)))
            dense.set_weights([step.kernel, step.bias])
            layers.append(dense)
        return (*layers, keras.layers.Softmax(dtype="float32", name="probabilities"))


def apply(affines: tuple[Affine, ...], vectors: np.ndarray | Table) -> np.ndarray:
    """What affine steps answer, (n, k) float32, for vectors (n, d) float32; block by block."""
    table = vectors if isinstance(vectors, Table) else Table(np.asarray(vectors, "float32"))
    answers = np.empty((len(table), len(affines[-1].bias)), "float32")
    for where, rows in table.blocks():
        out = rows
        for step in affines:
            out = step(out)
        answers[where] = out
    return answers


def _divided(affines: tuple[Affine, ...], temperature: float) -> tuple[Affine, ...]:
    if not affines or temperature == 1.0:
        return affines
    *before, last = affines
    by = np.float32(temperature)
    return (*before, replace(last, kernel=last.kernel / by, bias=last.bias / by))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of logits (n, classes), rows summing to one.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
