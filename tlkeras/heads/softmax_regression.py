"""Softmax regression solved to its optimum: a convex problem has no learning rate.

    minimise over W, b:   Σ_i w_i · CE(softmax(x_i W + b), y_i)  +  ‖W‖² / (2 C)

The rows x are standardised. Along their strongest principal axes Böhning's bound tells the
curvature, along all others its average; L-BFGS learns the rest, and what it has learned for one
strength C serves the next. Products are float32; sums of the loss and the unknowns are float64.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tlkeras.heads.affine import Affine, apply
from tlkeras.heads.solvers.lbfgs import Curvature, Vector, minimise
from tlkeras.heads.solvers.spaces import space_of
from tlkeras.heads.table import Standardised, Table

TOLERANCE = 1e-5


@dataclass(frozen=True)
class Optimum:
    """The solution for one strength.

    Attributes:
        affine: logits = vectors @ kernel + bias, the standardisation folded in.
        steps: L-BFGS steps that were taken.
        converged: whether the gradient became small enough.
        shares: (n, classes) of the standardised rows in the kernel, where it was found as a
            mixture of them.
    """

    affine: Affine
    steps: int
    converged: bool
    shares: np.ndarray | None = None

    def probabilities(self, vectors: np.ndarray | Table) -> np.ndarray:
        """Probabilities (n, classes) float32 for vectors (n, d)."""
        return apply((self.affine,), vectors)


class SoftmaxRegression:
    """The problem for one set of embeddings, prepared once and solved for any strength C.

    Args:
        vectors: (n, d) float32 embeddings; an array, perhaps a memory map, or several.
        labels: (n,) int class indices in [0, classes).
        classes: how many classes there are.
        weights: (n,) how much each row counts; ones when None.

    Source: D. Böhning, "Multinomial logistic regression algorithm", 1992 (the curvature
    bound).

    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(30, 4)).astype("float32")
    >>> labels = (vectors[:, 0] > 0).astype(int)
    >>> answer = SoftmaxRegression(vectors, labels, classes=2).solve(strength=1.0)
    >>> answer.converged, bool((answer.probabilities(vectors).argmax(1) == labels).mean() > 0.9)
    (True, True)
    """

    def __init__(
        self,
        vectors: np.ndarray | Table,
        labels: np.ndarray,
        classes: int,
        weights: np.ndarray | None = None,
    ) -> None:
        table = vectors if isinstance(vectors, Table) else Table(np.asarray(vectors, "float32"))
        self.labels = labels
        self.weights = np.ones(len(labels)) if weights is None else weights.astype("float64")
        self.rows = Standardised(table, self.weights)
        self.space = space_of(self.rows, self.weights)
        self.axes = self.space.axes()
        self.shape = (self.space.size + 1, classes)  # the last row is the bias
        self._curvature = Curvature(self.shape[0] * classes, plain=self.space.plain)
        self._point = np.zeros(self.shape)
        self._ridge = 0.0
        self._before: tuple[float, np.ndarray] | None = None
        _, self._slope = self._loss_and_gradient(self._vector(self._point), 0.0)

    def solve(self, strength: float, tolerance: float = TOLERANCE) -> Optimum:
        """The optimum for one strength C (larger: less regularised), from the last solution.

        `tolerance` is the length of the gradient at the end, as a share of that at W = 0.
        """
        ridge = 1.0 / strength
        stiffer = np.full(self.shape, ridge - self._ridge)
        stiffer[-1] = 0.0
        self._curvature.stiffen(stiffer.ravel())
        start = self._next_on_path(ridge)
        self._before, self._ridge = (self._ridge, self._point), ridge
        precondition = self._preconditioner(ridge)
        # Held against the gradient of W = 0, so that a good start is not asked for more.
        enough = tolerance * float(np.sqrt(self._slope @ precondition(self._slope)))
        point, steps, converged = minimise(
            lambda point: self._loss_and_gradient(point, ridge),
            self._vector(start),
            enough,
            precondition,
            self._curvature,
        )
        self._point = point.values.reshape(self.shape)
        shares = None if self.space.plain else self._point[:-1]
        return Optimum(self._folded(), steps, converged, shares)

    def start_at(self, answer: Optimum) -> None:
        """Begin the next `solve` at the solution for the first rows of this problem."""
        old = answer.affine
        kernel = old.kernel / self.rows.factor[:, None].astype("float64")
        values = self.space.values_near(kernel, answer.shares)
        if values is not None:
            bias = old.bias + self.rows.mean @ old.kernel.astype("float64")
            self._point = np.vstack([values, bias])

    def _next_on_path(self, ridge: float) -> np.ndarray:
        """Where the last two solutions point to, on a logarithmic scale of the strength."""
        if self._before is None or 0.0 in (self._before[0], self._ridge):
            return self._point
        earlier, point = self._before
        spread = np.log(self._ridge / earlier)
        ahead = np.log(ridge / self._ridge) / spread if spread else 0.0
        return self._point + np.clip(ahead, -1.0, 1.5) * (self._point - point)

    def _folded(self) -> Affine:
        kernel = self.space.kernel(self._point[:-1]) * self.rows.factor[:, None]
        bias = self._point[-1] - self.rows.mean @ kernel
        return Affine(kernel.astype("float32"), bias.astype("float32"))

    def _vector(self, table: np.ndarray) -> Vector:
        """The vector with these values (size + 1, classes)."""
        if self.space.plain:
            return Vector.plain(table.ravel())
        return Vector(table.ravel(), np.vstack([self.space.image(table[:-1]), table[-1]]).ravel())

    def _loss_and_gradient(self, point: Vector, ridge: float) -> tuple[float, Vector]:
        values, image = point.values.reshape(self.shape), point.image.reshape(self.shape)
        bias, of_bias = values[-1], np.zeros(self.shape[1])

        def loss_and_error(where: slice, logits: np.ndarray) -> tuple[float, np.ndarray]:
            nonlocal of_bias
            labels, weights = self.labels[where], self.weights[where]
            each = np.arange(len(labels))
            logits = logits + bias
            logits -= logits.max(axis=1, keepdims=True)
            right = logits[each, labels]
            error = np.exp(logits, out=logits)
            total = error.sum(axis=1)
            loss = float(weights @ (np.log(total) - right))
            error *= (weights / total)[:, None]
            error[each, labels] -= weights
            of_bias = of_bias + error.sum(axis=0)
            return loss, error

        loss, gradient = self.space.gradient(values[:-1], image[:-1], loss_and_error)
        loss += 0.5 * ridge * float(values[:-1].ravel() @ image[:-1].ravel())
        return loss, self._vector(np.vstack([gradient + ridge * values[:-1], of_bias]))

    def _preconditioner(self, ridge: float) -> Callable[[Vector], Vector]:
        """Gradient → gradient over the bound of the curvature, for one ridge 1/C."""
        # Half the weighted second moment bounds the curvature of the loss along each axis.
        elsewhere = 1.0 / (0.5 * self.axes.rest + ridge)
        along = (1.0 / (0.5 * self.axes.moments + ridge) - elsewhere).astype("float32")[:, None]
        factors = np.full(self.shape, elsewhere)
        factors[-1] = 1.0 / (0.5 * self.weights.sum())

        def precondition(gradient: Vector) -> Vector:
            image = gradient.image.reshape(self.shape)[:-1].astype("float32")
            shares = along * (self.axes.values.T @ image)
            values = factors * gradient.values.reshape(self.shape)
            values[:-1] += self.axes.values @ shares
            if self.space.plain:
                return Vector.plain(values.ravel())
            image = factors * gradient.image.reshape(self.shape)
            image[:-1] += self.axes.images @ shares
            return Vector(values.ravel(), image.ravel())

        return precondition
