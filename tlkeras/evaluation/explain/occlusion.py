"""Occlusion: how much less sure the model is of a class with a patch of the picture grey.

Zeiler and Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2,
https://arxiv.org/abs/1311.2901. It needs answers only, no layers and no gradients, and so checks
Grad-CAM from outside; it costs 170 passes where that costs one.
"""

from collections.abc import Callable
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


Answers = Callable[[np.ndarray], np.ndarray]
"""Pixels (m, h, w, 3) float32 in [0, 255] → probabilities (m, classes) float32."""


def occlusion(answers: Answers, pixels: np.ndarray, column: int | None) -> Evidence:
    """What hiding each part of one picture takes from the log-odds of a class.

    Patches of a seventh of the side, half overlapping, in the mean colour of the picture. The
    heat of a place is the mean loss over the patches that cover it, where that is a loss.

    Args:
        answers: what the model answers, such as `answering(model, …)`.
        pixels: (h, w, 3) float32 RGB in [0, 255], of the size the model takes.
        column: the class; None for the one that the model answers.

    Example::

        occlusion(answering(clf.model, 224, 3), pixels, None).maps          # (1, 14, 14)
    """
    whole = answers(pixels[np.newaxis])
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
        lost = before - log_odds(answers(batch), chosen)
        for (y, x), amount in zip(some, lost, strict=True):
            loss[y : y + 2, x : x + 2] += amount
            covered[y : y + 2, x : x + 2] += 1
    heat = np.maximum(loss / covered, 0).astype(np.float32)
    return Evidence(heat[np.newaxis], np.array([chosen]), whole, "")


def answering(model: "keras.Model", size_px: int, classes: int) -> Answers:
    """What a model answers, its graph traced once: half the time of layer by layer.

    Args:
        model: anything that takes pixels (n, size_px, size_px, 3) and gives (n, classes).
        size_px: height and width of the pictures.
        classes: how many there are.

    Raises:
        BackboneError: no output, or several, has a number for each class.

    Example::

        answering(clf.model, 224, 3)(pixels)            # (n, 3)
    """
    import keras
    import tensorflow as tf

    squashed = ends_squashed(model)

    @tf.function(input_signature=[tf.TensorSpec((None, size_px, size_px, 3), tf.float32)])
    def graph(pixels: tf.Tensor) -> list[tf.Tensor]:
        return keras.tree.flatten(model(pixels, training=False))

    def answers(pixels: np.ndarray) -> np.ndarray:
        outputs = graph(tf.constant(pixels))
        return to_probabilities(answer_of(outputs, classes, model.name).numpy(), squashed)

    return answers
