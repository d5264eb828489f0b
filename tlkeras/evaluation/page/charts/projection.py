"""Embeddings laid out on a plane, so that pictures which the network finds alike lie together.

vectors (n, d) ─ length 1 ─ PCA (n, ≤ 30) ─┬─ some hundred of them ─ t-SNE ─┐
                                           └─ the others, to their nearest ─┴─▶ (n, 2)
"""

import numpy as np

LANDMARKS = 600
COMPONENTS = 30
PERPLEXITY = 30.0
STEPS, EXAGGERATED_STEPS, EXAGGERATION = 350, 100, 12.0
NEIGHBOURS = 3
COMPARED = 10


def to_plane(vectors: np.ndarray) -> np.ndarray:
    """(n, 2) float32 in [0, 1] of vectors (n, d), by t-SNE; the same for the same vectors.

    L. van der Maaten and G. Hinton, "Visualizing Data using t-SNE", Journal of Machine Learning
    Research 9 (2008); started from the first two principal components, so that no chance is in
    it. Above `LANDMARKS` rows t-SNE lays out evenly chosen ones, and each other row goes to the
    weighted mean of the three among them that are nearest to it.

    >>> to_plane(np.eye(8, 3, dtype="float32")).shape
    (8, 2)
    """
    chosen = _evenly(len(vectors), LANDMARKS)
    table = _principal(vectors, chosen)
    if len(chosen) < 5:
        return _unit_square(table[:, :2])
    plane = np.empty((len(vectors), 2), np.float32)
    plane[chosen] = _tsne(table[chosen])
    others = np.setdiff1d(np.arange(len(vectors)), chosen)
    for rows in np.array_split(others, -(-len(others) // 1000)) if len(others) else ():
        distances = _squared_distances(table[rows], table[chosen])
        near = np.argpartition(distances, NEIGHBOURS, axis=1)[:, :NEIGHBOURS]
        weights = 1 / (np.take_along_axis(distances, near, axis=1) + 1e-9)
        weights /= weights.sum(axis=1, keepdims=True)
        plane[rows] = (plane[chosen][near] * weights[:, :, None]).sum(axis=1)
    return _unit_square(plane)


def neighbours_kept(vectors: np.ndarray, plane: np.ndarray) -> float:
    """Share of each row's ten nearest neighbours that are among its ten nearest on the plane.

    Counted on at most `LANDMARKS` rows; 1 for a map that loses nothing.

    >>> line = np.arange(40, dtype="float32")[:, None] * np.ones((1, 2), "float32")
    >>> neighbours_kept(np.hstack([line, line + 50]), line) > 0.5
    True
    """
    chosen = _evenly(len(vectors), LANDMARKS)
    count = min(COMPARED, len(chosen) - 1)
    if count < 1:
        return 1.0
    there = _nearest(_lengths_one(vectors[chosen]), count)
    here = _nearest(plane[chosen].astype(np.float32), count)
    same = [len(np.intersect1d(a, b)) for a, b in zip(there, here, strict=True)]
    return float(np.mean(same) / count)


def _evenly(n: int, most: int) -> np.ndarray:
    return np.linspace(0, n - 1, min(n, most)).round().astype(np.int64)


def _lengths_one(vectors: np.ndarray) -> np.ndarray:
    table = np.asarray(vectors, np.float32)
    return table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-12)


def _principal(vectors: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """(n, k ≤ 30, at least 2) principal components, found from the chosen rows."""
    table = _lengths_one(vectors)
    middle = table[chosen].mean(axis=0)
    _, sizes, axes = np.linalg.svd(table[chosen] - middle, full_matrices=False)
    kept = axes[:COMPONENTS][sizes[:COMPONENTS] > 1e-6 * max(sizes[0], 1e-12)]
    # The sign of a component is arbitrary; its largest weight decides, on every machine alike.
    signs = np.sign(kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)])
    found = (table - middle) @ (kept * signs[:, None]).T
    return np.pad(found, ((0, 0), (0, max(0, 2 - found.shape[1])))).astype(np.float32)


def _tsne(table: np.ndarray) -> np.ndarray:
    """(m, 2) of rows (m, k): gradient descent with momentum and gains on the KL divergence."""
    m = len(table)
    wanted = _affinities(_squared_distances(table, table), min(PERPLEXITY, (m - 1) / 3))
    place = table[:, :2] / max(float(table[:, 0].std()), 1e-12) * 1e-4
    moved, gains = np.zeros_like(place), np.ones_like(place)
    rate = max(m / EXAGGERATION, 50.0)
    for step in range(STEPS):
        exaggerated = step < EXAGGERATED_STEPS
        kernel = 1 / (1 + _squared_distances(place, place))
        np.fill_diagonal(kernel, 0)
        found = kernel / max(float(kernel.sum()), 1e-12)
        pull = (wanted * (EXAGGERATION if exaggerated else 1.0) - found) * kernel
        slope = 4 * (pull.sum(axis=1, keepdims=True) * place - pull @ place)
        gains = np.where(slope * moved < 0, gains + 0.2, np.maximum(gains * 0.8, 0.01))
        moved = (0.5 if exaggerated else 0.8) * moved - rate * gains * slope
        place = place + moved
    return place


def _affinities(distances: np.ndarray, perplexity: float) -> np.ndarray:
    """(m, m) symmetric shares adding to 1, each row as spread as `perplexity` neighbours are."""
    m = len(distances)
    apart = distances + np.diag(np.full(m, np.inf, np.float32))
    apart = apart - apart.min(axis=1, keepdims=True)
    low, high = np.zeros((m, 1)), np.full((m, 1), np.inf)
    sharpness = 1 / np.maximum(np.median(apart, axis=1, keepdims=True), 1e-12).astype(np.float64)
    for _ in range(50):
        weights = np.exp(-apart * sharpness)
        shares = weights / weights.sum(axis=1, keepdims=True)
        entropy = -(shares * np.log(np.maximum(shares, 1e-30))).sum(axis=1, keepdims=True)
        wide = entropy > np.log(perplexity)
        low, high = np.where(wide, sharpness, low), np.where(wide, high, sharpness)
        middle = np.where(np.isinf(high), sharpness * 2, (low + high) / 2)
        sharpness = middle
    both = shares + shares.T
    return (both / both.sum()).astype(np.float32)


def _squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.maximum(squares, 0)


def _nearest(table: np.ndarray, count: int) -> np.ndarray:
    distances = _squared_distances(table, table)
    np.fill_diagonal(distances, np.inf)
    return np.argpartition(distances, count - 1, axis=1)[:, :count]


def _unit_square(plane: np.ndarray) -> np.ndarray:
    low, high = plane.min(axis=0), plane.max(axis=0)
    return ((plane - low) / np.maximum(high - low, 1e-12)).astype(np.float32)
