"""How unlike the training pictures an embedding is, as one product with a small matrix.

x (n, d) ─ length 1 ─▶ x · (centre of each class - half the centre of all) ─ highest ─▶ closeness
score = (typical - closeness) / (typical - limit):   0 as close as most, 1 the limit, more: unlike
"""

from dataclasses import dataclass

import numpy as np

from tlkeras.heads.table import Table

SHARE_OF_ALL = 0.5
LEAST_SPREAD = 1e-2  # of closeness, between a typical picture and the limit
SHORTEST = 1e-12  # an embedding of nothing but zeros stays that


@dataclass(frozen=True, eq=False)
class UnknownScore:
    """Embeddings (n, d) → scores (n,); a score above 1 says "unlike the training pictures".

    It is no proof that a picture shows none of the classes: it says how far its embedding is
    from theirs. Pictures of another kind get high scores; another class of the same kind
    often does not.

    Attributes:
        kernel: (d, k) float32; the score is `offset` less the highest of the k products with
            an embedding of length 1.
        offset: see there.
        false_alarms: share of pictures like the training ones with a score above 1, at most.
        rows: pictures, each new to the centres, that the limit was set on.

    >>> rng = np.random.default_rng(0)
    >>> known = rng.normal(3, 1, (200, 8)).astype("float32")
    >>> score = fit_unknown(Table(known[:100]), np.zeros(100, int), Table(known[100:]), 0.05)
    >>> bool((score(known) > 1).mean() < 0.1), bool((score(-known) > 1).all())
    (True, True)
    """

    kernel: np.ndarray
    offset: float
    false_alarms: float
    rows: int

    def __call__(self, vectors: np.ndarray | Table) -> np.ndarray:
        """Scores (n,) float32 of embeddings (n, d), block by block."""
        return self.offset - _closeness(self.kernel, _table(vectors))

    def __str__(self) -> str:
        """One sentence for the run's record."""
        return (
            "unknown_score above 1 marks pictures unlike the training pictures; of pictures like "
            f"these at most {self.false_alarms:.2g} are marked too (its limit is set on "
            f"{self.rows} pictures that were new to it)"
        )


def fit_unknown(
    vectors: np.ndarray | Table,
    labels: np.ndarray,
    unseen: np.ndarray | Table,
    false_alarms: float,
    *,
    frozen: bool = True,
) -> UnknownScore:
    """A score whose limit keeps false alarms on pictures like the unseen ones to a share.

    Closeness to the nearest class centre, less half of that to the centre of all: what every
    picture has in common tells little (J. Ren et al., "A simple fix to Mahalanobis distance for
    improving near-OOD detection", 2021, arXiv 2106.09022, from K. Lee et al., 2018, arXiv
    1807.03888). Angles and one matrix in place of covariances: on embeddings of a few hundred
    pictures these told other pictures apart no worse than whitened distances.

    The limit is an order statistic of the unseen rows, so that a new picture like them is above
    it with at most the probability asked for (split conformal prediction, V. Vovk et al., 2005).
    With fewer than 1 / false_alarms - 1 rows that can't be had. With `frozen`, training rows help
    out then, each held against the centre of its class without it; else the limit is the
    furthest row, and the score's own `false_alarms` says what it comes to.

    Args:
        vectors: (n, d) embeddings of the training pictures.
        labels: (n,) int class indices.
        unseen: (m, d) embeddings of validation pictures, m >= 1.
        false_alarms: the share, above 0 and below 1.
        frozen: whether the embeddings come from a network that did not train on these rows.
    """
    table = _table(vectors)
    kernel = _kernel(table, labels)
    far = -_closeness(kernel, _table(unseen))
    if frozen and len(far) + 1 < 1 / false_alarms:
        far = np.concatenate([far, -_left_out(table, labels)])
    far = np.sort(far)
    place = min(int(np.ceil((1 - false_alarms) * (len(far) + 1) - 1e-9)), len(far))
    share = max(false_alarms, 1 / (len(far) + 1))
    return _scaled(kernel, float(np.median(far)), float(far[place - 1]), share, len(far))


def fit_again(
    before: UnknownScore, seen: np.ndarray, vectors: np.ndarray, labels: np.ndarray
) -> UnknownScore:
    """The score for a network that has since trained on the validation pictures too.

    No picture is new to it, so the score is scaled for the training pictures to score as they
    did in the network before, where the limit was set: the same median, the same 95 % of them.

    Args:
        before: the score for the network before.
        seen: (n, d) embeddings of training pictures by the network before.
        vectors: (n, d) of the same pictures by the network now.
        labels: (n,) int class indices of these.
    """
    kernel = _kernel(_table(vectors), labels)
    middle, upper = np.quantile(before(seen), (0.5, 0.95)).tolist()
    far_middle, far_upper = np.quantile(-_closeness(kernel, _table(vectors)), (0.5, 0.95)).tolist()
    spread = (far_upper - far_middle) / max(upper - middle, 1e-3)
    typical = far_middle - middle * spread
    return _scaled(kernel, typical, typical + spread, before.false_alarms, before.rows)


def _scaled(
    kernel: np.ndarray, typical: float, limit: float, false_alarms: float, rows: int
) -> UnknownScore:
    """The score that is 0 and 1 at two values of -closeness."""
    spread = max(limit - typical, LEAST_SPREAD)
    return UnknownScore(kernel / np.float32(spread), -typical / spread, false_alarms, rows)


def _kernel(table: Table, labels: np.ndarray) -> np.ndarray:
    """(d, k) float32: the direction of each class that has rows, less half of their mean's."""
    centres = _directions(_sums(table, labels))
    everything = _directions(centres.mean(axis=0, keepdims=True))
    return np.ascontiguousarray((centres - SHARE_OF_ALL * everything).T, "float32")


def _left_out(table: Table, labels: np.ndarray) -> np.ndarray:
    """The closeness (n,) of each row, its own class's centre taken without it."""
    _, place = np.unique(labels, return_inverse=True)
    sums = _sums(table, labels)
    centres = _directions(sums)
    everything = SHARE_OF_ALL * _directions(centres.mean(axis=0))
    found = np.empty(len(table))
    for where, rows in table.blocks():
        directions, own = _directions(rows), place[where]
        products = directions @ centres.T
        alone = _directions(sums[own] - directions)
        products[np.arange(len(own)), own] = (alone * directions).sum(axis=1)
        found[where] = products.max(axis=1) - directions @ everything
    return found


def _sums(table: Table, labels: np.ndarray) -> np.ndarray:
    """(k, d): the sum of the rows' directions, of each class that has rows."""
    classes, place = np.unique(labels, return_inverse=True)
    sums = np.zeros((len(classes), table.shape[1]))
    for where, rows in table.blocks():
        one_hot = (place[where] == np.arange(len(classes))[:, None]).astype("float32")
        sums += one_hot @ _directions(rows)
    return sums


def _closeness(kernel: np.ndarray, table: Table) -> np.ndarray:
    """The highest product (n,) float32 of each row's direction with a column."""
    found = np.empty(len(table), "float32")
    for where, rows in table.blocks():
        found[where] = (_directions(rows) @ kernel).max(axis=1)
    return found


def _directions(rows: np.ndarray) -> np.ndarray:
    """The rows, or the one row, at length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), SHORTEST)


def _table(vectors: np.ndarray | Table) -> Table:
    return vectors if isinstance(vectors, Table) else Table(np.asarray(vectors, "float32"))
