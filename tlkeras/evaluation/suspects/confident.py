"""Confident learning: labels that differ from a class the answers are surer of than is usual.

C. Northcutt, L. Jiang and I. Chuang, "Confident Learning: Estimating Uncertainty in Dataset
Labels", Journal of Artificial Intelligence Research 70 (2021), arXiv 1911.00068.
"""

import numpy as np


def confident_class(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The class int64 (n,) that each row confidently belongs to, -1 where there is none.

    A row counts as class j when its probability of j is at least the mean of that probability
    over the rows labelled j, which lets a class be unsure as a whole. Of several such classes
    the most probable one is taken.

    Args:
        probabilities: (n, c) of a model that had not seen the row it answers for.
        labels: (n,) int, as given.

    >>> answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.95, 0.05]])
    >>> confident_class(answers, np.array([0, 0, 1, 1])).tolist()
    [0, -1, 1, 0]
    """
    classes = probabilities.shape[1]
    counts = np.bincount(labels, minlength=classes)
    own = probabilities[np.arange(len(labels)), labels]
    usual = np.bincount(labels, weights=own, minlength=classes) / np.maximum(counts, 1)
    usual[counts == 0] = np.inf  # nothing is known of a class without rows
    able = np.where(probabilities >= usual, probabilities, -1.0)
    return np.where(able.max(axis=1) >= 0, able.argmax(axis=1), -1)


def confident_joint(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Counts int64 (c, c): given label by the class that rows confidently belong to.

    What stands off the diagonal is probably labelled wrongly.

    >>> answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.95, 0.05]])
    >>> confident_joint(answers, np.array([0, 0, 1, 1])).tolist()
    [[1, 0], [1, 1]]
    """
    found = confident_class(probabilities, labels)
    joint = np.zeros((probabilities.shape[1],) * 2, np.int64)
    np.add.at(joint, (labels[found >= 0], found[found >= 0]), 1)
    return joint
