"""Each picture's answer of a linear head that was trained on all the others, in closed form.

    standardised rows X = U √s Vᵀ ─ one eigendecomposition ─▶ all strengths, all rows left out

The head is ridge regression on the classes as columns of 0 and 1. Taking a row out changes its
answer by a factor that the full solution knows, so no head is trained n times and no fold is
drawn: the same pictures give the same answers.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.features.table import blocks

PENALTIES = 10.0 ** np.arange(-2, 3.01, 0.25)  # over the mean moment of the rows
SMALLEST = 1e-9  # of the largest moment; below it an axis is rounding
TINY = 1e-12
VARIES = 1e-9  # of a column's size; below it the column is constant


def left_out_answers(
    features: Features, classes: int, *, groups: Sequence[Hashable] | None = None
) -> np.ndarray:
    """Scores (n, classes) float32, each row's from a ridge head that had not seen its group.

    D. M. Allen, "The relationship between variable selection and data augmentation and a method
    for prediction", Technometrics 16 (1974); for whole groups the same identity with their block
    of the hat matrix. The penalty with the lowest squared error of these answers is taken for
    all rows; the embeddings are standardised by all of them.

    Args:
        features: embeddings (n, d) with labels and ids.
        classes: number of classes.
        groups: (n,) rows with the same value, such as copies, are left out together; `ids` when
            None.

    Raises:
        DataError: all rows are of one group.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(40) % 2
    >>> vectors = (rng.normal(size=(40, 3)) + 4 * labels[:, None]).astype("float32")
    >>> answers = left_out_answers(Features(vectors, labels, [str(i) for i in range(40)]), 2)
    >>> answers.shape, float((answers.argmax(axis=1) == labels).mean())
    ((40, 2), 1.0)
    """
    together = _together(features.ids if groups is None else groups)
    targets = np.eye(classes)[features.labels]
    mean = targets.mean(axis=0)
    axes = _axes(features.vectors)
    crossed = axes.rows.T.astype("float64") @ (targets - mean)
    best, least = np.empty(0), np.inf
    for penalty in PENALTIES * max(float(axes.moments.mean()), TINY):
        weights = 1.0 / (axes.moments + penalty)
        errors = targets - mean - axes.rows @ (weights[:, None] * crossed)
        missed = _missed(errors, axes.rows, weights, together)
        loss = float((missed**2).sum())
        if loss < least:
            best, least = targets - missed, loss
    return best.astype("float32")


@dataclass(frozen=True)
class _Axes:
    """The rows (n, r) along their principal axes, and their moments (r,)."""

    rows: np.ndarray
    moments: np.ndarray


def _axes(vectors: np.ndarray) -> _Axes:
    """By the products of the rows (n, n) or of the columns (d, d), whichever are fewer."""
    n, d = vectors.shape
    mean, factor = _standard(vectors)
    if n <= d:
        rows = (vectors.astype("float64") - mean) * factor
        moments, left = np.linalg.eigh(rows @ rows.T)
        clear = _clear(moments)
        return _Axes(left[:, clear] * np.sqrt(moments[clear]), moments[clear])
    products = np.zeros((d, d))
    for piece in blocks(vectors):
        some = (vectors[piece].astype("float64") - mean) * factor
        products += some.T @ some
    moments, right = np.linalg.eigh(products)
    clear = _clear(moments)
    turned = np.empty((n, int(clear.sum())), "float32")
    for piece in blocks(vectors):
        turned[piece] = (vectors[piece].astype("float64") - mean) * factor @ right[:, clear]
    return _Axes(turned, moments[clear])


def _clear(moments: np.ndarray) -> np.ndarray:
    """Which axes (r,) are more than rounding; the strongest one always counts."""
    clear = moments > SMALLEST * moments[-1]
    clear[-1] = True
    return clear


def _standard(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean (d,) of the columns, and one over their spread; 0 for a constant column."""
    mean = vectors.mean(axis=0, dtype="float64")
    squares = np.zeros(len(mean))
    for piece in blocks(vectors):
        squares += ((vectors[piece] - mean) ** 2).sum(axis=0)
    spread = np.sqrt(squares / len(vectors))
    varies = spread > VARIES * (spread + np.abs(mean))
    return mean, np.where(varies, 1.0 / np.where(varies, spread, 1.0), 0.0)


def _missed(
    errors: np.ndarray, rows: np.ndarray, weights: np.ndarray, together: list[np.ndarray]
) -> np.ndarray:
    """Errors (n, classes) of answers that had not seen the row, from those that had."""
    n = len(rows)
    own = np.einsum("ij,ij,j->i", rows, rows, weights, optimize=True) + 1.0 / n
    missed = errors / (1.0 - own)[:, None]
    for group in together:
        hat = (rows[group] * weights) @ rows[group].T + 1.0 / n
        missed[group] = np.linalg.solve(np.eye(len(group)) - hat, errors[group])
    return missed


def _together(groups: Sequence[Hashable]) -> list[np.ndarray]:
    """Row numbers of each group of two rows or more."""
    rows: dict[Hashable, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    if len(rows) < 2:
        raise DataError(
            "Leaving pictures out needs two different ones or more. Received: "
            f"{len(rows)}. Add pictures."
        )
    return [np.array(some) for some in rows.values() if len(some) > 1]
