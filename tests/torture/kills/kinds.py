"""Six kinds of work, each in a place of its own, that may be killed and done again.

place/out      what the work is to leave           place/cache   $TLKERAS_CACHE
place/tmp      temporary files                     place/err.txt what it said, all runs
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

BACKBONE = ("--backbone", "TinyResNet", "--weights", "builtin")
RESULTS = "results.json"


@dataclass(frozen=True)
class Given:
    """What every kind of work finds: the pictures, and two trained runs of them.

    `run` is the one to save and to export; `other` stands where `save` writes to.
    """

    data: Path
    run: Path
    other: Path

    @classmethod
    def under(cls, root: Path) -> "Given":
        """The places below the root of a torture."""
        return cls(root / "pictures", root / "given" / "run", root / "given" / "other")


@dataclass(frozen=True)
class Kind:
    """A kind of work: what it is called in the table, and what does it."""

    name: str
    does: Callable[[Given, Path], None]
    needs_tensorflow: bool = False


def check(given: Given, place: Path) -> None:
    """Findings of the pictures, as a page."""
    command("check", given.data, "--html", place / "out" / "findings.html", "--json")


def extract(given: Given, place: Path) -> None:
    """Embeddings of all pictures, those of an interrupted start taken from the cache."""
    import tlkeras as tl
    from tlkeras.disk import write_bytes
    from tlkeras.tasks.network.assembly import BackboneSource
    from tlkeras.tasks.network.embedding import Embedding

    data = tl.ImageFolder(given.data)
    frozen = BackboneSource("TinyResNet", "builtin").frozen()
    embed = Embedding(frozen, tl.Recipe(deterministic=True))
    vectors = embed(data.train.pictures).vectors
    write_bytes(place / "out" / "vectors.f32", vectors.astype("<f4").tobytes())


def train(given: Given, place: Path) -> None:
    """A head on the frozen backbone, and its run folder."""
    run = place / "out" / "run"
    command("train", given.data, "--to", run, *BACKBONE, "--deterministic", "--resume")


def train_other(given: Given, place: Path) -> None:
    """Another run on the same pictures: another split, other weights."""
    run = place / "out" / "run"
    command("train", given.data, "--to", run, *BACKBONE, "--deterministic", "--seed", "1")


def fine_tune(given: Given, place: Path) -> None:
    """The same with the top of the backbone trained too, some epochs.

    A head that may not become good leaves fine-tuning something to be better at; else the frozen
    backbone would be kept, and be all there is to compare.
    """
    run = place / "out" / "run"
    few = ("--unfreeze", "2", "--set", "epochs=3", "--set", "batch_size=8")
    few += ("--set", "strengths=[0.00001]")
    command("train", given.data, "--to", run, *BACKBONE, *few, "--deterministic", "--resume")


def save(given: Given, place: Path) -> None:
    """A run folder that replaces another, in which somebody has put a note."""
    import tlkeras as tl

    tl.ImageClassifier.load(given.run).save(place / "out" / "run")


def export(given: Given, place: Path) -> None:
    """An ONNX file and a SavedModel of a run, each asked in a process of its own."""
    to = place / "out" / "serve"
    command("export", place / "out" / "run", to, "--to", "onnx,saved_model", "--json")


def look(given: Given, place: Path) -> None:
    """Leave `results.json`; a SavedModel is loaded and answers a picture first."""
    from tests.torture.kills.same import results

    picture = next(path for path in sorted(given.data.rglob("*")) if path.is_file())
    for graph in sorted((place / "out").rglob("saved_model.pb")):
        import tensorflow as tf

        served = tf.saved_model.load(str(graph.parent)).signatures["serving_default"]
        (name,) = served.structured_input_signature[1]
        served(**{name: tf.constant([picture.read_bytes()])})
    (place / RESULTS).write_text(json.dumps(results(place / "out")))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("check", check),
        Kind("extraction", extract),
        Kind("training", train),
        Kind("fine-tuning", fine_tune, needs_tensorflow=True),
        Kind("save", save),
        Kind("export", export, needs_tensorflow=True),
        Kind("look", look),
        Kind("other training", train_other),
    )
}


def command(*words: object) -> None:
    """`tlkeras` with these words, in this process, which it ends by SystemExit if it fails."""
    from tlkeras.cli import main

    sys.argv = ["tlkeras", *map(str, words)]
    main.run()
