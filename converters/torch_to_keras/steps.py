"""How an array of torch lies in a Keras variable: steps forwards, found by value, and back.

    (O, I, h, w) ─ transpose (2, 3, 1, 0) ─▶ (h, w, I, O)             convolution
    (O, C·h·w)   ─ reshape, transpose, reshape ─▶ (h·w·C, O)          dense after a flatten
    (3d, d)      ─ take 0..d, transpose ─▶ (d, d)                     queries out of a joined matrix
    (3d, d)      ─ take 0..d, transpose, within d..2d ─▶ (d, 3d)      a gate in another place

The steps are those of `converters.report.WeightRow`: names of NumPy functions with their numbers,
and `within`, last, for the part of the variable that the array becomes.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np

Steps: TypeAlias = tuple[tuple[str, tuple[int, ...]], ...]

MOST_AXES = 6
SAMPLE = 64


def forwards(array: np.ndarray, steps: Steps) -> np.ndarray:
    """The array after the steps: as the Keras variable has it."""
    for step, numbers in steps:
        if step == "transpose":
            array = array.transpose(numbers)
        elif step == "reshape":
            array = array.reshape(numbers)
        elif step == "flip":
            array = np.flip(array, numbers)
        elif step == "multiply":
            array = array * np.float32(numbers[0])
        elif step == "take":
            array = array[_part(numbers)]
    return array


def backwards(array: np.ndarray, steps: Steps, into: np.ndarray) -> np.ndarray:
    """The array in the source's own form; where it is a part only, `into` has the rest.

    >>> joined = np.zeros((4, 2))
    >>> backwards(np.ones((2, 2)), (("take", (0, 2, 4)), ("transpose", (1, 0))), joined)[:, 0]
    array([0., 0., 1., 1.])
    """
    if not steps:
        return array
    (step, numbers), rest = steps[0], steps[1:]
    if step == "transpose":
        inner = backwards(array, rest, into.transpose(numbers))
        return inner.transpose(np.argsort(numbers))
    if step == "reshape":
        return backwards(array, rest, into.reshape(numbers)).reshape(into.shape)
    if step == "flip":
        return np.flip(backwards(array, rest, np.flip(into, numbers)), numbers)
    if step == "multiply":  # by 0 only: what another tensor has taken over
        return np.zeros_like(into)
    if step == "within":
        return backwards(array[_part(numbers)], rest, into)
    whole = into.copy()
    part = _part(numbers)
    whole[part] = backwards(array, rest, into[part])
    return whole


def find_steps(source: np.ndarray, target: np.ndarray) -> Steps | None:
    """Steps from one array to another with the same numbers; None where there are no simple ones.

    What networks usually need comes first, so that an array of equal numbers gets it.
    """
    if source.size != target.size:
        return None
    places = tuple(range(2, source.ndim))  # a transposed convolution as a plain one turns these
    for flip in ((), (("flip", places),)) if places else ((),):
        turned = forwards(source, flip)
        for steps in _candidates(source.shape, target.shape):
            view = forwards(turned, steps[:-1] if steps and steps[-1][0] == "reshape" else steps)
            # Reshaping at the end leaves the order alone, so that the view's own is compared.
            if np.array_equal(view.flat[:SAMPLE], target.flat[:SAMPLE]) and np.array_equal(
                view.reshape(target.shape), target
            ):
                return (*flip, *steps)
    return None


def fingerprint(array: np.ndarray) -> tuple[int, int, int]:
    """Three numbers that arrays with the same float32 values share, in whatever order they lie."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).ravel()
    return bits.size, int(bits.sum(dtype=np.uint64)), int((bits & 0xFFFF).sum(dtype=np.uint64))


def parts(source: np.ndarray, size: int) -> Iterator[tuple[Steps, np.ndarray]]:
    """Equal shares of an array along its first axis that have `size` numbers each."""
    if not size or not source.ndim or source.size % size or source.size == size:
        return
    count = source.size // size
    if source.shape[0] % count or count > SAMPLE:
        return
    length = source.shape[0] // count
    for number in range(count):
        bounds = (0, number * length, (number + 1) * length)
        yield (("take", bounds),), source[_part(bounds)]


def _part(numbers: Sequence[int]) -> tuple[slice, ...]:
    axis, start, stop = numbers
    return (*(slice(None),) * axis, slice(start, stop))


def _candidates(source: tuple[int, ...], target: tuple[int, ...]) -> Iterator[Steps]:
    rank = len(source)
    if rank > MOST_AXES:
        return
    if source == target and rank != 2:
        yield ()
    usual = (*range(2, rank), 1, 0) if rank > 1 else (0,)
    for order in dict.fromkeys((usual, *itertools.permutations(range(rank)))):
        yield _tidy(source, (), order, target)
    if rank >= MOST_AXES:
        return
    # An axis that is two in one: channels and places of a flattened picture, groups of channels.
    for axis in sorted(range(rank), reverse=True):
        for outer in range(2, source[axis] // 2 + 1):
            if source[axis] % outer == 0:
                split = (*source[:axis], outer, source[axis] // outer, *source[axis + 1 :])
                for order in _orders_that_split(rank + 1, axis):
                    yield _tidy(source, split, order, target)


def _orders_that_split(rank: int, axis: int) -> Iterator[tuple[int, ...]]:
    """Orders in which the two halves of a split axis change places."""
    for order in itertools.permutations(range(rank)):
        if order.index(axis) != order.index(axis + 1) - 1:
            yield order


def _tidy(
    source: tuple[int, ...], split: tuple[int, ...], order: Sequence[int], target: tuple[int, ...]
) -> Steps:
    shape = split or source
    steps: list[tuple[str, tuple[int, ...]]] = [("reshape", split)] if split else []
    if list(order) != sorted(order):
        steps.append(("transpose", tuple(order)))
    if tuple(shape[axis] for axis in order) != target:
        steps.append(("reshape", target))
    return tuple(steps)
