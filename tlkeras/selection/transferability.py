"""Scores of embeddings that tell without training how well a head may do: LogME and H-score.

Both come from one eigendecomposition of the rows' products, on the smaller side of the table, so
they cost milliseconds. They rank backbones imperfectly and are shown beside a probe, not
instead of one.
"""

from dataclasses import dataclass

import numpy as np

from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.features.table import blocks

ROUNDS = 100  # of LogME's fixed point, which needs about ten
SMALLEST = 1e-12  # of the largest eigenvalue; below it an axis is rounding


def logme(features: Features, classes: int) -> float:
    """Mean log evidence per row of a Bayesian linear model on the embeddings; higher is better.

    K. You, Y. Liu, J. Wang, M. Long, "LogME: practical assessment of pre-trained models for
    transfer learning", ICML 2021 (arXiv 2102.11005), with the fixed-point iteration of its
    sequel (arXiv 2110.10545). One regression on 0 and 1 for each class, averaged.

    Raises:
        DataError: fewer than two rows.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> apart = (rng.normal(size=(60, 5)) + 3 * labels[:, None]).astype("float32")
    >>> chance = rng.normal(size=(60, 5)).astype("float32")
    >>> ids = [str(i) for i in range(60)]
    >>> logme(Features(apart, labels, ids), 2) > logme(Features(chance, labels, ids), 2)
    True
    """
    _check(features)
    targets = np.eye(classes)[features.labels]  # (n, classes)
    axes = _axes(features, targets, centred=False)
    squares = axes.shares**2
    left_over = np.maximum((targets**2).sum(axis=0) - squares.sum(axis=0), 0.0)
    evidences = [
        _evidence(axes.moments, squares[:, one], left_over[one], len(features))
        for one in range(classes)
    ]
    return float(np.mean(evidences)) / len(features)


def h_score(features: Features, classes: int) -> float:
    """How much of the embeddings' variance lies between the classes; higher is better.

    Y. Bao et al., "An information-theoretic approach to transferability in task transfer
    learning", ICIP 2019, with the covariance shrunk as in S. Ibrahim, N. Ponomareva,
    R. Mazumder, "Newer is not always better: rethinking transferability metrics, their
    peculiarities, stability and performance" (arXiv 2110.06893): without that it only measures
    that there are more columns than rows. The shrinkage is that of O. Ledoit and M. Wolf, "A
    well-conditioned estimator for large-dimensional covariance matrices", 2004.

    Raises:
        DataError: fewer than two rows.

    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(60) % 2
    >>> apart = (rng.normal(size=(60, 5)) + 3 * labels[:, None]).astype("float32")
    >>> bool(0.5 < h_score(Features(apart, labels, [str(i) for i in range(60)]), 2) < 1.0)
    True
    """
    _check(features)
    n, d = features.vectors.shape
    counts = np.maximum(np.bincount(features.labels, minlength=classes), 1)
    targets = np.eye(classes)[features.labels] / np.sqrt(counts)
    axes = _axes(features, targets, centred=True)
    variances = axes.moments / n
    mean = variances.sum() / d
    shrinkage = _shrinkage(variances, axes.fourth, n, d)
    shrunk = (1 - shrinkage) * variances + shrinkage * mean
    # The class means lie in the span of the rows: along axis j that of class c is
    # √moment_j · shares_jc / √count_c, and it counts for count_c rows.
    between = axes.moments * (axes.shares**2).sum(axis=1) / n
    return float((1 - shrinkage) * (between / shrunk).sum()) if mean > 0 else 0.0


@dataclass(frozen=True)
class _Axes:
    """Principal axes of a table F (n, d).

    Attributes:
        moments: (r,) squared singular values of F.
        shares: (r, k) Uᵀ targets, U the left singular vectors.
        fourth: Σ over rows of their squared length, squared.
    """

    moments: np.ndarray
    shares: np.ndarray
    fourth: float


def _axes(features: Features, targets: np.ndarray, *, centred: bool) -> _Axes:
    """The axes by the rows' products (n, n) or the columns' (d, d), whichever is smaller."""
    n, d = features.vectors.shape
    mean = features.vectors.mean(axis=0, dtype="float64") if centred else np.zeros(d)
    fourth = 0.0
    if n <= d:
        rows = features.vectors.astype("float64") - mean
        moments, vectors = np.linalg.eigh(rows @ rows.T)
        fourth = float((np.einsum("ij,ij->i", rows, rows) ** 2).sum())
        clear = moments > SMALLEST * moments[-1]
        return _Axes(moments[clear], vectors[:, clear].T @ targets, fourth)
    products, crossed = np.zeros((d, d)), np.zeros((d, targets.shape[1]))
    for piece in blocks(features.vectors):
        rows = features.vectors[piece].astype("float64") - mean
        products += rows.T @ rows
        crossed += rows.T @ targets[piece]
        fourth += float((np.einsum("ij,ij->i", rows, rows) ** 2).sum())
    moments, vectors = np.linalg.eigh(products)
    clear = moments > SMALLEST * moments[-1]
    lengths = np.sqrt(moments[clear])[:, None]
    return _Axes(moments[clear], vectors[:, clear].T @ crossed / lengths, fourth)


def _evidence(moments: np.ndarray, squares: np.ndarray, left_over: float, n: int) -> float:
    """The largest log evidence of one regression over the precisions of weights and noise.

    Args:
        moments: (r,) squared singular values of the table.
        squares: (r,) squared shares of the target along its axes.
        left_over: squared length of the target outside of them.
        n: number of rows.
    """
    weights, noise = 1.0, 1.0
    for _ in range(ROUNDS):
        ratio = weights / noise
        effective = float((moments / (moments + ratio)).sum())
        length = float((moments * squares / (moments + ratio) ** 2).sum())
        residual = float((squares * (ratio / (moments + ratio)) ** 2).sum()) + left_over
        weights = effective / max(length, 1e-12)
        noise = max(n - effective, 1e-12) / max(residual, 1e-12)
        if abs(weights / noise - ratio) <= 1e-3 * ratio:
            break
    ratio = weights / noise
    length = float((moments * squares / (moments + ratio) ** 2).sum())
    residual = float((squares * (ratio / (moments + ratio)) ** 2).sum()) + left_over
    # The axes without a moment have log(weights) on both sides of the determinant.
    determinant = float(np.log(weights + noise * moments).sum()) - len(moments) * np.log(weights)
    fit = noise * residual + weights * length
    return 0.5 * (n * np.log(noise / (2 * np.pi)) - determinant - fit)


def _shrinkage(variances: np.ndarray, fourth: float, n: int, d: int) -> float:
    """Ledoit and Wolf's weight of the mean variance, in [0, 1]."""
    squared = float((variances**2).sum())
    distance = squared - variances.sum() ** 2 / d
    error = (fourth / n - squared) / n
    return 0.0 if distance <= 0 else float(np.clip(error / distance, 0.0, 1.0))


def _check(features: Features) -> None:
    if len(features) < 2:
        raise DataError(
            f"A score needs two embeddings or more. Received: {len(features)}. Add pictures."
        )
