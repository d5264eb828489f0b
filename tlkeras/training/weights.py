"""How much each class counts, and when it is worth thinking about."""

from collections.abc import Sequence
from typing import Literal

import numpy as np

UNBALANCED = 3.0  # largest class over smallest, from which a hint is given


def class_weights(
    labels: Sequence[int] | np.ndarray, classes: int, rule: Literal["balanced"] | None
) -> np.ndarray:
    """Weights (classes,) float64 that average one over the rows.

    "balanced" gives each class the same total: n / (classes · n_class), as scikit-learn does.

    >>> class_weights([0, 0, 0, 1], 2, "balanced").round(3).tolist()
    [0.667, 2.0]
    >>> class_weights([0, 0, 0, 1], 2, None).tolist()
    [1.0, 1.0]
    """
    if rule is None:
        return np.ones(classes)
    counts = np.bincount(np.asarray(labels, "int64"), minlength=classes)
    return len(labels) / (classes * np.maximum(counts, 1))


def imbalance_hint(counts: dict[str, int], rule: Literal["balanced"] | None) -> str | None:
    """A sentence when the classes are unbalanced and nothing is done about it.

    >>> imbalance_hint({"cat": 90, "dog": 10}, None)
    "classes are unbalanced ('cat' has 9.0 times the pictures of 'dog'); \
if rare classes matter as much, use Recipe(class_weight='balanced')"
    """
    if rule is not None or not counts:
        return None
    most, least = max(counts, key=lambda c: counts[c]), min(counts, key=lambda c: counts[c])
    ratio = counts[most] / max(1, counts[least])
    if ratio < UNBALANCED:
        return None
    return (
        f"classes are unbalanced ({most!r} has {ratio:.1f} times the pictures of {least!r}); "
        "if rare classes matter as much, use Recipe(class_weight='balanced')"
    )
