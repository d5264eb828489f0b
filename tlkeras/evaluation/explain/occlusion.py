"""Occlusion: how much less sure the model is of a class with a patch of the picture grey.

Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2,
https://arxiv.org/abs/1311.2901. It needs answers only, no layers and no gradients, and so checks
Grad-CAM from outside; it costs 170 passes where that costs one.
"""

from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.explain.gradcam import Evidence
from tlkeras.evaluation.explain.scores import ends_squashed, log_odds, to_probabilities
from tlkeras.evaluation.explain.trace import answer_of

if TYPE_CHECKING:
    import keras

PATCHES = 7
"""Patches beside one another along a side; the next one starts half a patch further."""

_AT_ONCE = 32


def occlusion(
    model: "keras.Model", pixels: np.ndarray, classes: int, column: int | None
) -> Evidence:
    """What hiding each part of one picture takes from the log-odds of a class.

    Patches of a seventh of the side, half overlapping, in the mean colour of the picture. The
    heat of a place is the mean loss over the patches that cover it, where that is a loss.

    Args:
        model: anything that takes pixels (n, h, w, 3) and gives (n, classes).
        pixels: (h, w, 3) float32 RGB in [0, 255], of the size the model takes.
        classes: how many there are.
        column: the class; None for the one that the model answers.

    Example::

        occlusion(clf.model, pixels, 3, None).maps          # (1, 14, 14)
    """
    whole = _answers(model, pixels[np.newaxis], classes)
    chosen = int(whole.argmax()) if column is None else column
    steps = 2 * PATCHES
    rows, columns = (
        np.linspace(0, side, steps + 1).round().astype(int) for side in pixels.shape[:2]
    )
    grey = pixels.mean(axis=(0, 1))
    corners = [(y, x) for y in range(steps - 1) for x in range(steps - 1)]
    loss, covered = np.zeros((steps, steps)), np.zeros((steps, steps))
    before = log_odds(whole, chosen)[0]
    for start in range(0, len(corners), _AT_ONCE):
        some = corners[start : start + _AT_ONCE]
        batch = np.repeat(pixels[np.newaxis], len(some), axis=0)
        for picture, (y, x) in zip(batch, some, strict=True):
            picture[rows[y] : rows[y + 2], columns[x] : columns[x + 2]] = grey
        lost = before - log_odds(_answers(model, batch, classes), chosen)
        for (y, x), amount in zip(some, lost, strict=True):
            loss[y : y + 2, x : x + 2] += amount
            covered[y : y + 2, x : x + 2] += 1
    heat = np.maximum(loss / covered, 0).astype(np.float32)
    return Evidence(heat[np.newaxis], np.array([chosen]), whole, "")


def _answers(model: "keras.Model", pixels: np.ndarray, classes: int) -> np.ndarray:
    import keras

    outputs = keras.tree.flatten(model(pixels, training=False))
    return to_probabilities(
        np.asarray(answer_of(outputs, classes, model.name)), ends_squashed(model)
    )
