"""Grad-CAM: where the last map of a network holds what raises the score of a class.

Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
Localization", https://arxiv.org/abs/1610.02391: each channel of the map is weighted by the mean
gradient of the score (before the softmax) with respect to it; the positive part of their sum is
the answer. Where pooling and one linear layer follow the map, it is exactly the evidence that
each place adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.errors import BackboneError
from tlkeras.evaluation.explain.places import Place, choices
from tlkeras.evaluation.explain.scores import probabilities_of, score_of
from tlkeras.evaluation.explain.trace import Trace, traced

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, eq=False)
class Evidence:
    """What spoke for a class in each of n pictures.

    Attributes:
        maps: (n, h, w) float32, at least 0; only the proportions in a picture mean anything.
        columns: (n,) int, the class.
        probabilities: (n, classes) float32, the model's answers.
        layer: where the map is from.
    """

    maps: np.ndarray
    columns: np.ndarray
    probabilities: np.ndarray
    layer: str


def gradcam(
    model: "keras.Model", pixels: np.ndarray, classes: int, columns: Sequence[int | None]
) -> Evidence:
    """Grad-CAM of pictures for a class each, in one pass for all of them.

    Args:
        model: Functional or Sequential, pixels → (n, classes); see `trace.traced`.
        pixels: (n, h, w, 3) float32 RGB in [0, 255], of the size the model takes.
        classes: how many there are.
        columns: class of each picture; None for the one that the model answers.

    Raises:
        BackboneError: the model can't be followed, or has no map that a class depends on.

    Example::

        gradcam(clf.model, pixels, 3, [None, 2]).maps         # (2, 7, 7)
    """
    trace = traced(model, pixels, classes)
    probabilities = probabilities_of(trace)
    answered = probabilities.argmax(axis=1)
    wanted = np.array(
        [own if column is None else column for own, column in zip(answered, columns, strict=True)]
    )
    options = choices(trace)
    for places in options:
        found = _slopes(trace, places, wanted)
        if found is not None:
            return Evidence(_sum(found), wanted, probabilities, _names(places))
    if options:  # a dead end: no place changes the score
        grid = options[0][0].grid
        nothing = np.zeros((len(pixels), *grid), np.float32)
        return Evidence(nothing, wanted, probabilities, _names(options[0]))
    raise BackboneError(
        "Grad-CAM needs a layer with a map (n, h, w, channels), at least 2 x 2, or with tokens of "
        f"patches, between pixels and classes. Received: '{model.name}', which has none. Explain "
        "it with method='occlusion', or give the network larger pictures."
    )


def _slopes(trace: Trace, places: Sequence[Place], columns: np.ndarray) -> list[np.ndarray] | None:
    """For each place (n, h, w): channels times their mean gradient; None if all are zero."""
    import tensorflow as tf

    values = {place.tensor: tf.identity(trace.tensors[place.tensor]) for place in places}
    score = score_of(trace)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch(list(values.values()))
        chosen = tf.gather(score(values), columns, batch_dims=1)
    gradients = tape.gradient(chosen, values)
    found, moves = [], False
    for place in places:
        gradient = gradients[place.tensor]
        if gradient is None:
            gradient = tf.zeros_like(values[place.tensor])
        slope = np.asarray(place.to_map(gradient), np.float32)
        channels = np.asarray(place.to_map(values[place.tensor]), np.float32)
        moves = moves or bool(np.any(slope))
        weights = slope.mean(axis=(1, 2))
        found.append(np.einsum("nhwc,nc->nhw", channels, weights))
    return found if moves else None


def _sum(maps: Sequence[np.ndarray]) -> np.ndarray:
    """The positive part of all maps together, at the size of the finest."""
    from PIL import Image

    height, width = max((each.shape[1:] for each in maps), key=np.prod)
    total = np.zeros((len(maps[0]), height, width), np.float32)
    for each in maps:
        # A place of a coarser map stands for more of the picture.
        share = each[0].size / (height * width)
        for row, own in zip(total, each, strict=True):
            grid = Image.fromarray(own * share)
            row += np.asarray(grid.resize((width, height), Image.Resampling.BILINEAR))
    return np.maximum(total, 0)


def _names(places: Sequence[Place]) -> str:
    return " + ".join(place.name for place in places)
