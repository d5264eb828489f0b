"""Where in a network a class can still be pointed at: its last maps (n, h, w, c), or tokens.

    image ─ conv ─ … ─ conv ─ [7 x 7 map] ─ pool ─ embedding ─ scores
    image ─ patches ─ block ─ [196 tokens + 1] ─ block ─ token 0 ─ scores

The first choice are the maps that no further map follows; two branches have two. In a network
that ends with a class token, its last tokens of patches decide nothing: the choices after the
first are the tensors that everything passes through, from the last to the first.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tlkeras.evaluation.explain.trace import Call, Trace

if TYPE_CHECKING:
    import tensorflow as tf

EXTRA_TOKENS = 8
"""Tokens beside those of patches, at the front: of the class, of distillation, registers."""

_POOLS = {"MaxPooling2D", "AveragePooling2D", "MaxPool", "AveragePool"}


@dataclass(frozen=True)
class Place:
    """A tensor of the trace that has a grid in it: (n, h, w, c), or (n, extra + h w, c).

    Attributes:
        tensor: its id.
        name: of the layer that made it.
        grid: (h, w).
        extra: tokens before those of the grid; None for a map.
    """

    tensor: int
    name: str
    grid: tuple[int, int]
    extra: int | None = None

    def to_map(self, values: "tf.Tensor") -> "tf.Tensor":
        """Values of the tensor's shape as (n, h, w, c)."""
        import tensorflow as tf

        if self.extra is None:
            return values
        return tf.reshape(values[:, self.extra :], (len(values), *self.grid, values.shape[-1]))


def choices(trace: Trace) -> list[tuple[Place, ...]]:
    """Places to explain an answer at, the best first; each choice is one tensor or several.

    Example::

        [[place.name for place in choice] for choice in choices(trace)]   # [["out_relu"], …]
    """
    calls = _on_the_way(trace)
    found = _with_grid(trace, calls)
    first = tuple(dict.fromkeys(_before_pool(trace, found, place) for place in _last(calls, found)))
    passed = [(found[t],) for t in reversed(_passed_by_all(trace, calls)) if t in found]
    return list(dict.fromkeys(choice for choice in (first, *passed) if choice))


def _on_the_way(trace: Trace) -> list[Call]:
    """The calls that pixels go into and that the answer comes from."""
    count = len(trace.tensors[trace.pixels])
    touched = {trace.pixels}
    forward: list[Call] = []
    for call in trace.calls:
        # A number a picture says how many there are, for a class token to be repeated as often.
        given = [t for t in call.gives if math.prod(trace.tensors[t].shape) > count]
        if given and touched.intersection(call.takes):
            touched.update(given)
            forward.append(call)
    needed = {trace.output}
    backward: list[Call] = []
    for call in reversed(forward):
        if needed.intersection(call.gives):
            needed.update(call.takes)
            backward.append(call)
    return backward[::-1]


def _with_grid(trace: Trace, calls: Sequence[Call]) -> dict[int, Place]:
    """Places by tensor, in order; none before the first weights: pixels are not evidence."""
    seen = [tuple(trace.tensors[trace.pixels].shape)]
    grids: list[tuple[int, int]] = []
    learned: set[int] = set()
    found: dict[int, Place] = {}
    for call in calls:
        if learned.intersection(call.takes):
            learned.update(call.gives)
        elif _mixes_channels(call):  # its input is the picture as the network sees it: resized
            seen.append(tuple(trace.tensors[call.takes[0]].shape))
            learned.update(call.gives)
        for tensor in call.gives:
            shape = tuple(trace.tensors[tensor].shape)
            place = None
            if any(_is_map(shape, picture) for picture in seen):
                grids.append(shape[1:3])
                place = Place(tensor, call.name, shape[1:3])
            elif len(shape) == 3 and shape[0] == seen[0][0]:
                place = _tokens(tensor, call.name, shape, grids)
            if place and tensor in learned:
                found[tensor] = place
    return found


def _is_map(shape: tuple[int, ...], picture: tuple[int, ...]) -> bool:
    """Whether it is (n, h, w, c) with the picture's proportions, within a row or a column."""
    # The scores of attention, (n, heads, tokens, tokens), have four axes too.
    if len(shape) != 4 or len(picture) != 4 or shape[0] != picture[0] or min(shape[1:3]) < 2:
        return False
    return abs(shape[1] * picture[2] - shape[2] * picture[1]) <= max(picture[1:3])


def _tokens(
    tensor: int, name: str, shape: tuple[int, ...], grids: Sequence[tuple[int, int]]
) -> Place | None:
    """The place of tokens that a map before them was cut into."""
    for grid in reversed(grids):
        extra = shape[1] - grid[0] * grid[1]
        if 0 <= extra <= EXTRA_TOKENS:
            return Place(tensor, name, grid, extra)
    return None


def _mixes_channels(call: Call) -> bool:
    weights = getattr(call.operation, "weights", None) or ()
    return any(len(weight.shape) > 1 for weight in weights)


def _last(calls: Sequence[Call], found: dict[int, Place]) -> list[Place]:
    """Places that no place depends on."""
    followed: set[int] = set()
    for call in reversed(calls):
        if any(given in found or given in followed for given in call.gives):
            followed.update(call.takes)
    return [place for tensor, place in found.items() if tensor not in followed]


def _passed_by_all(trace: Trace, calls: Sequence[Call]) -> list[int]:
    """Tensors without which nothing of the picture reaches the answer, in order."""
    last_use = {taken: index for index, call in enumerate(calls) for taken in call.takes}
    last_use[trace.output] = len(calls)
    waiting = {trace.pixels}
    found: dict[int, None] = {}
    for index, call in enumerate(calls):
        waiting.update(call.gives)
        waiting = {tensor for tensor in waiting if last_use.get(tensor, -1) > index}
        if len(waiting) == 1:
            found.update(dict.fromkeys(waiting))
    return list(found)


def _before_pool(trace: Trace, found: dict[int, Place], place: Place) -> Place:
    """The finer map that a pooling made a place from, as papers take it for VGG."""
    call = trace.producer(place.tensor)
    while call is not None and call.kind in _POOLS and call.takes[0] in found:
        place = found[call.takes[0]]
        call = trace.producer(place.tensor)
    return place
