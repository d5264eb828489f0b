"""Two networks of one kind trained on the same pictures: one pretrained, one not.

pretrained: head fitted to the frozen network ─ its top half follows   ─▶ Course
untrained:  a new head on new weights ─ all of it trains, BatchNorm too ─▶ Course

Same pictures, size, views, epochs and rate. Each epoch is judged on the validation part, the
untrained network with BatchNorm statistics of its weights as they are then: Y. Wu, J. Johnson,
"Rethinking 'Batch' in BatchNorm", arXiv 2105.07576.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import keras
import numpy as np

from tlkeras.data.picture import Picture
from tlkeras.data.pipeline import pixel_batches
from tlkeras.features.features import Features
from tlkeras.heads.affine import Affine, AffineHead
from tlkeras.heads.head import Labelled
from tlkeras.heads.linear import fit_linear
from tlkeras.heads.table import Table
from tlkeras.progress import Progress
from tlkeras.tasks.choosing.transfer.untrained import new_head
from tlkeras.tasks.network.assembly import EMBEDDING, join
from tlkeras.training.feed import Feed
from tlkeras.training.freeze import is_batchnorm, leaf_layers, position
from tlkeras.training.recipe import Recipe
from tlkeras.training.step import TrainingStep, inference
from tlkeras.training.tuning.epochs import one_epoch

LAST = 3  # epochs whose answers are averaged for the end of a course
MOMENTUM = 0.9  # of BatchNorm while it trains: hundreds of steps are all there are
SETTLE_BATCHES, SETTLE_BATCH = 6, 48  # of training pictures, that statistics are taken from


@dataclass(frozen=True)
class Course:
    """How one network's accuracy on the validation part went, epoch by epoch.

    Attributes:
        pictures: it was trained on.
        accuracy: after 0, 1, 2, … epochs.
        right: (m,) bool, the validation pictures that it got right at the end, by the mean of
            its answers after the last three epochs.
        seconds: what it took.
        finished: whether it had all its epochs; without, its rate never came down.
    """

    pictures: int
    accuracy: tuple[float, ...]
    right: np.ndarray
    seconds: float
    finished: bool = True

    @property
    def end(self) -> float:
        """Accuracy at the end."""
        return float(self.right.mean())

    @property
    def levelled(self) -> bool:
        """Whether the last quarter of the epochs brought less than two points."""
        quarter = max(1, len(self.accuracy) // 4)
        late, before = self.accuracy[-quarter:], self.accuracy[-2 * quarter : -quarter]
        return not before or float(np.mean(late) - np.mean(before)) < 0.02


@dataclass(frozen=True)
class Pace:
    """Seconds that a pass without gradients takes.

    Attributes:
        picture_s: each picture through the network.
        read_s: each picture read and resized, which its size in the network does not change.
        start_s: until the first batch is through.
    """

    picture_s: float
    read_s: float
    start_s: float


@dataclass(frozen=True)
class Lesson:
    """What both networks learn from.

    Attributes:
        train, validation: the pictures.
        classes: how many.
        size_px: height and width that pictures are resized to.
        recipe: the knobs; `epochs` of it is how many there are, none left out.
        deadline: `time.monotonic()` after which no further epoch begins.
    """

    train: Sequence[Picture]
    validation: Sequence[Picture]
    classes: int
    size_px: int
    recipe: Recipe
    deadline: float

    def until(self, deadline: float) -> "Lesson":
        """The same with another deadline."""
        return replace(self, deadline=deadline)

    def first(self, share: float) -> "Lesson":
        """The same with the first pictures only; they come in chance order."""
        return replace(self, train=self.train[: max(self.classes, round(share * len(self.train)))])


def embedded(
    model: keras.Model, pictures: Sequence[Picture], size_px: int, progress: Progress
) -> tuple[Features, Pace]:
    """Features of the pictures by TensorFlow, and how fast it went."""
    forward = inference(model)
    vectors: list[np.ndarray] = []
    passes: list[float] = []
    sources = [picture.source for picture in pictures]
    first, done, start_s = time.monotonic(), 0, 0.0
    for batch in pixel_batches(sources, (size_px, size_px)):
        begun = time.monotonic()
        vectors.append(forward([batch.pixels])[0])
        if not done:  # it was compiled
            start_s = time.monotonic() - begun
            begun = time.monotonic()
            forward([batch.pixels])
        passes.append((time.monotonic() - begun) / len(batch.index))
        done += len(batch.index)
        progress(f"embedding at {size_px} px", done, len(pictures))
    labels = np.array([picture.label for picture in pictures], "int64")
    ids = tuple(picture.sha256 for picture in pictures)
    picture_s = float(np.median(passes))
    whole_s = (time.monotonic() - first - start_s) / done
    pace = Pace(picture_s, max(0.0, whole_s - picture_s), start_s)
    return Features(np.concatenate(vectors), labels, ids), pace


def fitted_head(features: Features, trained_on: int, lesson: Lesson) -> AffineHead:
    """A linear head on the first rows, its strength chosen on the others."""
    rows = [
        Labelled(
            Table(np.ascontiguousarray(features.vectors[part])),
            features.labels[part],
            np.ones(len(features.labels[part])),
        )
        for part in (slice(0, trained_on), slice(trained_on, None))
    ]
    return fit_linear(rows[0], rows[1], lesson.classes, lesson.recipe.strengths)


def pretrained_course(
    backbone: keras.Model, features: Features, lesson: Lesson, progress: Progress
) -> Course:
    """The course of the pretrained network: a fitted head, then fine-tuning with it.

    `features` are those of the lesson's training pictures and then of its validation pictures.
    """
    head = fitted_head(features, len(lesson.train), lesson)
    model = join(backbone, head.before_refit.to_layers())
    chosen = _top_half(model)
    for layer in leaf_layers(model):
        layer.trainable = layer in chosen
    start = head.validation.argmax(axis=1) == features.labels[len(lesson.train) :]
    return _course("pretrained network", model, start, lesson, progress)


def untrained_course(
    backbone: keras.Model, start: np.ndarray, lesson: Lesson, progress: Progress
) -> Course:
    """The course of the untrained network, all of which trains.

    `start` (m,) bool says what a head on the untrained network gets right.
    """
    kernel, bias = new_head(int(backbone.output_shape[-1]), lesson.classes, lesson.recipe.seed)
    head = AffineHead((Affine(kernel, bias),), np.empty((0, lesson.classes)), {})
    model = join(backbone, head.to_layers())
    for layer in leaf_layers(model):
        layer.trainable = True
        if is_batchnorm(layer):
            layer.momentum = min(layer.momentum, MOMENTUM)
    recipe = lesson.recipe.replace(depth_decay=1.0)  # no layer knows more than another
    name = f"untrained network, {len(lesson.train)} pictures"
    return _course(name, model, start, replace(lesson, recipe=recipe), progress)


def _top_half(model: keras.Model) -> list[keras.Layer]:
    """The head and the upper half of the backbone's layers with weights, BatchNorm left out."""
    layers = leaf_layers(model)
    end = position(layers, EMBEDDING) + 1
    weighted = [layer for layer in layers[:end] if layer.weights and not is_batchnorm(layer)]
    return [*weighted[len(weighted) // 2 :], *layers[end:]]


def _course(
    name: str, model: keras.Model, start: np.ndarray, lesson: Lesson, progress: Progress
) -> Course:
    begun, recipe = time.monotonic(), lesson.recipe
    feed = Feed(model, None, [*lesson.train, *lesson.validation], lesson.size_px, recipe)
    rows = np.arange(len(lesson.train))
    judged = np.arange(len(rows), len(rows) + len(lesson.validation))
    labels = feed.labels[judged]
    layers = [layer for layer in leaf_layers(model) if layer.trainable and layer.trainable_weights]
    steps = -(-len(rows) // recipe.batch_size) * recipe.epochs
    step = TrainingStep(model, layers, recipe, steps, feed.labels[rows])
    pixels = _some_pixels(lesson) if _norms(model) else []
    accuracy = [float(start.mean())]
    late: list[np.ndarray] = []
    for epoch in range(1, recipe.epochs + 1):
        if epoch > 1 and time.monotonic() > lesson.deadline:
            break
        one_epoch(feed, step, rows, epoch)
        _settle(model, pixels)
        answers = feed.answers(judged)
        late = [*late, answers][-LAST:]
        accuracy.append(float((answers.argmax(axis=1) == labels).mean()))
        progress(f"training, {name}", epoch, recipe.epochs, f"accuracy {accuracy[-1]:.3f}")
    right = np.mean(late, axis=0).argmax(axis=1) == labels
    finished = len(accuracy) > recipe.epochs
    return Course(len(rows), tuple(accuracy), right, time.monotonic() - begun, finished)


def _norms(model: keras.Model) -> list[keras.Layer]:
    return [layer for layer in leaf_layers(model) if is_batchnorm(layer) and layer.trainable]


def _some_pixels(lesson: Lesson) -> list[np.ndarray]:
    """Some batches of training pictures (m, size, size, 3), unvaried."""
    sources = [picture.source for picture in lesson.train[: SETTLE_BATCHES * SETTLE_BATCH]]
    size = (lesson.size_px, lesson.size_px)
    return [batch.pixels for batch in pixel_batches(sources, size, batch_size=SETTLE_BATCH)]


def _settle(model: keras.Model, batches: Sequence[np.ndarray]) -> None:
    """Statistics of the norms that train become the mean over the batches.

    Moving averages are those of weights some steps ago: at few steps a network judged with them
    can look as if it had learned nothing.
    """
    norms = _norms(model)
    momenta = [norm.momentum for norm in norms]
    for number, pixels in enumerate(batches):
        for norm in norms:
            norm.momentum = number / (number + 1)
        model(pixels, training=True)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
