"""The folder of a run that is not complete: what was asked for, how far it is, who works there.

    runs/flowers.unfinished/
        state.json          what was asked for, and where
        frozen/             a run folder: the classifier on the frozen backbone, before fine-tuning
        fine_tuning.npz     after each epoch; see `training.tuning.checkpoint`
        lock                held by the process that works there

It stands beside the run folder that it is to become, and goes away when that is complete.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tlkeras import disk
from tlkeras.backbones.foreign.doors import read_json
from tlkeras.bundle import read
from tlkeras.bundle.bundle import INDEX, Bundle
from tlkeras.bundle.index import is_run, sha256
from tlkeras.data.folder import ImageFolder
from tlkeras.errors import BundleError, WeightsError
from tlkeras.tasks.run_folder import FROZEN, versions
from tlkeras.training.recipe import Recipe
from tlkeras.training.tuning import checkpoint
from tlkeras.training.tuning.checkpoint import differences
from tlkeras.training.tuning.lock import held

if TYPE_CHECKING:
    from tlkeras.tasks.image_classifier import ImageClassifier

logger = logging.getLogger(__name__)

STATE, LOCK = "state.json", "lock"
FORMAT, FORMAT_VERSION = "tlkeras-unfinished", 1

_PHASES = {"fine-tuning": "Fine-tuning", "refit": "Fine-tuning on all pictures"}


class Unfinished:
    """A run that is worked on in `folder`, and is to become `run`; made by `opened`.

    Args:
        run: the run folder to write.
        resume: go on with what is there.
    """

    def __init__(self, run: Path, resume: bool = False) -> None:
        self.run = run
        self.resume = resume
        self.folder = run.with_name(f"{run.name}.unfinished")
        self._begun = self._finished = False

    def begin(self, asked: Mapping[str, Any]) -> bool:
        """Whether there is work left; False where the run is complete.

        Args:
            asked: what the run is to be, by `asked_of`.

        Raises:
            BundleError: what is there was asked for otherwise; the message names what differs.
        """
        state = self._state() if self.resume else None
        if state is None:
            if self.resume and self.run.exists():
                _check_same(self.run, _asked_of_run(read.load(self.run)), asked)
                return False
            if self.resume:
                logger.info("there is nothing to go on with in %s; it begins anew", self.folder)
        else:
            _check_same(self.folder, state["asked"], asked)
            if self.run.exists() and _index_hash(self.run) != state["replaces"]:
                self.finish()  # it was complete, and only this folder was left to remove
                return False
            self._tell_other_environment(state["environment"])
        self._write(asked, _index_hash(self.run) if state is None else state["replaces"])
        self._begun = True
        return True

    def finish(self) -> None:
        """Remove the folder, since the run is complete."""
        self._finished = True  # from now on another process may make one of this name
        shutil.rmtree(self.folder, ignore_errors=True)

    def kept(self) -> str:
        """What there is after a stop, and where."""
        frozen, epoch = self.folder / FROZEN, checkpoint.told(self.folder)
        lines = []
        if is_run(frozen):
            lines.append(f"The classifier on the frozen backbone is complete: {frozen}")
            lines.append(f"  tlkeras predict {frozen} PICTURE...")
        if epoch is not None:
            lines.append(f"{_PHASES[epoch[0]]} is kept up to epoch {epoch[1]}.")
        if not lines:
            lines.append("Pictures that were embedded are kept, and are not embedded again.")
        return "\n".join(lines)

    def forget(self) -> None:
        """Remove what the folder holds, except for the lock."""
        for path in self.folder.iterdir():
            if path.name != LOCK:
                disk.remove(path)

    def tidy(self) -> None:
        """Remove the folder if it holds nothing but a wish, and that one ours."""
        wish = self.folder / STATE
        frozen, epochs = self.folder / FROZEN, self.folder / checkpoint.FILE
        if self._finished or is_run(frozen) or epochs.exists():
            return
        if self._begun or not wish.exists():
            self.finish()

    def _state(self) -> dict[str, Any] | None:
        """What state.json says; None without one."""
        path = self.folder / STATE
        if not path.exists():
            return None
        try:
            state: Any = read_json(path)
            version = state["format"], state["format_version"]
            complete = all(name in state for name in ("asked", "replaces", "environment"))
        except (WeightsError, KeyError, TypeError) as error:
            raise BundleError(
                f"{path} says what the run is to be. Received: {error} "
                "Begin anew with --force; pictures that were embedded are not embedded again."
            ) from error
        if version != (FORMAT, FORMAT_VERSION) or not complete:
            raise BundleError(
                f"This release goes on with unfinished runs of version {FORMAT_VERSION}. Received: "
                f"{path} of {version}. Use the release that wrote it, or begin anew with --force."
            )
        return dict(state)

    def _write(self, asked: Mapping[str, Any], replaces: str | None) -> None:
        state = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "asked": asked,
            "replaces": replaces,
            "environment": versions(),
        }
        try:
            disk.write_bytes(self.folder / STATE, json.dumps(state, indent=2).encode("ascii"))
        except OSError as error:
            raise BundleError(
                f"A run that is not complete is kept in {self.folder}. Received: {error}. "
                "Make room there, or name another run folder."
            ) from error

    def _tell_other_environment(self, then: Mapping[str, Any]) -> None:
        found = differences(then, versions())
        if found:
            logger.warning(
                "this is another environment than the run was begun in (%s); the last bits of "
                "its weights may differ from those of a run without a break",
                "; ".join(found),
            )


@contextmanager
def opened(run: Path, *, resume: bool = False, force: bool = False) -> Iterator[Unfinished]:
    """The unfinished run that is to become `run`, for this process alone as long as the `with`.

    A folder without anything worth keeping is gone afterwards.

    Args:
        run: the run folder to write.
        resume: go on with what is there.
        force: begin anew, and replace a run that is there.

    Raises:
        BundleError: there is something, and neither was said; or both were.
        TrainingError: another process works there.

    Example::

        with opened(Path("runs/flowers"), resume=True) as work:
            if work.begin(asked_of(classifier, data)):
                classifier.fine_tune(data, checkpoint=work.folder)
                classifier.save(work.run)
                work.finish()
    """
    if resume and force:
        raise BundleError(
            "A run is gone on with (--resume) or begun anew (--force). Received: both. Leave one."
        )
    if run.exists() and not (resume or force):
        raise BundleError(
            f"The run is written to a new folder. Received: {run}, which exists. "
            "Name another with --to, or replace it with --force."
        )
    work = Unfinished(run if run.name not in ("", "..") else run.resolve(), resume)
    _check_ours(work.folder)
    with held(work.folder / LOCK):
        if (work.folder / STATE).exists() and not (resume or force):
            raise BundleError(
                f"A run is begun where there is none. Received: {work.folder}, of one that was "
                "broken off. Go on with it by --resume, or begin anew with --force."
            )
        if force:
            work.forget()
        try:
            yield work
        finally:
            work.tidy()


def asked_of(
    classifier: "ImageClassifier", data: ImageFolder, unfreeze: str | int | float | None = None
) -> dict[str, Any]:
    """What a training is to make of the pictures, as JSON can hold it.

    Args:
        classifier: with its backbone, head and recipe.
        data: the pictures.
        unfreeze: as for `fine_tune`; None: `fit` alone.
    """
    source, recipe = classifier.source, classifier.recipe
    spec = source.spec()
    return {
        "pictures": data.fingerprint(),
        "backbone": source.label if spec is None else spec.name,
        "backbone's file": _file_hash(source.origin),
        "weights": source.weights_name,
        "weights' file": _file_hash(source.weights),
        "preprocessing": repr(source.preprocessing),
        "head": classifier.head if isinstance(classifier.head, str) else "layers",
        "fine-tuning": unfreeze is not None,
        "recipe": (recipe if unfreeze is None else recipe.replace(unfreeze=unfreeze)).to_dict(),
    }


def _asked_of_run(bundle: Bundle) -> dict[str, Any]:
    """What a complete run tells of what was asked for."""
    digest = hashlib.sha256(repr(bundle.class_names).encode())
    rows = [
        (str(row["sha256"]), bundle.class_names.index(str(row["label"])), str(row["part"]))
        for row in bundle.manifest
    ]
    for row in sorted(rows):
        digest.update(repr(row).encode())
    facts = bundle.backbone
    told = {
        "pictures": digest.hexdigest(),  # as `ImageFolder.fingerprint` has it
        "weights": facts["weights"],
        "head": bundle.head["kind"],
        "fine-tuning": any(row.get("phase") == "fine-tuning" for row in bundle.history),
        "recipe": Recipe.from_dict(bundle.recipe).to_dict(),
    }
    return {**told, "backbone": facts["name"]} if facts["in_catalogue"] else told


def _check_same(place: Path, then: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    found = differences(then, {name: now[name] for name in then if name in now})
    if found:
        raise BundleError(
            f"--resume goes on with what was asked for before. Received: other wishes than those "
            f"of {place} ({'; '.join(found)}). Ask for the same, name another run folder with "
            "--to, or begin anew with --force."
        )


def _check_ours(folder: Path) -> None:
    """Raises BundleError where the folder is there and holds something else."""
    try:
        names = {path.name for path in folder.iterdir()}
    except FileNotFoundError:
        return
    except NotADirectoryError:
        names = {folder.name}
    if names and not names & {STATE, LOCK}:
        raise BundleError(
            f"An unfinished run is kept in {folder}. Received: a folder or file of something "
            "else. Name another run folder with --to, or move it away."
        )


def _index_hash(run: Path) -> str | None:
    try:
        return sha256(run / INDEX)
    except OSError:
        return None


def _file_hash(origin: object) -> str | None:
    """SHA-256 of a file that was named; None for anything else."""
    if not isinstance(origin, str | Path):
        return None
    path = Path(origin).expanduser()
    return sha256(path) if path.is_file() else None
