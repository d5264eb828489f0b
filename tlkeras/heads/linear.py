"""The linear head: its strength chosen on validation rows, then refitted on all of them."""

from collections.abc import Sequence

import numpy as np

from tlkeras.heads.head import FittedHead, Labelled, cross_entropy, share_right
from tlkeras.heads.softmax_regression import Affine, SoftmaxRegression

TOLERANCE_TO_CHOOSE = 1e-3  # moves a validation loss by less than the choice turns on


def fit_linear(
    train: Labelled, validation: Labelled, classes: int, strengths: Sequence[float]
) -> FittedHead:
    """A Dense softmax layer at the optimum of its convex problem.

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
        solutions.append(answer)
    best = int(np.argmin([row["val_loss"] for row in history]))
    strength = history[best]["strength"]
    both = train.join(validation)
    final = SoftmaxRegression(both.vectors, both.labels, classes, both.weights).solve(strength)
    layers = _dense(final)
    return FittedHead(
        layers=layers,
        validation=solutions[best].probabilities(validation.vectors),
        chosen={"strength": strength},
        before_refit=[solutions[best].kernel, solutions[best].bias],
        history=history,
    )


def _dense(answer: Affine) -> tuple[object, ...]:
    import keras

    width, classes = answer.kernel.shape
    # float32 whatever the policy: probabilities in half precision surprise every client.
    dense = keras.layers.Dense(classes, dtype="float32", name="logits")
    dense.build((None, width))
    dense.set_weights([answer.kernel, answer.bias])
    return dense, keras.layers.Softmax(dtype="float32", name="probabilities")
