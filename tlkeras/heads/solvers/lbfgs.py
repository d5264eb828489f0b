"""L-BFGS: the lowest point of a smooth convex function, from its values and gradients.

The curvature that it has learned can be carried from one problem to the next one of a path.
Vectors come as pairs, so that the unknowns may be coefficients of something else: see `Vector`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np

MOST_STEPS = 500
MEMORY = 20  # pairs of a step and the change of gradient along it
MEMORY_BYTES = 2**26  # of all pairs together
SMALLEST_STEP = 1e-10
NOISE = 1e-6  # of a loss summed from float32 logits, as a share of it


@dataclass(frozen=True)
class Vector:
    """An element of a space in which a·b = a.values @ b.image.

    For values that are coefficients of vectors z_i the image is G values, where G_ij = z_i·z_j;
    for plain values it is the same array.

    Attributes:
        values: (size,) float64.
        image: (size,) float64.

    >>> one = Vector.plain(np.array([1.0, 2.0]))
    >>> one @ one, one.plus(one, 0.5).values.tolist()
    (5.0, [1.5, 3.0])
    """

    values: np.ndarray
    image: np.ndarray

    @classmethod
    def plain(cls, values: np.ndarray) -> Self:
        """The vector whose values are coordinates along perpendicular axes."""
        return cls(values, values)

    def __matmul__(self, other: "Vector") -> float:
        return float(self.values @ other.image)

    def plus(self, other: "Vector", factor: float) -> "Vector":
        """This vector and `factor` times another."""
        values = self.values + factor * other.values
        if self.image is self.values:
            return Vector.plain(values)
        return Vector(values, self.image + factor * other.image)


def same(vector: Vector) -> Vector:
    """The vector itself: the precondition where nothing is known."""
    return vector


class Curvature:
    """What the last steps told about a function's curvature; works as its inverse Hessian.

    Args:
        size: number of unknowns.
        plain: whether vectors are their own images.

    Source: R. Byrd, J. Nocedal, R. Schnabel, "Representations of quasi-Newton matrices and
    their use in limited memory methods", 1994, theorem 2.2.
    """

    def __init__(self, size: int, *, plain: bool = True) -> None:
        # As many pairs as unknowns would depend on one another, up to rounding.
        most = max(5, min(MEMORY, size // 4, MEMORY_BYTES // (size * (8 if plain else 16))))
        self.steps, self.turns = _Rows(most, size, plain), _Rows(most, size, plain)
        self.products = np.zeros((most, most))  # of each step and each turn
        self.order: list[int] = []  # rows in use, the oldest first

    def learn(self, step: Vector, turn: Vector) -> None:
        """Keep a step and how it changed the gradient; the oldest pair may go."""
        if not step @ turn > 0:
            return
        full = len(self.order) == len(self.products)
        row = self.order.pop(0) if full else len(self.order)
        self.order.append(row)
        self.steps.put(row, step)
        self.turns.put(row, turn)
        self.products[:, row] = self.steps.images @ self.turns.values[row]
        self.products[row] = self.turns.values @ self.steps.images[row]

    def stiffen(self, by: np.ndarray) -> None:
        """The function gets ½ Σ by_i x_i² added (size,); with `by` below zero, taken off."""
        self.turns.add(self.steps, by.astype("float32"))
        self.products = (self.steps.images @ self.turns.values.T).astype("float64")
        self.order = [row for row in self.order if self.products[row, row] > 0]

    def solve(self, gradient: Vector, precondition: Callable[[Vector], Vector]) -> Vector:
        """Inverse Hessian (as far as it is known) times a gradient."""
        if not self.order:
            return precondition(gradient)
        table = self.products[np.ix_(self.order, self.order)]
        upper = np.triu(table)
        last = self.turns.get(self.order[-1])
        size = table[-1, -1] / (last @ precondition(last))
        shares = np.zeros(len(self.products))
        along = (self.steps.images @ gradient.values.astype("float32"))[self.order]
        shares[self.order] = np.linalg.solve(upper, along)
        out = precondition(gradient.plus(self.turns.mix(shares), -1.0))
        back = np.diag(table) * shares[self.order]
        back -= size * (self.turns.values @ out.image.astype("float32"))[self.order]
        shares[self.order] = np.linalg.solve(upper.T, back)
        return self.steps.mix(shares).plus(out, size)


class _Rows:
    """Vectors kept in float32, one a row."""

    def __init__(self, most: int, size: int, plain: bool) -> None:
        self.values = np.zeros((most, size), "float32")
        self.images = self.values if plain else np.zeros((most, size), "float32")
        self.plain = plain

    def put(self, row: int, vector: Vector) -> None:
        self.values[row] = vector.values
        if not self.plain:
            self.images[row] = vector.image

    def get(self, row: int) -> Vector:
        values = self.values[row].astype("float64")
        return Vector.plain(values) if self.plain else Vector(values, self.images[row])

    def mix(self, shares: np.ndarray) -> Vector:
        values = shares.astype("float32") @ self.values
        if self.plain:
            return Vector.plain(values)
        return Vector(values, shares.astype("float32") @ self.images)

    def add(self, other: "_Rows", factors: np.ndarray) -> None:
        self.values += other.values * factors
        if not self.plain:
            self.images += other.images * factors


def minimise(
    loss_and_gradient: Callable[[Vector], tuple[float, Vector]],
    start: Vector,
    enough: float = 1e-9,
    precondition: Callable[[Vector], Vector] = same,
    curvature: Curvature | None = None,
) -> tuple[Vector, int, bool]:
    """The lowest point, the steps taken, and whether it converged.

    It has when the gradient's length √(g·P g) is `enough`, or no step makes the loss smaller.

    Args:
        loss_and_gradient: of a point the loss and its gradient.
        start: the point to begin at.
        enough: length of the gradient to stop at.
        precondition: g → P g, a rough inverse Hessian; symmetric.
        curvature: learned on a problem close by; it learns on.

    >>> def bowl(x):
    ...     return float(((x.values - 3) ** 2).sum()), Vector.plain(2 * (x.values - 3))
    >>> point, _, converged = minimise(bowl, Vector.plain(np.zeros(2)))
    >>> point.values.round(6).tolist(), converged
    ([3.0, 3.0], True)
    """
    if curvature is None:
        curvature = Curvature(start.values.size, plain=start.image is start.values)
    point = start
    loss, gradient = loss_and_gradient(point)
    for steps in range(MOST_STEPS):
        if gradient @ precondition(gradient) <= enough**2:
            return point, steps, True
        way = curvature.solve(gradient, precondition)
        slope = -(gradient @ way)
        length = 1.0
        while True:
            new_point = point.plus(way, -length)
            new_loss, new_gradient = loss_and_gradient(new_point)
            if new_loss <= loss + 1e-4 * length * slope:
                break
            # Near the optimum rounding hides the decrease; the slope still tells it
            # (W. Hager, H. Zhang, "A new conjugate gradient method…", 2005).
            flat = abs(new_gradient @ way) <= 0.9 * abs(slope)
            if flat and new_loss <= loss + NOISE * abs(loss):
                break
            length *= 0.5
            if length < SMALLEST_STEP:  # the loss is flat to the last bit
                return point, steps, True
        curvature.learn(new_point.plus(point, -1.0), new_gradient.plus(gradient, -1.0))
        point, loss, gradient = new_point, new_loss, new_gradient
    return point, MOST_STEPS, False
