"""rank: which backbone suits these pictures, this machine and these limits.

pictures ─ each backbone ─ cost, limits ─ embeddings (cached) ─ scores ─▶ Ranking
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Picture
from tlkeras.errors import DataError, TlkerasError
from tlkeras.progress import Progress, of, showing
from tlkeras.selection.candidate import Candidate, LeftOut, Scores, accuracy_of, scores
from tlkeras.selection.ranking import Ranking
from tlkeras.tasks.choosing.budget import FEWEST, Budget, spread
from tlkeras.tasks.choosing.contenders import Contender, Limits, contenders
from tlkeras.tasks.choosing.cost import Cost, Meter, saved_mb
from tlkeras.tasks.network.embedding import Embedding
from tlkeras.training.recipe import Recipe

if TYPE_CHECKING:
    from tlkeras.tasks.choosing.contenders import Named

logger = logging.getLogger(__name__)


def rank(
    data: ImageFolder | str | Path,
    backbones: "Sequence[Named] | None" = None,
    *,
    minutes: float | None = None,
    max_mb: float | None = None,
    max_ms: float | None = None,
    license: str | Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Ranking:
    """Backbones in the order of their accuracy on these pictures, with what they cost here.

    Each picture of the training and validation parts passes each backbone once; its embedding is
    kept on disk, so that `fit` and a second ranking do not compute it again. A linear head is
    asked about each picture after training on all the others: that is the accuracy. The test part
    is not looked at.

    Args:
        data: labelled pictures, or their folder.
        backbones: catalogue names, files of networks, (name, weights), keras.Models, or
            classifiers, of which the backbone they start from is taken. None: the built-in one
            and all of the catalogue whose weights are on this machine already.
        minutes: time to spend; kept by judging all on the same, fewer pictures.
        max_mb: largest model file.
        max_ms: most milliseconds a picture may take through the backbone, all cores busy, here.
        license: only pretrained weights under this licence, or one of several.
        seed: decides which pictures are taken if not all are, and untrained weights.
        progress: told how far the work is; None shows it in the terminal or the log.

    Raises:
        DataError: a picture can no longer be read, or `minutes` is not above 0.
        BackboneError: an unknown name or licence, or no backbone could be ranked.

    Example::

        ranking = tl.rank("flowers/", ["TinyResNet", "MobileNetV2", ("ResNet50", "r50.h5")])
        print(ranking)
        clf = tl.ImageClassifier(ranking.shortlist[0].name)
    """
    budget = Budget(minutes)
    licences = (license,) if isinstance(license, str) else tuple(license or ())
    limits = Limits(max_mb, max_ms, licences)
    found, left_out = contenders(backbones, limits)
    folder = ImageFolder(data) if isinstance(data, str | Path) else data
    sample = Sample.of(folder, seed)
    with showing(progress) as show, Meter() as meter:
        ranked = _Ranked(sample, limits, budget, seed, left_out, show, meter)
        return ranked.of(found)


@dataclass(frozen=True)
class Sample:
    """Pictures that backbones are judged on, each class in its share of any beginning of them.

    Attributes:
        pictures: n of the training and validation parts.
        labels: (n,) int64.
        groups: (n,) int64; pictures that belong together, such as copies, share a number.
        classes: number of classes.
    """

    pictures: Sequence[Picture]
    labels: np.ndarray
    groups: np.ndarray
    classes: int

    @classmethod
    def of(cls, folder: ImageFolder, seed: int) -> "Sample":
        """The pictures of a folder that may be trained on."""
        labels = np.concatenate([folder.train.labels, folder.validation.labels])
        pictures = [*folder.train.pictures, *folder.validation.pictures]
        groups = folder.groups("train", "validation")
        order = spread(labels, seed)
        return cls(
            [pictures[row] for row in order.tolist()],
            labels[order],
            groups[order],
            len(folder.class_names),
        )

    def first(self, count: int) -> "Sample":
        """The first of them."""
        return Sample(self.pictures[:count], self.labels[:count], self.groups[:count], self.classes)

    def __len__(self) -> int:
        return len(self.pictures)


@dataclass
class _Judged:
    """What is known so far of one contender."""

    contender: Contender
    embedding: Embedding
    cost: Cost
    size_mb: float
    scores: Scores
    seconds_per_picture: float


@dataclass
class _Ranked:
    """The contenders, judged one after the other; a failing one is left out with its reason."""

    sample: Sample
    limits: Limits
    budget: Budget
    seed: int
    left_out: list[LeftOut]
    show: Progress
    meter: Meter
    judged: list[_Judged] = field(default_factory=list)

    def of(self, found: Sequence[Contender]) -> Ranking:
        count = len(self.sample)
        some = self.sample.first(count if self.budget.minutes is None else FEWEST)
        for number, one in enumerate(found):
            if self.budget.is_over and self.judged:
                self._leave_out(one, f"no time was left of {self.budget.minutes:g} minutes")
                continue
            self.show("ranking", number, len(found), one.name)
            self._judge(one, some)
        self.show("ranking", len(found), len(found))
        if len(some) < count and self.judged:
            some = self._more(len(some))
        note = self.budget.line(len(some), count)
        ours = [_candidate(one) for one in self.judged]
        return Ranking.of(ours, self.left_out, [note] if note else [])

    def _judge(self, one: Contender, some: Sample) -> None:
        try:
            embedding = Embedding(one.source.frozen(self.seed), Recipe(seed=self.seed))
            cost = self.meter.cost(embedding, some.pictures)
            size = saved_mb(embedding.frozen, some.classes)
            reason = self.limits.broken_by(size, cost.ms_per_picture)
            if reason:
                self._leave_out(one, reason)
                return
            begun = time.monotonic()
            found = self._scores(one.name, embedding, some)
            took = max((time.monotonic() - begun) / len(some), cost.ms_per_picture / 1000)
            self.judged.append(_Judged(one, embedding, cost, size, found, took))
        except DataError:
            raise  # a picture's fault, not the backbone's
        except TlkerasError as error:
            self._leave_out(one, str(error))

    def _scores(self, name: str, embedding: Embedding, some: Sample) -> Scores:
        features = embedding(some.pictures, progress=of(name, self.show))
        embedding.release()
        embedding.frozen.release()  # dozens of networks would not fit into memory together
        return scores(features, some.classes, groups=some.groups.tolist())

    def _more(self, done: int) -> Sample:
        """Judge all again on as many pictures as the time that is left allows."""
        each = sum(one.seconds_per_picture for one in self.judged)
        some = self.sample.first(self.budget.pictures(len(self.sample), each))
        if len(some) > done:
            for one in self.judged:
                one.scores = self._scores(one.contender.name, one.embedding, some)
        return some

    def _leave_out(self, one: Contender, reason: str) -> None:
        logger.info("%s is left out of the ranking: %s", one.name, reason)
        self.left_out.append(LeftOut(one.name, reason))


def _candidate(one: _Judged) -> Candidate:
    accuracy, interval = accuracy_of(one.scores.right)
    spec = one.contender.spec
    source = one.contender.source
    # An untrained network has nothing of what is published of the trained one.
    published = spec.published if spec and source.weights is not None else None
    return Candidate(
        name=one.contender.name,
        accuracy=accuracy,
        interval=interval,
        knn=one.scores.knn,
        logme=one.scores.logme,
        h_score=one.scores.h_score,
        ms_per_picture=one.cost.ms_per_picture,
        peak_mb=one.cost.peak_mb,
        size_mb=one.size_mb,
        published_top1=published.top1 if published else None,
        licence=spec.licence if spec else "",
        engine=one.cost.engine,
        right=one.scores.right,
        backbone=None if source.make else source.origin,
        weights=source.weights,
    )
