"""A budget in minutes, kept by judging every backbone on the same, fewer pictures."""

import time

import numpy as np

from tlkeras.errors import DataError

FEWEST = 64  # pictures that every backbone is judged on, whatever the budget
RESERVE = 0.9  # of the time left that is planned for


class Budget:
    """How much time is left, and how many pictures fit into it.

    Args:
        minutes: to spend from now on; None: any number.

    >>> Budget(None).pictures(400, seconds_per_picture=1.0)
    400
    """

    def __init__(self, minutes: float | None) -> None:
        if minutes is not None and not minutes > 0:
            raise DataError(
                f"minutes is expected above 0, or None for no limit. Received: {minutes}. "
                "Give a number such as 5."
            )
        self.minutes = minutes
        self._end = np.inf if minutes is None else time.monotonic() + 60 * minutes

    @property
    def is_over(self) -> bool:
        """Whether no time is left."""
        return time.monotonic() >= self._end

    def pictures(self, count: int, seconds_per_picture: float) -> int:
        """How many of `count` pictures to judge on, when a further one takes that long."""
        if self.minutes is None:
            return count
        seconds = RESERVE * max(0.0, self._end - time.monotonic())
        return min(count, FEWEST + int(seconds / max(seconds_per_picture, 1e-9)))

    def line(self, judged: int, count: int) -> str:
        """What was done to keep the budget, as a note for the reader; "" for nothing.

        >>> Budget(0.5).line(120, 400)
        'judged on 120 of 400 pictures, to stay within 0.5 minutes'
        """
        if judged == count or self.minutes is None:
            return ""
        overrun = time.monotonic() - self._end
        if overrun > 1:
            return (
                f"judged on {judged} of {count} pictures, the fewest, which took "
                f"{overrun / 60:.1f} minutes more than the {self.minutes:g} given"
            )
        return f"judged on {judged} of {count} pictures, to stay within {self.minutes:g} minutes"


def spread(labels: np.ndarray, seed: int = 0) -> np.ndarray:
    """An order int (n,) of rows, any beginning of which has each class in its share.

    >>> spread(np.array([0, 0, 0, 0, 1, 1]))[:3].tolist()
    [3, 5, 2]
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = labels[order]
    counts = np.bincount(labels)
    by_class = np.argsort(shuffled, kind="stable")
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    place = np.empty(len(labels), "int64")
    place[by_class] = np.arange(len(labels)) - first[shuffled[by_class]]
    return order[np.argsort(place / counts[shuffled], kind="stable")]
