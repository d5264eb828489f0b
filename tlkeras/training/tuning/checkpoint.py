"""How far fine-tuning has come, in one file that is whole or not there.

epoch ends ─▶ fine_tuning.npz   arrays as NumPy writes them, figures as JSON, CRC-32 of each
next start ─▶ the same work? ─ yes ─▶ goes on after that epoch
                    └ no ─▶ refused, and what differs is named
"""

import json
import logging
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np

from tlkeras import disk
from tlkeras.backbones.foreign.doors import parse_json
from tlkeras.errors import TrainingError
from tlkeras.training.tuning.state import Judged, PhaseName, State

logger = logging.getLogger(__name__)

FILE = "fine_tuning.npz"
FORMAT = 1
_ENTRY_BYTES = 512  # of an array in the archive, beside its numbers

_TOLD = "told"
_GROUPS = ("weights", "optimizer", "best_weights")
_DAMAGED = (OSError, EOFError, ValueError, TypeError, KeyError, MemoryError, NotImplementedError)
_UNREADABLE = (*_DAMAGED, zipfile.BadZipFile, zlib.error)


class Checkpoint:
    """The state of one piece of work in a folder; nothing in it is a pickle.

    Args:
        folder: made when something is written.
        work: what is worked on, as JSON can hold it; a state of other work is refused.

    Example::

        checkpoint = Checkpoint("flowers.unfinished", {"recipe": recipe.to_dict()})
        checkpoint.write(state)
        checkpoint.read().epoch
    """

    def __init__(self, folder: str | Path, work: Mapping[str, object]) -> None:
        self.path = Path(folder) / FILE
        self.work = json.loads(json.dumps(work))

    def read(self) -> State | None:
        """The state that was written last; None where there is none, or it is damaged.

        Raises:
            TrainingError: it is of other work, or was written by another release.
        """
        if not self.path.exists():
            return None
        try:
            with self.path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                told = _told(arrays)
                self._check(told)
                return _state(told, arrays)
        except _UNREADABLE as error:
            logger.warning("%s is damaged (%s); fine-tuning begins anew", self.path, error)
            return None

    def write(self, state: State) -> None:
        """Put the state in the place of the one before, which stays until this one is whole.

        Raises:
            TrainingError: it can't be written; the one before is as it was.
        """
        arrays = {
            f"{group}_{number:05}": array
            for group in _GROUPS
            for number, array in enumerate(getattr(state, group))
        }
        told = json.dumps({"format": FORMAT, "work": self.work, **_figures(state)})
        arrays[_TOLD] = np.frombuffer(told.encode("ascii"), np.uint8)
        needed = sum(array.nbytes for array in arrays.values())
        try:
            with disk.explained(self.path.parent, needed):
                self._replace(arrays)
        except OSError as error:
            raise TrainingError(
                f"Each epoch of fine-tuning is kept in {self.path.parent}. Received: {error}. "
                "Make room there and go on from the epoch before, or name another folder."
            ) from error

    def _replace(self, arrays: dict[str, np.ndarray]) -> None:
        folder = self.path.parent
        folder.mkdir(parents=True, exist_ok=True)
        disk.sweep(folder)
        fresh = disk.unused(self.path)
        try:
            with fresh.open("wb") as file:
                disk.take_room(file, sum(array.nbytes + _ENTRY_BYTES for array in arrays.values()))
                np.savez(file, **arrays)
                file.truncate()
            disk.flush(fresh)
            os.replace(fresh, self.path)
        except BaseException:
            disk.remove(fresh)
            raise
        disk.flush(folder)

    def _check(self, told: dict[str, Any]) -> None:
        """Raises TrainingError unless the file is of this work and of this release's format."""
        if told["format"] != FORMAT:
            raise TrainingError(
                f"This release goes on from checkpoints of format {FORMAT}. Received: format "
                f"{told['format']!r} in {self.path}. Delete it to begin anew, or use the release "
                "that wrote it."
            )
        found = differences(told["work"], self.work)
        if found:
            raise TrainingError(
                f"A checkpoint goes on with the work that it was written in. Received: "
                f"{self.path}, of other work ({'; '.join(found)}). Go on with what it was, or "
                "name another folder."
            )


def told(folder: str | Path) -> tuple[PhaseName, int] | None:
    """The phase and its last complete epoch that a folder's checkpoint is of; None without one.

    >>> told("nowhere") is None
    True
    """
    try:
        path = Path(folder) / FILE
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            found = _told(arrays)
            return cast(PhaseName, str(found["phase"])), int(found["epoch"])
    except _UNREADABLE:
        return None


def differences(then: Mapping[str, Any], now: Mapping[str, Any], of: str = "") -> list[str]:
    """What differs between two nested dicts, a phrase each.

    >>> differences({"recipe": {"epochs": 20, "seed": 0}}, {"recipe": {"epochs": 30, "seed": 0}})
    ['recipe.epochs: 20 then, 30 now']
    """
    found = []
    for name in sorted({*then, *now}):
        before, after = then.get(name), now.get(name)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            found += differences(before, after, f"{of}{name}.")
        elif before != after:
            found.append(f"{of}{name}: {before!r:.40} then, {after!r:.40} now")
    return found


def _told(arrays: Any) -> dict[str, Any]:
    told = parse_json(arrays[_TOLD].tobytes(), _TOLD)
    if not isinstance(told, dict):
        raise TypeError(f"{_TOLD} holds no object")
    return told


def _figures(state: State) -> dict[str, object]:
    return {
        "phase": state.phase,
        "epoch": state.epoch,
        "frozen": [state.frozen.accuracy, state.frozen.loss],
        "best": [state.best.accuracy, state.best.loss],
        "best_epoch": state.best_epoch,
        "history": state.history,
        "stopped": state.stopped,
    }


def _state(told: dict[str, Any], arrays: Any) -> State:
    # Reading a member to its end holds it against its CRC-32.
    groups = {
        group: [arrays[name] for name in sorted(arrays.files) if name.startswith(f"{group}_")]
        for group in _GROUPS
    }
    return State(
        phase=told["phase"],
        epoch=int(told["epoch"]),
        frozen=Judged(*told["frozen"]),
        best=Judged(*told["best"]),
        best_epoch=int(told["best_epoch"]),
        history=list(told["history"]),
        stopped=str(told["stopped"]),
        **groups,
    )
