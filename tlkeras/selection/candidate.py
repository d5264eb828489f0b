"""One backbone with all that is known of it for some pictures and this machine: a row of a ranking.

embeddings, labels ─ scores ─▶ Scores ─┐
a process of its own ─▶ time, memory ──┼─▶ Candidate
the catalogue ─▶ top-1, licence ───────┘
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.features.features import Features
from tlkeras.intervals import wilson_interval
from tlkeras.selection.neighbours import neighbour_accuracy
from tlkeras.selection.ridge import left_out_answers
from tlkeras.selection.transferability import h_score, logme

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Scores:
    """How well embeddings tell the classes apart.

    Attributes:
        right: (n,) bool, whether a linear head that had not seen the picture was right.
        knn: share of pictures whose nearest neighbours have their label.
        logme: mean log evidence of a linear model; higher is better.
        h_score: variance between the classes over all of it; higher is better.
    """

    right: np.ndarray
    knn: float
    logme: float
    h_score: float


@dataclass(frozen=True)
class Candidate:
    """A backbone on the user's pictures and machine.

    Attributes:
        name: what it is called in the ranking.
        accuracy: share of the pictures that a linear head trained on all others was right about.
        interval: 95 % interval of that share (Wilson).
        knn: share of pictures whose nearest neighbours have their label.
        logme: LogME of the embeddings; higher is better.
        h_score: shrunk H-score of the embeddings; higher is better.
        ms_per_picture: milliseconds a picture takes through the backbone with all cores busy.
        peak_mb: most memory of a process that holds nothing but the running backbone.
        size_mb: of the file that would be saved, with a head for these classes.
        published_top1: per cent on ImageNet, as its source gives it for the whole network.
        licence: of the pretrained weights; "" where none is stated.
        engine: the package that ran it.
        right: (n,) bool, which pictures the held-out head was right about.
        backbone: what `ImageClassifier` makes it of; None for one that came out of a run folder.
        weights: the weights that go with it.

    Example::

        best = ranking.best
        clf = tl.ImageClassifier(best.backbone, weights=best.weights)
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    knn: float
    logme: float
    h_score: float
    ms_per_picture: float | None
    peak_mb: float | None
    size_mb: float | None
    published_top1: float | None
    licence: str
    engine: str
    right: np.ndarray = field(repr=False, compare=False)
    backbone: "str | Path | keras.Model | None" = field(default=None, repr=False, compare=False)
    weights: str | Path | None = field(default="default", repr=False, compare=False)

    def to_dict(self) -> dict[str, object]:
        """The figures as JSON can hold them, without the answer to each picture."""
        told = {k: value for k, value in vars(self).items() if k not in ("right", "backbone")}
        weights = None if self.weights is None else str(self.weights)
        return {**told, "interval": list(self.interval), "weights": weights}


@dataclass(frozen=True)
class LeftOut:
    """A backbone that was not ranked, and why.

    >>> print(LeftOut("VGG16", "59 MB are more than 20"))
    VGG16: 59 MB are more than 20
    """

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def scores(
    features: Features,
    classes: int,
    *,
    groups: Sequence[Hashable] | None = None,
) -> Scores:
    """Every score of a backbone's embeddings, from none but them and their labels.

    Args:
        features: embeddings (n, d) of the pictures that may be trained on.
        classes: number of classes.
        groups: (n,) pictures with the same value, such as copies, are left out together.

    Example::

        found = scores(embed(data.train.pictures), len(data.class_names))
        accuracy_of(found.right)                        # (0.785, (0.742, 0.822))
    """
    answers = left_out_answers(features, classes, groups=groups)
    return Scores(
        right=answers.argmax(axis=1) == features.labels,
        knn=neighbour_accuracy(features, classes, groups=groups),
        logme=logme(features, classes),
        h_score=h_score(features, classes),
    )


def accuracy_of(right: np.ndarray) -> tuple[float, tuple[float, float]]:
    """The share of True among `right` bool (n,), and its 95 % interval.

    >>> accuracy, (low, high) = accuracy_of(np.array([True] * 28 + [False] * 2))
    >>> f"{accuracy:.3f} {low:.3f} {high:.3f}"
    '0.933 0.787 0.982'
    """
    return float(right.mean()), wilson_interval(int(right.sum()), len(right))
