"""The unknown score in a run folder: a table of numbers, and what is known of its limit.

unknown.npy (d + 1, k) float32: the kernel, and the offset in every column below it
"""

import io

import numpy as np

from tlkeras.bundle.bundle import UNKNOWN, UnknownFacts
from tlkeras.errors import BundleError
from tlkeras.heads.unknown import UnknownScore


def to_npy(score: UnknownScore) -> bytes:
    """The bytes of the file.

    >>> score = UnknownScore(np.ones((3, 2), "float32"), 0.5, 0.05, 40)
    >>> from_npy(to_npy(score), facts(score)).offset
    0.5
    """
    offsets = np.full((1, score.kernel.shape[1]), score.offset)
    file = io.BytesIO()
    np.save(file, np.vstack([score.kernel, offsets]).astype("float32"))
    return file.getvalue()


def facts(score: UnknownScore) -> UnknownFacts:
    """What is told of it in metrics.json."""
    return {"false_alarms": score.false_alarms, "rows": score.rows}


def from_npy(content: bytes, told: UnknownFacts) -> UnknownScore:
    """The score that `to_npy` and `facts` wrote.

    Raises:
        BundleError: the bytes are no table of finite numbers, or what is told of it is none.
    """
    try:
        table = np.load(io.BytesIO(content), allow_pickle=False)
        if table.ndim != 2 or len(table) < 2 or not np.isfinite(table).all():
            raise ValueError(f"an array {table.shape} with other values than numbers")
        false_alarms, rows = float(told["false_alarms"]), int(told["rows"])
    except (ValueError, TypeError, KeyError, OverflowError, OSError, EOFError) as error:
        raise BundleError(
            f"{UNKNOWN} is a table (d + 1, k) of numbers. Received: {error}. Copy the folder "
            "again, or save the run again."
        ) from error
    kernel = np.ascontiguousarray(table[:-1], "float32")
    return UnknownScore(kernel, float(table[-1, 0]), false_alarms, rows)
