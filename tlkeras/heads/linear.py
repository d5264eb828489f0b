"""The linear head: its strength chosen on validation rows, then refitted on all of them."""

from collections.abc import Sequence

import numpy as np

from tlkeras.heads.affine import AffineHead
from tlkeras.heads.head import Labelled, cross_entropy, share_right
from tlkeras.heads.softmax_regression import SoftmaxRegression

TOLERANCE_TO_CHOOSE = 1e-3  # moves a validation loss by less than the choice turns on


def fit_linear(
    train: Labelled, validation: Labelled, classes: int, strengths: Sequence[float]
) -> AffineHead:
    """A softmax layer at the optimum of its convex problem.

    Each strength C (as in scikit-learn: larger is less regularised) is solved on the training
    rows; the one with the lowest validation cross-entropy wins and is solved again on both.
    Standardisation of the embeddings is folded into the kernel.

    Args:
        train: rows to learn from.
        validation: rows that choose the strength.
        classes: number of classes.
        strengths: the values of C to try.
    """
    problem = SoftmaxRegression(train.vectors, train.labels, classes, train.weights)
    history, solutions = [], []
    for strength in sorted(strengths):
        answer = problem.solve(strength, TOLERANCE_TO_CHOOSE)
        guess = answer.probabilities(validation.vectors)
        history.append(
            {
                "strength": float(strength),
                "accuracy": share_right(answer.probabilities(train.vectors), train.labels),
                "val_loss": cross_entropy(guess, validation.labels),
                "val_accuracy": share_right(guess, validation.labels),
            }
        )
        solutions.append((answer, guess))
    best = int(np.argmin([row["val_loss"] for row in history]))
    first, guess = solutions[best]
    strength = history[best]["strength"]
    both = train.join(validation)
    again = SoftmaxRegression(both.vectors, both.labels, classes, both.weights)
    again.start_at(first)
    return AffineHead(
        affines=(again.solve(strength).affine,),
        validation=guess,
        chosen={"strength": strength},
        first=(first.affine,),
        history=history,
    )
