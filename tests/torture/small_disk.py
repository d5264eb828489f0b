"""What `torture.disk` does on the small disk that is mounted for this process alone.

a stage: an older result ─ disk filled, or read-only ─ a command ─▶ exit status, words, result
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import write_flowers
from tests.torture.rows import Row, write

BACKBONE = ("--backbone", "TinyResNet", "--weights", "builtin")
TUNED = (*BACKBONE, "--unfreeze", "2", "--set", "epochs=2", "--set", "batch_size=8")
_FULL = re.compile(r"no space is left in '([^']*)'.* [0-9.,]+ [kM]B are missing", re.S)


@dataclass
class Stage:
    """One stage: its commands so far, and what they did wrong."""

    name: str
    done: int = 0
    wrong: list[str] = field(default_factory=list)
    said: str = ""
    told: str = "went on, with a warning"

    def expect(self, ok: bool, otherwise: str) -> None:
        """Count it as wrong unless `ok`."""
        if not ok:
            self.wrong.append(f"{otherwise}; {self.said[-300:]}")

    def command(self, *words: object, status: int) -> None:
        """Run `tlkeras` with these words; it has to end so, and without a traceback."""
        self.done += 1
        ended, self.said = said(*words)
        self.expect("Traceback" not in self.said, "a traceback")
        self.expect(ended == status, f"{words[0]}: exit status {ended} in place of {status}")

    def refused(self, place: Path, *words: object) -> None:
        """Run `tlkeras` with these words: status 1, and the folder and the lack are named."""
        self.command(*words, status=1)
        found = _FULL.search(self.said)
        self.expect(found is not None, f"{words[0]}: no word of how much is missing")
        if found:
            self.told = found[0]
            inside = Path(found[1]).resolve().is_relative_to(place.resolve())
            self.expect(inside, f"{words[0]}: names {found[1]}, not {place}")


@dataclass(frozen=True)
class Places:
    """`disk` is the small one; the others are beside it."""

    disk: Path
    data: Path
    cache: Path
    run: Path
    tmp: Path


def main() -> int:
    """Go through all stages and write their rows."""
    disk, rows = Path(sys.argv[1]), Path(sys.argv[2])
    aside = disk.parent
    places = Places(disk, aside / "flowers", aside / "cache", aside / "run", aside / "tmp")
    write_flowers(places.data, per_class=20)
    places.tmp.mkdir()
    use(places.cache, places.tmp)
    said("train", places.data, "--to", places.run, *BACKBONE)
    found: list[Row] = []
    for name, stage in STAGES.items():
        one = Stage(name)
        try:
            stage(one, places)
        except Exception:
            one.wrong.append(traceback.format_exc()[-400:])
        use(places.cache, places.tmp)
        clear(disk)
        told = one.wrong[0] if one.wrong else one.told.replace(str(aside), "…")
        found.append(Row("disk", name, one.done, len(one.wrong), "", told))
        write(found, rows)
    return 0


def use(cache: Path, tmp: Path) -> None:
    """Caches and temporary files go there from now on."""
    os.environ["TLKERAS_CACHE"] = str(cache)
    os.environ["TMPDIR"] = tempfile.tempdir = str(tmp)


def said(*words: object) -> tuple[int, str]:
    """Exit status and words of `tlkeras`, run in this process."""
    from tlkeras.cli import main as cli

    sys.argv = ["tlkeras", *map(str, words)]
    sys.stdout.flush()
    kept = [os.dup(number) for number in (1, 2)]
    with tempfile.TemporaryFile(dir=Path(__file__).parent) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)
        status: int | str | None = 0
        try:
            cli.run()
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
            status = 99
        finally:
            sys.stdout.flush()
            for number, old in zip((1, 2), kept, strict=True):
                os.dup2(old, number)
                os.close(old)
        file.seek(0)
        return int(status or 0), file.read().decode("utf-8", "replace")


@contextmanager
def filled(disk: Path, room: int = 0) -> Iterator[None]:
    """The disk with only `room` bytes left."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(4096, shutil.disk_usage(disk).free - room))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def read_only(disk: Path) -> Iterator[None]:
    """The disk as one that takes nothing."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def clear(disk: Path) -> None:
    """Nothing is left on the disk."""
    for path in disk.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def state(path: Path) -> dict[str, str]:
    """A digest of every file below a path, or of the file at it."""
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def page(stage: Stage, at: Places) -> None:
    """`check --html`: the older page stays."""
    target = at.disk / "findings.html"
    target.write_text("older")
    with filled(at.disk):
        stage.refused(at.disk, "check", at.data, "--html", target)
    stage.expect(state(at.disk) == {**state(target)}, "something is left")
    stage.expect(target.read_text() == "older", "the older page is gone")
    stage.command("check", at.data, "--html", target, status=0)


def cache(stage: Stage, at: Places) -> None:
    """The cache can't be written: all goes on, and a warning says so."""
    use(at.disk / "cache", at.tmp)
    (at.disk / "cache").mkdir()
    with filled(at.disk):
        stage.command("check", at.data, status=0)
        stage.command("train", at.data, "--to", at.tmp / "run", *BACKBONE, status=0)
        stage.expect("TLKERAS_CACHE" in stage.said, "no word of the cache")
        stage.command("predict", at.tmp / "run", at.data / "rose", status=0)
    stage.command("train", at.data, "--to", at.tmp / "run", *BACKBONE, "--force", status=0)
    shutil.rmtree(at.tmp / "run")


def run_folder(stage: Stage, at: Places) -> None:
    """Saving a run over an older one: that one stays, and answers."""
    target = at.disk / "run"
    shutil.copytree(at.run, target)
    before = state(target)
    for room in (0, 8_192, 60_000):
        with filled(at.disk, room):
            stage.refused(at.disk, "train", at.data, "--to", target, *BACKBONE, "--force")
        stage.expect(state(target) == before, "the older run has changed")
        shutil.rmtree(at.disk / "run.unfinished", ignore_errors=True)
        stage.expect([path.name for path in at.disk.iterdir()] == ["run"], "something is left")
    stage.command("predict", target, at.data / "rose", status=0)


def checkpoint(stage: Stage, at: Places) -> None:
    """Fine-tuning whose epochs can't be kept stops, and goes on once there is room."""
    target = at.disk / "tuned"
    train = ("train", at.data, "--to", target, *TUNED, "--resume")
    room = sum(path.stat().st_size for path in at.run.rglob("*")) + 100_000
    with filled(at.disk, room):
        stage.refused(at.disk, *train)
    stage.expect(not target.exists(), "a run that is not complete has its final name")
    stage.command(*train, status=0)
    stage.command("predict", target, at.data / "rose", status=0)


def exports(stage: Stage, at: Places) -> None:
    """Each format, in the place of an older file."""
    run = at.disk / "run"
    shutil.copytree(at.run, run)
    for name, place in (("onnx", "a.onnx"), ("litert", "a.tflite"), ("saved_model", "1")):
        target = at.disk / "out" / place
        clf_export(run, target, name)
        before = state(target)
        with filled(at.disk, 20_000):
            stage.done += 1
            try:
                clf_export(run, target, name)
                stage.wrong.append(f"{name}: no error")
            except Exception as error:
                stage.said = f"{type(error).__name__}: {error}"
                stage.expect(bool(_FULL.search(stage.said)), f"{name}: not said what is missing")
        stage.expect(state(target) == before, f"{name}: the older one has changed")
        hidden = [path for path in target.parent.iterdir() if path.name.startswith(".")]
        stage.expect(not hidden, f"{name}: something is left")
    with filled(at.disk, 20_000):
        stage.refused(at.disk, "export", run, at.disk / "cli", "--to", "onnx")


def clf_export(run: Path, target: Path, name: str) -> None:
    """One artefact of the run, by Python."""
    import tlkeras as tl

    tl.ImageClassifier.load(run).export(target, format=name)  # type: ignore[arg-type]


def journal(stage: Stage, at: Places) -> None:
    """Corrections: those that were written before stay, and no half row is added."""
    data = at.disk / "flowers"
    shutil.copytree(at.data, data)
    names = sorted(path.name for path in (data / "rose").iterdir())
    stage.command("check", data, "--relabel", f"rose/{names[0]}=iris", status=0)
    before = (data / "labels.csv").read_bytes()
    with filled(at.disk):
        stage.refused(at.disk, "check", data, "--relabel", f"rose/{names[1]}=iris")
    stage.expect((data / "labels.csv").read_bytes() == before, "the journal has changed")


def activations(stage: Stage, at: Places) -> None:
    """Activations that find no room are computed again in each epoch."""
    from tlkeras.training.maps import Maps

    defaults = Maps.__init__.__kwdefaults__
    old = defaults["in_memory"]
    use(at.disk / "cache", at.tmp)
    (at.disk / "cache").mkdir()
    defaults["in_memory"] = 0
    try:
        with filled(at.disk):
            stage.command("train", at.data, "--to", at.tmp / "tuned", *TUNED, status=0)
            stage.expect("computed again in each epoch" in stage.said, "no word of it")
    finally:
        defaults["in_memory"] = old
        shutil.rmtree(at.tmp / "tuned", ignore_errors=True)


def embeddings(stage: Stage, at: Places) -> None:
    """Embeddings that wait in a file go where there is room, or the command ends in words."""
    from tlkeras.features import table

    old, table.BYTES_IN_MEMORY = table.BYTES_IN_MEMORY, 0
    (at.disk / "cache").mkdir()
    (at.disk / "tmp").mkdir()
    try:
        with filled(at.disk):
            use(at.disk / "cache", at.tmp)
            stage.command("train", at.data, "--to", at.tmp / "run", *BACKBONE, status=0)
            use(at.disk / "cache", at.disk / "tmp")
            stage.refused(at.disk, "train", at.data, "--to", at.tmp / "run2", *BACKBONE)
    finally:
        table.BYTES_IN_MEMORY = old
        shutil.rmtree(at.tmp / "run", ignore_errors=True)


def temporary(stage: Stage, at: Places) -> None:
    """The folder for temporary files is full: that one is named."""
    (at.disk / "tmp").mkdir()
    use(at.cache, at.disk / "tmp")
    with filled(at.disk):
        stage.command("export", at.run, at.tmp / "out", "--to", "onnx", status=1)
        said = f"no space is left in '{at.disk / 'tmp'}' for temporary files"
        stage.expect(said in stage.said, "the folder is not named")
        stage.told = said


def sealed(stage: Stage, at: Places) -> None:
    """A disk that can only be read: caches and runs on it are used, writing is refused."""
    shutil.copytree(at.cache, at.disk / "cache")
    shutil.copytree(at.run, at.disk / "run")
    shutil.copytree(at.data, at.disk / "flowers")
    use(at.disk / "cache", at.tmp)
    name = next(path.name for path in (at.disk / "flowers" / "rose").iterdir())
    before = state(at.disk)
    with read_only(at.disk):
        stage.command("check", at.disk / "flowers", status=0)
        stage.command("predict", at.disk / "run", at.disk / "flowers" / "rose", status=0)
        stage.command("train", at.data, "--to", at.tmp / "run", *BACKBONE, status=0)
        for words in (
            ("train", at.data, "--to", at.disk / "new", *BACKBONE),
            ("check", at.data, "--html", at.disk / "new.html"),
            ("check", at.disk / "flowers", "--relabel", f"rose/{name}=iris"),
            ("export", at.disk / "run", at.disk / "out", "--to", "onnx"),
        ):
            stage.command(*words, status=1)
            stage.expect("read-only" in stage.said, f"{words[0]}: no word of read-only")
        stage.told = "what is there is used; writing is refused, and read-only is named"
    stage.expect(state(at.disk) == before, "something has changed")
    shutil.rmtree(at.tmp / "run", ignore_errors=True)


STAGES: dict[str, Callable[[Stage, Places], None]] = {
    "full under a page of findings": page,
    "full under the cache": cache,
    "full under a run folder": run_folder,
    "full under checkpoints": checkpoint,
    "full under an export": exports,
    "full under the corrections": journal,
    "full under activations": activations,
    "full under embeddings": embeddings,
    "full under temporary files": temporary,
    "read-only": sealed,
}


if __name__ == "__main__":
    sys.exit(main())
