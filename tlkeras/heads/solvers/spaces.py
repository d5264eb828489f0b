"""Where the kernel of a linear model is looked for: among all, or among mixtures of the rows.

The best kernel of a regularised linear model is always a mixture of the rows Z (n, d), Zᵀ A.
With fewer rows than columns the search for A (n, k) is the smaller one, and needs no more than
the rows' products G = Z Zᵀ (n, n): the logits Z Zᵀ A are G A, and the gradient Zᵀ E of the
errors E (n, k) is the mixture E itself.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from tlkeras.heads.table import Standardised

AXES = 32  # principal axes whose moments are told; more cost more than they save
POWER_STEPS = 2
LENGTH_OF_NOTHING = 3e-6  # of a mixture that is zero, as a share of a row's: see `Mixtures`
SMALLEST_MOMENT = 1e-6  # of the largest one; below it float32 products are noise

LossAndError = Callable[[slice, np.ndarray], tuple[float, np.ndarray]]


@dataclass(frozen=True)
class Axes:
    """The strongest principal axes of weighted rows.

    Attributes:
        values: (size, r) float32 unit axes, in the unknowns of their space.
        images: (size, r) float32, their images (see `Vector`).
        moments: (r,) float64 weighted second moments of the rows along them.
        rest: the average moment along all other axes.
    """

    values: np.ndarray
    images: np.ndarray
    moments: np.ndarray
    rest: float


class Space(Protocol):
    """The unknowns (size, k) of a kernel (d, k)."""

    size: int
    plain: bool

    def image(self, values: np.ndarray) -> np.ndarray:
        """The image (size, k) of values (size, k), as in `Vector`."""
        ...

    def gradient(
        self, values: np.ndarray, image: np.ndarray, loss_and_error: LossAndError
    ) -> tuple[float, np.ndarray]:
        """The loss of a point and its gradient's values (size, k).

        `loss_and_error` takes the place of some rows in the table and their logits (m, k); it
        gives their loss and their errors (m, k).
        """
        ...

    def axes(self) -> Axes:
        """The strongest principal axes of the weighted rows."""
        ...

    def kernel(self, values: np.ndarray) -> np.ndarray:
        """The kernel (d, k) for standardised rows that values (size, k) stand for."""
        ...

    def values_near(self, kernel: np.ndarray, shares: np.ndarray | None) -> np.ndarray | None:
        """Values (size, k) close to a kernel (d, k); None where nothing is known of them.

        `shares` (m, k) are those of the first m rows in the kernel, where it is a mixture.
        """
        ...


def space_of(rows: Standardised, weights: np.ndarray) -> "Kernels | Mixtures":
    """The smaller space for these rows, each counted as often as `weights` (n,) says."""
    n, d = rows.table.shape
    return Mixtures(rows, weights) if n < d else Kernels(rows, weights)


class Kernels:
    """Every kernel; a pass over the table, block by block, for each gradient."""

    plain = True

    def __init__(self, rows: Standardised, weights: np.ndarray) -> None:
        self.rows = rows
        self.weights = weights
        self.size = rows.table.shape[1]

    def image(self, values: np.ndarray) -> np.ndarray:
        """The values themselves."""
        return values

    def gradient(
        self, values: np.ndarray, image: np.ndarray, loss_and_error: LossAndError
    ) -> tuple[float, np.ndarray]:
        """The loss and Σ_i x_i errorᵢ (d, k)."""
        kernel = values.astype("float32")
        loss, gradient = 0.0, np.zeros(values.shape)
        for where, block in self.rows.blocks():
            some, error = loss_and_error(where, block @ kernel)
            loss += some
            gradient += block.T @ error.astype("float32")
        return loss, gradient

    def axes(self) -> Axes:
        """Eigenvectors of Σ w_i x_i x_iᵀ."""

        def times(axes: np.ndarray) -> np.ndarray:
            out = np.zeros_like(axes)
            for where, block in self.rows.blocks():
                out += block.T @ (block @ axes * self.weights[where].astype("float32")[:, None])
            return out

        trace = self.weights.sum() * self.rows.varying
        vectors, moments, rest = _strongest(times, self.size, self.size, trace)
        return Axes(vectors, vectors, moments, rest)

    def kernel(self, values: np.ndarray) -> np.ndarray:
        """The values themselves."""
        return values

    def values_near(self, kernel: np.ndarray, shares: np.ndarray | None) -> np.ndarray | None:
        """The kernel itself."""
        return kernel


class Mixtures:
    """Kernels that are mixtures of fewer rows than columns; the table is read once.

    Some mixtures are zero, those of equal rows with opposite signs for one. They get a small
    length, so that a solver sees how much of them it takes, and takes none.
    """

    plain = False

    def __init__(self, rows: Standardised, weights: np.ndarray) -> None:
        self.rows = rows
        self.weights = weights
        self._mean = (weights / np.linalg.norm(weights))[:, None]
        n = self.size = len(rows.table)
        self.products = np.empty((n, n), "float32")
        for where, block in rows.blocks():
            mine = block.copy()
            for other, against in rows.blocks():
                if other.start > where.start:
                    break
                np.matmul(mine, against.T, out=self.products[where, other])
                self.products[other, where] = self.products[where, other].T
        diagonal = np.einsum("ii->i", self.products)
        diagonal += np.float32(LENGTH_OF_NOTHING * float(diagonal.mean()))

    def image(self, values: np.ndarray) -> np.ndarray:
        """G values."""
        return self.products @ values.astype("float32")

    def gradient(
        self, values: np.ndarray, image: np.ndarray, loss_and_error: LossAndError
    ) -> tuple[float, np.ndarray]:
        """The loss and the errors (n, k)."""
        loss, error = loss_and_error(slice(0, self.size), image)
        return loss, self._without_mean(error)

    def axes(self) -> Axes:
        """Eigenvectors q of √w G √w, which has the same moments, as mixtures √w q / √moment."""
        root = np.sqrt(self.weights).astype("float32")[:, None]

        def times(axes: np.ndarray) -> np.ndarray:
            return root * (self.products @ (root * axes))

        trace = float(self.weights @ np.diag(self.products))
        vectors, moments, rest = _strongest(times, self.size, self.size, trace)
        clear = moments > SMALLEST_MOMENT * moments.max()
        moments = moments[clear]
        values = root * vectors[:, clear] / np.sqrt(moments).astype("float32")
        return Axes(values, self.products @ values, moments, rest)

    def _without_mean(self, values: np.ndarray) -> np.ndarray:
        # The weighted mean of standardised rows is nothing, so that any share of it can be taken
        # off; left in, it grows unseen until rounding in G shows it.
        return values - self._mean * (self._mean.T @ values)

    def kernel(self, values: np.ndarray) -> np.ndarray:
        """Zᵀ values (d, k)."""
        kernel = np.zeros((self.rows.table.shape[1], values.shape[1]))
        for where, block in self.rows.blocks():
            kernel += block.T @ values[where].astype("float32")
        return kernel

    def values_near(self, kernel: np.ndarray, shares: np.ndarray | None) -> np.ndarray | None:
        """The first rows' shares, and none of the rows after them."""
        if shares is None:
            return None
        values = np.zeros((self.size, shares.shape[1]))
        values[: len(shares)] = shares
        return self._without_mean(values)


def _strongest(
    times: Callable[[np.ndarray], np.ndarray], size: int, most: int, trace: float
) -> tuple[np.ndarray, np.ndarray, float]:
    """Strongest eigenvectors (size, r) of a matrix, their values, the others' average.

    Source: N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness", 2011.
    """
    rank = min(AXES, most)
    # Any full start will do: the same one each time, so that the same rows give the same head.
    axes = np.random.default_rng(0).normal(size=(size, rank)).astype("float32")
    for _ in range(POWER_STEPS):
        axes, _ = np.linalg.qr(times(axes))
    moments, turn = np.linalg.eigh((axes.T @ times(axes)).astype("float64"))
    moments = np.maximum(moments, 0.0)
    rest = max(0.0, trace - float(moments.sum())) / max(1, most - rank)
    return axes @ turn.astype("float32"), moments, rest
