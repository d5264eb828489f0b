"""Adam on arrays: the update of every weight in few passes over the memory."""

from collections.abc import Sequence

import numpy as np

FORGET = 0.9  # of the mean gradient, a step
FORGET_SQUARE = 0.999
FLOOR = 1e-7  # as Keras has it
CHUNK = 2**15  # values; all that one chunk needs stays in a core's own cache


class Adam:
    """Arrays of weights that start at zero and move against their gradients.

    Args:
        shapes: of the arrays.
        rate: the learning rate.

    Attributes:
        values: float32 arrays of these shapes; write the first weights into them.
        gradients: float32 arrays of these shapes; write into them before each `step`.

    Source: D. Kingma, J. Ba, "Adam: a method for stochastic optimization", 2015.

    >>> adam = Adam([(2,)], rate=0.1)
    >>> adam.gradients[0][:] = [3.0, -0.5]
    >>> adam.step()
    >>> adam.values[0].round(4).tolist()
    [-0.10000000149011612, 0.10000000149011612]
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], rate: float) -> None:
        size = sum(int(np.prod(shape)) for shape in shapes)
        self.rate = rate
        self.steps = 0
        self._value, self._gradient = np.zeros(size, "float32"), np.zeros(size, "float32")
        # Sums instead of means, Σ 0.9^age g and Σ 0.999^age g²: a pass over the memory less each.
        self._sum, self._squares = np.zeros(size, "float32"), np.zeros(size, "float32")
        self._room = np.empty(min(size, CHUNK), "float32")
        self.values = _views(self._value, shapes)
        self.gradients = _views(self._gradient, shapes)

    def step(self) -> None:
        """Move every weight once, by the gradients as they are now."""
        self.steps += 1
        unbiased = np.sqrt(1 - FORGET_SQUARE**self.steps) / (1 - FORGET**self.steps)
        # m / (√v + floor) of the means m and v, in terms of the sums.
        of_squares = np.sqrt(1 - FORGET_SQUARE)
        rate = np.float32(self.rate * unbiased * (1 - FORGET) / of_squares)
        floor = np.float32(FLOOR / of_squares)
        for start in range(0, len(self._value), CHUNK):
            here = slice(start, start + CHUNK)
            gradient, total, squares = (
                self._gradient[here],
                self._sum[here],
                self._squares[here],
            )
            room = self._room[: len(gradient)]
            total *= np.float32(FORGET)
            total += gradient
            squares *= np.float32(FORGET_SQUARE)
            np.square(gradient, out=room)
            squares += room
            np.sqrt(squares, out=room)
            room += floor
            np.divide(total, room, out=room)
            room *= rate
            self._value[here] -= room


def _views(flat: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    parts = np.split(flat, ends[:-1])
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]
