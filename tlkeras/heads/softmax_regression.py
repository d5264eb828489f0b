"""Softmax regression solved to its optimum: a convex problem has no learning rate.

    minimise over W, b:   Σ_i w_i · CE(softmax(x_i W + b), y_i)  +  ‖W‖² / (2 C)

The rows x are standardised, rotated to their principal axes (which leaves the optimum where
it was and cuts d to at most n), and each axis is scaled by Böhning's bound on its curvature;
L-BFGS then needs tens of steps where plain gradient descent needs thousands.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

MEMORY = 10  # pairs that L-BFGS remembers
MOST_STEPS = 500
TOLERANCE = 1e-5
SMALLEST_STEP = 1e-10


@dataclass(frozen=True)
class Affine:
    """Class logits = vectors @ kernel + bias.

    Attributes:
        kernel: (d, classes) float32.
        bias: (classes,) float32.
        steps: L-BFGS steps that were taken.
        converged: whether the gradient became small enough.
    """

    kernel: np.ndarray
    bias: np.ndarray
    steps: int
    converged: bool

    def probabilities(self, vectors: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) float32 for vectors (n, d)."""
        return softmax(vectors @ self.kernel + self.bias).astype("float32")


def softmax(logits: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of logits (n, classes), rows summing to one.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


class SoftmaxRegression:
    """The problem for one set of embeddings, prepared once and solved for any strength C.

    Args:
        vectors: (n, d) float32 embeddings.
        labels: (n,) int class indices in [0, classes).
        classes: how many classes there are.
        weights: (n,) how much each row counts; ones when None.

    Source: D. Böhning, "Multinomial logistic regression algorithm", 1992 (the curvature
    bound); J. Nocedal, "Updating quasi-Newton matrices with limited storage", 1980 (L-BFGS).

    >>> rng = np.random.default_rng(0)
    >>> vectors = rng.normal(size=(30, 4)).astype("float32")
    >>> labels = (vectors[:, 0] > 0).astype(int)
    >>> answer = SoftmaxRegression(vectors, labels, classes=2).solve(strength=1.0)
    >>> answer.converged, bool((answer.probabilities(vectors).argmax(1) == labels).mean() > 0.9)
    (True, True)
    """

    def __init__(
        self,
        vectors: np.ndarray,
        labels: np.ndarray,
        classes: int,
        weights: np.ndarray | None = None,
    ) -> None:
        self.classes = classes
        self.weights = np.ones(len(labels)) if weights is None else weights.astype("float64")
        self.targets = np.eye(classes)[labels]
        table = vectors.astype("float64")
        total = self.weights.sum()
        self.mean = self.weights @ table / total
        spread = np.sqrt(self.weights @ (table - self.mean) ** 2 / total)
        # A column is constant when it varies no more than rounding does, however small it is.
        rounding = 1e-6 * np.sqrt(self.weights @ table**2 / total)
        self.scale = np.where(spread > rounding, spread, 1.0)
        self.axes, self.rotated = _principal_axes((table - self.mean) / self.scale)
        # Half the weighted second moment bounds the curvature of the loss along each axis.
        self.curvature = 0.5 * (self.weights @ self.rotated**2)
        self._start: np.ndarray | None = None

    def solve(self, strength: float, tolerance: float = TOLERANCE) -> Affine:
        """The optimum for one strength C (larger: less regularised), from the last solution.

        `tolerance` is the length of the gradient at the end, as a share of that at W = 0.
        """
        step = 1.0 / np.sqrt(self.curvature + 1.0 / strength)
        bias_step = 1.0 / np.sqrt(0.5 * self.weights.sum())
        scales = np.concatenate([step, [bias_step]])[:, None]

        def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
            table = flat.reshape(-1, self.classes) * scales
            kernel, bias = table[:-1], table[-1]
            logits = self.rotated @ kernel + bias
            logits -= logits.max(axis=1, keepdims=True)
            log_total = np.log(np.exp(logits).sum(axis=1))
            fit = self.weights @ (log_total - (logits * self.targets).sum(axis=1))
            loss = fit + 0.5 / strength * float((kernel**2).sum())
            error = (np.exp(logits - log_total[:, None]) - self.targets) * self.weights[:, None]
            gradient = np.vstack([self.rotated.T @ error + kernel / strength, error.sum(axis=0)])
            return loss, (gradient * scales).ravel()

        shape = (len(step) + 1, self.classes)
        start = np.zeros(shape) if self._start is None else self._start / scales
        # Held against the gradient of W = 0, so that a good start is not asked for more.
        _, slope = loss_and_gradient(np.zeros(start.size))
        enough = tolerance * float(np.linalg.norm(slope))
        flat, steps, converged = minimise(loss_and_gradient, start.ravel(), enough)
        table = flat.reshape(shape) * scales
        self._start = table
        kernel = self.axes @ table[:-1] / self.scale[:, None]
        bias = table[-1] - self.mean @ kernel
        return Affine(kernel.astype("float32"), bias.astype("float32"), steps, converged)


def minimise(
    loss_and_gradient: Callable[[np.ndarray], tuple[float, np.ndarray]],
    start: np.ndarray,
    enough: float = 1e-9,
) -> tuple[np.ndarray, int, bool]:
    """L-BFGS with backtracking: the point, the steps taken, and whether it converged.

    It has when the gradient's length is `enough`, or no step makes the loss smaller.

    >>> def bowl(x):
    ...     return float(((x - 3) ** 2).sum()), 2 * (x - 3)
    >>> point, _, converged = minimise(bowl, np.zeros(2))
    >>> point.round(6).tolist(), converged
    ([3.0, 3.0], True)
    """
    point = start
    loss, gradient = loss_and_gradient(point)
    pairs: list[tuple[np.ndarray, np.ndarray]] = []
    for steps in range(MOST_STEPS):
        if np.linalg.norm(gradient) <= enough:
            return point, steps, True
        direction = -_inverse_curvature(pairs, gradient)
        slope = float(gradient @ direction)
        length = 1.0
        while True:
            new_point = point + length * direction
            new_loss, new_gradient = loss_and_gradient(new_point)
            if new_loss <= loss + 1e-4 * length * slope:
                break
            length *= 0.5
            if length < SMALLEST_STEP:  # the loss is flat to the last bit
                return point, steps, True
        moved, turned = new_point - point, new_gradient - gradient
        if moved @ turned > 0:
            pairs = [*pairs, (moved, turned)][-MEMORY:]
        point, loss, gradient = new_point, new_loss, new_gradient
    return point, MOST_STEPS, False


def _inverse_curvature(
    pairs: list[tuple[np.ndarray, np.ndarray]], gradient: np.ndarray
) -> np.ndarray:
    """The two-loop recursion: gradient times the estimated inverse Hessian."""
    vector = gradient.copy()
    shares = []
    for moved, turned in reversed(pairs):
        share = float(moved @ vector) / float(moved @ turned)
        vector -= share * turned
        shares.append(share)
    if pairs:
        moved, turned = pairs[-1]
        vector *= float(moved @ turned) / float(turned @ turned)
    for (moved, turned), share in zip(pairs, reversed(shares), strict=True):
        vector += moved * (share - float(turned @ vector) / float(moved @ turned))
    return vector


def _principal_axes(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Axes (d, r) and the table (n, d) rotated onto them (n, r), with r ≤ min(n, d)."""
    n, d = table.shape
    small = table @ table.T if n < d else table.T @ table
    values, vectors = np.linalg.eigh(small)
    keep = values > values[-1] * 1e-12
    if n >= d:
        axes = vectors[:, keep]
        return axes, table @ axes
    lengths = np.sqrt(values[keep])
    rotated = vectors[:, keep] * lengths
    return table.T @ vectors[:, keep] / lengths, rotated
