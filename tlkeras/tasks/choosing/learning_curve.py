"""Would more pictures help? Probes on 10, 25, 50 and 100 % of the training pictures.

data.train, data.validation ─ Embedding (cached) ─ Growth ─ Outlook ─▶ LearningCurve
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import printable
from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.intervals import wilson_interval
from tlkeras.progress import Progress, of, showing, silent
from tlkeras.selection.growth import DRAWS, FOLDS, SHARES, Growth, grow
from tlkeras.selection.outlook import Estimate, Outlook, outlooks
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.tasks.own_network import look_at
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

LEAST_STEPS = 3  # of the curve: a law has three unknowns
POINTS = 5.0  # of accuracy, that "how many more pictures for" speaks of


@dataclass(frozen=True)
class CurvePoint:
    """Accuracy of heads trained on so many pictures, with its 95 % interval."""

    pictures: float
    accuracy: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class LearningCurve:
    """How accuracy grows with the number of pictures, and what more of them would bring.

    Attributes:
        backbone: its name.
        class_names: of the pictures.
        counts: how many there are of each class now.
        growth: the measured points, and what was right at each.
        overall: what is foretold for all classes together.
        per_class: for each class, every class growing alike; None for one without pictures.
        notes: what was decided without the user.

    Example::

        curve = tl.learning_curve("flowers/")
        print(curve)
        curve.gain(2), curve.pictures_for(5), curve.pictures_for(5, "rose")
        curve.plot().savefig("curve.png")
    """

    backbone: str
    class_names: tuple[str, ...]
    counts: tuple[int, ...]
    growth: Growth
    overall: Outlook
    per_class: tuple[Outlook | None, ...]
    notes: tuple[str, ...] = ()

    @property
    def points(self) -> tuple[CurvePoint, ...]:
        """The measured points, fewest pictures first."""
        return points_of(self.growth)

    @property
    def pictures(self) -> int:
        """How many there are now, in the training and the validation part."""
        return sum(self.counts)

    def accuracy(self, pictures: float, class_name: str | None = None) -> Estimate:
        """Accuracy after so many pictures in all, in [0, 1] with an 80 % interval.

        With a class, the share of its pictures that is recognised.
        """
        return self._outlook(class_name).accuracy(pictures)

    def gain(self, factor: float = 2.0, class_name: str | None = None) -> Estimate:
        """Points of accuracy that so many times the pictures would add; 80 % interval."""
        return self._outlook(class_name).gain(factor).scaled(100)

    def pictures_for(self, points: float = POINTS, class_name: str | None = None) -> Estimate:
        """How many more pictures would add that many points; 80 % interval, inf for never.

        With a class: how many more of it for points of its own, the other classes growing alike.
        """
        more = self._outlook(class_name).more_for(points / 100)
        if class_name is None:
            return more
        return more.scaled(self.counts[self.class_names.index(class_name)] / self.pictures)

    @property
    def verdict(self) -> str:
        """Whether more pictures would help, in one or two sentences."""
        from tlkeras.tasks.choosing.curve_shown import verdict

        return verdict(self)

    def to_dict(self) -> dict[str, object]:
        """Every number, as JSON can hold it."""
        from tlkeras.tasks.choosing.curve_shown import to_dict

        return to_dict(self)

    def plot(self) -> "Figure":
        """A figure: accuracy against pictures, measured and foretold; the classes beside it.

        Raises:
            MissingExtraError: matplotlib is not installed.
        """
        from tlkeras.tasks.choosing.curve_plot import figure

        return figure(self)

    def __repr__(self) -> str:
        now = f"{100 * self.points[-1].accuracy:.1f} % right"
        return f"LearningCurve({printable(self.backbone)}: {now} with {self.pictures:,} pictures)"

    def __str__(self) -> str:
        from tlkeras.tasks.choosing.curve_shown import to_text

        return to_text(self)

    def _repr_html_(self) -> str:
        from tlkeras.tasks.choosing.curve_shown import to_html

        return to_html(self)

    def _outlook(self, class_name: str | None) -> Outlook:
        if class_name is None:
            return self.overall
        known = class_name in self.class_names
        outlook = self.per_class[self.class_names.index(class_name)] if known else None
        if outlook is None:
            raise DataError(
                f"The classes are {', '.join(map(repr, self.class_names))}. "
                f"Received: {class_name!r}. Name one of them that has pictures."
            )
        return outlook


def learning_curve(
    data: ImageFolder | str | Path,
    backbone: "str | Path | keras.Model" = "MobileNetV2",
    *,
    weights: str | Path | None = "default",
    seed: int = 0,
    progress: Progress | None = None,
) -> LearningCurve:
    """The learning curve of a linear head, and about how many more pictures would bring what.

    Heads are trained on 10, 25, 50 and 100 % of the training and validation pictures, less the
    fifth that each is judged on; every picture is held out once. Through the points goes a power
    law with a floor, and 400 bootstrap samples say how sure that is. The test part is not
    touched. Embeddings are taken from the cache, where another command has left them.

    Args:
        data: labelled pictures, or their folder.
        backbone: as for `ImageClassifier`.
        weights: as for `ImageClassifier`.
        seed: decides what is judged by which head, and the bootstrap samples.
        progress: told how far the work is; None shows it in the terminal or the log.

    Raises:
        DataError: too few pictures for three points of a curve.
        WeightsError: the pretrained weights can't be had; the message lists ways on.

    Source: C. Cortes et al., "Learning curves: asymptotic values and rate of convergence", 1993.
    On how far power laws can be trusted: R. Mahmood et al., "How much more data do I need?",
    arXiv 2207.01725.

    Example::

        curve = tl.learning_curve("flowers/", "MobileNetV2-0.35")
        print(curve.verdict)
    """
    folder = ImageFolder(data) if isinstance(data, str | Path) else data
    source = BackboneSource(backbone, weights)
    embedding = Embedding(source.frozen(seed), Recipe(seed=seed))
    with showing(progress) as show:
        notes = look_at(embedding.frozen, folder) if source.spec() is None else []
        pictures = [*folder.train.pictures, *folder.validation.pictures]
        check_count(len(pictures), len(folder.class_names))
        features = embedding(pictures, progress=of("train and validation", show))
        return curve_of(
            features,
            folder.class_names,
            source.label,
            seed=seed,
            groups=folder.groups("train", "validation").tolist(),
            notes=notes,
            progress=show,
        )


def curve_of(
    features: Features,
    class_names: tuple[str, ...],
    backbone: str,
    *,
    seed: int = 0,
    groups: Sequence[Hashable] | None = None,
    notes: Sequence[str] = (),
    progress: Progress = silent,
) -> LearningCurve:
    """The learning curve of embeddings that are at hand; groups (n,) stay in one fold."""
    classes = len(class_names)
    check_count(len(features), classes)
    used = [k for k, share in enumerate(SHARES) if _trained_on(share, len(features)) >= classes]
    growth = grow(
        features,
        classes,
        shares=[SHARES[k] for k in used],
        draws=[DRAWS[k] for k in used],
        seed=seed,
        groups=groups,
        progress=progress,
    )
    overall, per_class = outlooks(growth, classes, len(features), seed=seed)
    counts = np.bincount(features.labels, minlength=classes).tolist()
    return LearningCurve(
        backbone, class_names, tuple(counts), growth, overall, tuple(per_class), tuple(notes)
    )


def check_count(pictures: int, classes: int) -> None:
    """Nothing where there are enough pictures for a curve.

    Raises:
        DataError: there are not.
    """
    if _trained_on(SHARES[-LEAST_STEPS], pictures) < classes:
        least = int(np.ceil(classes / SHARES[-LEAST_STEPS] / (1 - 1 / FOLDS)))
        raise DataError(
            f"A learning curve of {classes} classes needs {least} pictures to train and validate "
            f"on. Received: {pictures}. Add pictures, or give the test part a smaller share."
        )


def points_of(growth: Growth) -> tuple[CurvePoint, ...]:
    """The measured points of a growth, each with its 95 % interval."""
    found = []
    for pictures, right in zip(growth.pictures, growth.right, strict=True):
        share, judged = float(right.mean()), right.shape[1]
        found.append(CurvePoint(pictures, share, wilson_interval(round(share * judged), judged)))
    return tuple(found)


def _trained_on(share: float, pictures: int) -> float:
    return share * (1 - 1 / FOLDS) * pictures
