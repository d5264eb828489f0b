"""How all the pictures look: measured by threads in one pass, and kept for the next time.

sources ─look_at─▶ a record each ─▶ blank, dark, overexposed, low-information, blurred
                        └─▶ copies of one another's mirror images

The thresholds leave three sets of photographs (1,472 pictures) without a finding; what they tell
of pictures made worse stands in docs/data_doctor.md.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL

from tlkeras.cache import cache_folder
from tlkeras.data.checks.findings import Finding, Severity
from tlkeras.data.checks.look import LOOK, LOOK_RECORD, look_at
from tlkeras.data.columns.each import each_record
from tlkeras.data.columns.kept import KeptRecords
from tlkeras.data.columns.records import Thumbnails
from tlkeras.data.decode import Source
from tlkeras.data.picture import printable

log = logging.getLogger(__name__)

BLANK_LEVELS = 10
INK_LEVELS = 128
DARK_LEVEL = 50
PALE_LEVEL = 200
OVEREXPOSED_LEVEL, OVEREXPOSED_WHITE = 128, 0.2
ONE_TONE = 0.93
BLURRED_STEP, BLURRED_SIDE_PX = 0.16, 64  # a smaller one has no room to tell

_VERSION = f"2 pillow {PIL.__version__}"  # raise the number when what is measured changes
_TELL_AFTER_SECONDS = 2.0
_MANY = 0.2


class Looks:
    """What was measured on n pictures, a column each; close it after use.

    Attributes:
        look: (n,) of `LOOK`.
        seen: bool (n,), False where a picture could no longer be read.
        dhash, mirrored: uint8 (n, 32), the difference hash, and that of the mirrored picture.
        thumbnails: uint8 (n, 16, 16, 3), read some rows at a time.
    """

    def __init__(self, count: int) -> None:
        self.look = np.zeros(count, LOOK)
        self.seen = np.zeros(count, bool)
        self.dhash = np.zeros((count, 32), np.uint8)
        self.mirrored = np.zeros((count, 32), np.uint8)
        self.thumbnails = Thumbnails()

    def put(self, rows: Sequence[int] | np.ndarray, records: np.ndarray) -> None:
        """Keep `records`, (k,) of `LOOK_RECORD`, as those of `rows`, ascending."""
        if len(rows):
            self.look[rows] = records["look"]
            self.seen[rows] = True
            self.dhash[rows] = records["dhash"]
            self.mirrored[rows] = records["mirrored"]
            self.thumbnails.put(rows, records["thumbnail"])

    def close(self) -> None:
        """Give the thumbnails' file back."""
        self.thumbnails.close()


def look_at_all(sources: Sequence[Source]) -> Looks:
    """What is measured on each source; one that cannot be read any more is logged.

    Example::

        looks = look_at_all([Path("a.jpg"), Path("b.jpg")])
    """
    looks = Looks(len(sources))
    kept = KeptRecords(cache_folder() / "looks.sqlite", _VERSION, LOOK_RECORD)
    began = time.monotonic()
    try:
        for block in each_record(sources, look_at, kept):
            looks.put(block.rows, block.records)
            for row, reason in block.reasons.items():
                log.warning("not looked at: %s: %s", printable(str(sources[row])), reason)
    finally:
        kept.close()
    took = time.monotonic() - began
    if took > _TELL_AFTER_SECONDS:
        log.info("looked at %s pictures in %.0f s", f"{len(sources):,}", took)
    return looks


def kinds_of(look: np.ndarray) -> dict[str, np.ndarray]:
    """The rows int64 (k,) of each kind that is odd; a picture is of one kind at most.

    `look` is (n,) of `LOOK`.

    >>> one = np.array([(0, 4, 30, 60, 20, 160, 0.0, 0.5)], LOOK)
    >>> {kind: rows.tolist() for kind, rows in kinds_of(one).items() if len(rows)}
    {'dark': [0]}
    """
    contrast = look["lightest"].astype(np.int64) - look["darkest"]
    steepest = look["steepest"].astype(np.int64)
    # Ink on white paper is so little that only its edges tell of it.
    blank = (contrast < BLANK_LEVELS) & (steepest < INK_LEVELS)
    light = (look["white"] > OVEREXPOSED_WHITE) & (look["darkest"] >= OVEREXPOSED_LEVEL)
    light |= look["darkest"] >= PALE_LEVEL
    said = {
        "blank": blank,
        "dark": look["light"] < DARK_LEVEL,
        "overexposed": light & (steepest < INK_LEVELS),
        "low-information": look["one_tone"] > ONE_TONE,
        "blurred": (steepest < BLURRED_STEP * contrast) & (look["side_px"] >= BLURRED_SIDE_PX),
    }
    free = np.ones(len(look), bool)
    found: dict[str, np.ndarray] = {}
    for kind, those in said.items():
        found[kind] = np.flatnonzero(those & free)
        free &= ~those
    return found


def odd_looks(looks: Looks, paths: Sequence[Path]) -> Iterator[Finding]:
    """A finding for each kind of odd picture that there is."""
    words: dict[str, tuple[Severity, str]] = {
        "blank": ("warning", "of one colour"),
        "dark": ("info", "very dark"),
        "overexposed": ("info", "very light, with no dark pixels"),
        "low-information": ("info", "almost all of one tone"),
        "blurred": ("info", "blurred, or enlarged from a smaller one"),
    }
    seen = np.flatnonzero(looks.seen)
    for kind, at in kinds_of(looks.look[seen]).items():
        rows = seen[at]
        if not len(rows):
            continue
        severity, said = words[kind]
        message = f"{len(rows):,} picture{'s' * (len(rows) != 1)} {said}"
        if len(rows) > _MANY * len(seen):
            share = len(rows) / len(seen)
            message += f": {share:.0%} of all, so perhaps as they are meant to be"
        yield Finding(
            kind,
            severity,
            message,
            [paths[row] for row in rows.tolist()],
            [_measured(kind, looks.look[row]) for row in rows.tolist()],
        )


def _measured(kind: str, look: np.void) -> str:
    """The value by which a picture is of its kind."""
    if kind == "blank":
        return f"grey levels {look['darkest']} to {look['lightest']}"
    if kind == "dark":
        return f"95 % of it below grey level {int(look['light']) + 1} of 255"
    if kind == "low-information":
        return f"{look['one_tone']:.0%} of it one tone"
    if kind == "overexposed":
        return f"{look['white']:.0%} of it white, 99 % above grey level {int(look['darkest']) - 1}"
    step = int(look["steepest"]) / (int(look["lightest"]) - int(look["darkest"]))
    return f"its sharpest edges rise by {step:.0%} of the contrast a pixel"
