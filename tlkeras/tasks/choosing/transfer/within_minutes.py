"""Both networks trained within some minutes: how large, how long, on how many pictures.

one pass at the smallest size, timed ─▶ the largest size whose training fits
                                        none fits: fewer epochs, then fewer pictures
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tlkeras.data.folder import ImageFolder
from tlkeras.progress import Progress
from tlkeras.selection.growth import in_chance_order
from tlkeras.tasks.choosing.transfer.end_to_end import (
    Course,
    Lesson,
    Pace,
    embedded,
    fitted_head,
    pretrained_course,
    untrained_course,
)
from tlkeras.tasks.choosing.transfer.untrained import at_size
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.training.recipe import Recipe

FEWER = 0.25  # of the training pictures, that the untrained network learns from if time is left
SIDES_PX = (224, 160, 128, 96)
LEAST_EPOCHS = 8
COURSES = 2
STEP = 5.0  # times a pass without gradients, that a step of training takes
STARTS = 8.0  # times the start of the first, that the second takes to start
SPARE = 0.8  # of the time is planned with: another program may want the cores too
LATE = 1.6  # times the seconds, after which a network is cut short: a busy machine may be slow
UNTRAINED_PART = 0.65  # of the time for both: all of it trains, of the other one half
BATCH = 16  # small: a few hundred pictures should make a few hundred steps


@dataclass(frozen=True)
class Both:
    """The courses of the pretrained network, and of the untrained one on more pictures."""

    pretrained: Course
    untrained: tuple[Course, ...]
    size_px: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What is trained: sizes in pixels, epochs, and the number of training pictures."""

    size_px: int
    epochs: int
    pictures: int


def train_both(
    source: BackboneSource, data: ImageFolder, recipe: Recipe, seconds: float, progress: Progress
) -> Both:
    """Both networks trained on the same pictures; `recipe.epochs` where the time allows.

    Example::

        both = train_both(BackboneSource("MobileNetV2", "default"), data, Recipe(), 300, silent)
    """
    begun = time.monotonic()
    order = in_chance_order(data.train.labels, np.arange(len(data.train)), (recipe.seed,))
    train = [data.train.pictures[row] for row in order]
    validation = list(data.validation.pictures)
    sizes = _sizes(source, recipe.seed)
    model = at_size(source, True, sizes[-1], recipe.seed)
    features, pace = embedded(model, [*train, *validation], sizes[-1], progress)
    left = seconds - (time.monotonic() - begun)
    wanted = Plan(sizes[0], recipe.epochs, len(train))
    plan = choose(wanted, sizes, pace, len(validation), left, len(data.class_names))
    lesson = Lesson(
        train[: plan.pictures],
        validation,
        len(data.class_names),
        plan.size_px,
        recipe.replace(epochs=plan.epochs, batch_size=BATCH),
        begun + LATE * seconds,
    )
    latest = time.monotonic() + UNTRAINED_PART * LATE * left
    untrained = _untrained(source, lesson.until(latest), progress)
    if (plan.size_px, plan.pictures) != (sizes[-1], len(train)):
        model = at_size(source, True, plan.size_px, recipe.seed)
        features, _ = embedded(model, [*lesson.train, *validation], plan.size_px, progress)
    pretrained = pretrained_course(model, features, lesson, progress)
    courses = [untrained]
    if time.monotonic() + 2 * FEWER * untrained.seconds < begun + seconds:
        courses.insert(0, _untrained(source, lesson.first(FEWER), progress))
    notes = _notes(wanted, plan, [pretrained, untrained], seconds, time.monotonic() - begun)
    return Both(pretrained, tuple(courses), plan.size_px, notes)


def choose(
    wanted: Plan, sizes: Sequence[int], pace: Pace, judged: int, left_s: float, classes: int
) -> Plan:
    """The largest plan that fits into the seconds that are left.

    Args:
        wanted: without any limit.
        sizes: of pictures, the largest first.
        pace: of the network at the smallest size.
        judged: pictures that each epoch is judged on.
        left_s: seconds that are left.
        classes: number of classes; of each two pictures stay.

    >>> choose(Plan(224, 20, 300), (224, 96), Pace(0.003, 0.004, 1.0), 70, 400, classes=10)
    Plan(size_px=96, epochs=20, pictures=300)
    """
    left_s = max(0.0, SPARE * left_s - COURSES * STARTS * pace.start_s)

    def seconds(plan: Plan) -> float:
        each_s = pace.picture_s * (plan.size_px / sizes[-1]) ** 2
        epoch_s = plan.pictures * (STEP * each_s + pace.read_s) + judged * (each_s + pace.read_s)
        return COURSES * plan.epochs * epoch_s

    for size in sizes:
        plan = replace(wanted, size_px=size)
        if seconds(plan) <= left_s:
            return plan
    share = left_s / seconds(plan)
    epochs = max(min(LEAST_EPOCHS, wanted.epochs), int(share * wanted.epochs))
    share = min(1.0, left_s / seconds(replace(plan, epochs=epochs)))
    pictures = min(wanted.pictures, max(2 * classes, int(share * wanted.pictures)))
    return Plan(plan.size_px, epochs, pictures)


def _sizes(source: BackboneSource, seed: int) -> tuple[int, ...]:
    """Sides to choose from, the largest first; a network of the user's own has one."""
    spec = source.spec()
    if spec is None:
        return (source.frozen(seed).spec.size_px,)
    return (spec.size_px, *(side for side in SIDES_PX if side < spec.size_px))


def _untrained(source: BackboneSource, lesson: Lesson, progress: Progress) -> Course:
    """The course of the untrained network."""
    model = at_size(source, False, lesson.size_px, lesson.recipe.seed)
    every = [*lesson.train, *lesson.validation]
    features, _ = embedded(model, every, lesson.size_px, progress)
    head = fitted_head(features, len(lesson.train), lesson)
    start = head.validation.argmax(axis=1) == features.labels[len(lesson.train) :]
    return untrained_course(model, start, lesson, progress)


def _notes(
    wanted: Plan, plan: Plan, courses: Sequence[Course], seconds: float, took: float
) -> tuple[str, ...]:
    """What was left out to keep the time, a sentence each, and what it took."""
    limit = f"to keep {seconds / 60:g} minutes"
    notes = []
    if plan.size_px < wanted.size_px:
        notes.append(
            f"{limit} both networks were trained on pictures of {plan.size_px} px, not "
            f"{wanted.size_px}"
        )
    if plan.epochs < wanted.epochs:
        notes.append(f"{limit} there were {plan.epochs} epochs, not {wanted.epochs}")
    if plan.pictures < wanted.pictures:
        notes.append(
            f"{limit} both networks were trained on {plan.pictures} of {wanted.pictures} training "
            "pictures, every class in proportion"
        )
    short = min(len(course.accuracy) - 1 for course in courses)
    if short < plan.epochs:
        notes.append(
            f"the time was up after {short} of {plan.epochs} epochs: give more minutes, or take "
            "fewer epochs"
        )
    elif not courses[-1].levelled:
        notes.append(
            "the untrained network was still getting better in its last epochs: with more "
            "minutes and epochs it could end higher"
        )
    return (*notes, f"training both networks took {took:.0f} s")
