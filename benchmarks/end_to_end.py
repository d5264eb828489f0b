"""A folder of 1,000 JPEGs → a trained classifier: tlkeras beside what a user would pick instead.

    python -m benchmarks.end_to_end [--only PEER] [--rounds 5] [--smoke] [--accuracy]

MobileNetV2 1.0 at 224 px with its pretrained weights, frozen, ten epochs' worth of training. Each
run is a fresh process, by turns; the peers run in environments of their own, made when missing.
Rows of tlkeras:

    head, warm        to a trained head; the converted backbone is there, no embedding is
    head, warm, bf16  the same with --set precision=bfloat16
    train, warm       the whole `tlkeras train`: head, test part judged, run folder written
    train, cold       the same with an empty cache: conversion and TensorFlow's import included
    train, again      the same on the same folder: every embedding is there

Writes benchmarks/results/end_to_end.json with a plot beside it; with --accuracy also
end_to_end_accuracy.json: three seeds of each picture set, on parts that both have alike.
"""

import argparse
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.harness import Command, Sample, described, interleaved, published, run, table
from benchmarks.harness.machine import ROOT
from benchmarks.harness.pictures import DATA, MOBILENETV2, SETS, put_together, split_apart
from benchmarks.harness.processes import TIMEOUT_S
from benchmarks.harness.results import RESULTS, written
from benchmarks.peers.install import install

PEERS = ROOT / "benchmarks" / "peers"
GUIDE, TIMM = "Keras guide", "PyTorch + timm"
ROWS = {  # row → the environment it runs in; "" is the one that runs this
    GUIDE: "keras_guide",
    "Keras guide, pictures cached": "keras_guide",
    TIMM: "torch_timm",
    "fastai fine_tune": "fastai",
    "KerasHub ImageClassifier": "keras_hub",
    "tlkeras head, warm": "",
    "tlkeras head, warm, bf16": "",
    "tlkeras head, again": "",
    "tlkeras train, warm": "",
    "tlkeras train, cold": "",
    "tlkeras train, again": "",
}
NO_SPIN = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "0"}
WARMING_PICTURES = 120  # of other files, so that the cache has the backbone and no embedding
ACCURACY_SEEDS = (0, 1, 2)

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=DATA, help="folder with datasets/ and weights/")
parser.add_argument("--only", action="append", help="rows whose name has this; repeatable")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--slow-rounds", type=int, help="rounds of fastai and KerasHub, which are long")
parser.add_argument("--pictures", type=int, default=1000)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--accuracy", action="store_true", help="the accuracies instead of the times")
parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
parser.add_argument("--smoke", action="store_true", help="a few pictures, one round, one epoch")


class Bench:
    """Where the pictures, weights, caches and run folders of this benchmark are."""

    def __init__(self, options: argparse.Namespace, folder: Path) -> None:
        self.options, self.folder = options, folder
        self.weights = (options.data / MOBILENETV2).resolve()
        self.pictures = folder / "pictures"
        self.few = folder / "few"
        self.count = put_together(options.data, self.pictures, options.pictures)
        put_together(options.data, self.few, WARMING_PICTURES)
        for path in self.few.rglob("*.jpg"):  # other bytes: no cache knows them from the others
            _saved_anew(path)
        self._kept: dict[str, Path] = {}
        self.trials: dict[str, object] = {}

    def commands(self, names: Sequence[str]) -> list[Command]:
        """The commands of these rows, environments made where missing."""
        pythons = {name: _python(ROWS[name]) for name in names}
        return [self._command(name, pythons[name]) for name in names]

    def _command(self, name: str, python: str) -> Command:
        if name.startswith("tlkeras"):
            return self._ours(name)
        script, state = PEERS / f"{_SCRIPTS[ROWS[name]]}.py", self.folder / "timm.npz"
        if ROWS[name] in ("torch_timm", "fastai"):
            if not state.exists():
                make = [sys.executable, "-m", "benchmarks.peers.timm_weights"]
                _must(Command("weights", [*make, str(self.weights), str(state)], cwd=ROOT))
            options = ["--state", str(state)]
        else:
            options = ["--weights", str(self.weights)] if ROWS[name] == "keras_guide" else []
        options += ["--cache"] if name.endswith("cached") else []
        if ROWS[name] == "torch_timm":
            options += ["--workers", str(self._best_workers([python, str(script)], options))]
        argv = [python, str(script), str(self.pictures), *options]
        slow = ROWS[name] in ("fastai", "keras_hub")
        return Command(
            name,
            [*argv, "--epochs", str(self.options.epochs)],
            environment=NO_SPIN if ROWS[name] in ("torch_timm", "fastai") else {},
            warm_up=[python, str(script), str(self.few), *options, "--epochs", "1"],
            rounds=self.options.slow_rounds if slow else None,
        )

    def _best_workers(self, program: list[str], options: list[str]) -> int:
        """How many workers suit the plain loop on this machine: one epoch with each number."""
        seconds: dict[int, float] = {}
        for count in (2,) if self.options.smoke else (0, 1, 2):
            more = [*options, "--epochs", "1", "--workers", str(count)]
            trial = Command("trial", [*program, str(self.pictures), *more], NO_SPIN)
            seconds[count] = float(str(_must(trial).reported["fit_s"]))
        self.trials["seconds of an epoch of PyTorch by workers"] = seconds
        return min(seconds, key=lambda count: seconds[count])

    def _ours(self, name: str) -> Command:
        knobs = ["--set", "precision=bfloat16"] if name.endswith("bf16") else []
        if "head" in name:
            argv = self._head(self.pictures, knobs)
            how = "head again" if name.endswith("again") else "head"
            return Command(name, argv, prepare=self._cache_like(how, knobs), cwd=ROOT)
        argv = self._train(self.pictures)
        if name.endswith("cold"):
            return Command(name, argv, prepare=lambda: self._cache(None), cwd=ROOT)
        how = "train" if name.endswith("warm") else "again"
        return Command(name, argv, prepare=self._cache_like(how, []), cwd=ROOT)

    def _head(self, pictures: Path, knobs: Sequence[str]) -> list[str]:
        make = [sys.executable, "-m", "benchmarks.peers.tlkeras_head", str(pictures)]
        return [*make, "--weights", str(self.weights), *knobs]

    def _train(self, pictures: Path) -> list[str]:
        program = Path(sys.executable).parent / "tlkeras"
        to = ["--to", str(self.folder / "run"), "--force", "--json"]
        backbone = ["--backbone", "MobileNetV2", "--weights", str(self.weights)]
        return [str(program), "train", str(pictures), *to, *backbone]

    def _cache_like(self, how: str, knobs: Sequence[str]) -> Callable[[], Mapping[str, str]]:
        """Before each run a fresh copy of the cache that such a run starts from."""
        key = " ".join([how, *knobs])

        def prepare() -> Mapping[str, str]:
            if key not in self._kept:
                kept = self.folder / f"kept {len(self._kept)}"
                environment = {"TLKERAS_CACHE": str(kept)}
                pictures = self.pictures if how.endswith("again") else self.few
                head = how.startswith("head")
                made = self._head(pictures, knobs) if head else self._train(pictures)
                _must(Command(f"cache for {key}", made, environment, cwd=ROOT))
                self._kept[key] = kept
            return self._cache(self._kept[key])

        return prepare

    def _cache(self, like: Path | None) -> Mapping[str, str]:
        cache = self.folder / "cache"
        shutil.rmtree(cache, ignore_errors=True)
        if like is not None:
            shutil.copytree(like, cache)
        return {"TLKERAS_CACHE": str(cache)}


_SCRIPTS = {
    "keras_guide": "keras_guide",
    "torch_timm": "torch_timm",
    "fastai": "fastai_fine_tune",
    "keras_hub": "keras_hub_classifier",
}


def _is_wanted(name: str, only: Sequence[str]) -> bool:
    """Whether a row was asked for by its name, or by a part of it that is no row's whole name."""
    return name in only or any(part in name for part in only if part not in ROWS)


def main() -> int:
    options = parser.parse_args()
    if options.smoke:
        options.rounds, options.pictures, options.epochs = 1, 144, 1
    names = [name for name in ROWS if not options.only or _is_wanted(name, options.only)]
    with tempfile.TemporaryDirectory() as folder:
        if options.accuracy:
            return accuracy(options, Path(folder))
        bench = Bench(options, Path(folder))
        commands = bench.commands(names)
        settings = {
            "pictures": bench.count,
            "epochs": options.epochs,
            "backbone": "MobileNetV2 1.0, 224 px",
            "weights": Path(MOBILENETV2).name,
            **bench.trials,
        }
        pythons = {name: _python(ROWS[name]) for name in names if ROWS[name]}
        machine = described(pythons, peak=not options.smoke)
        name = "end_to_end_smoke" if options.smoke else "end_to_end"

        def keep(samples: dict[str, list[Sample]], *, plot: bool = False) -> None:
            published(
                name,
                samples,
                reference=_reference(names),
                folder=options.out,
                machine=machine,
                settings=settings,
                notes=NOTES,
                plot=plot,
            )

        limit_s = 300.0 if options.smoke else TIMEOUT_S
        samples = interleaved(commands, options.rounds, after_round=keep, timeout_s=limit_s)
        keep(samples, plot=True)
    print(table(samples, _reference(names)))
    if TIMM in samples:
        print(f"\n{table(samples, TIMM)}")
    return int(any(sample.failure for rows in samples.values() for sample in rows))


NOTES = (
    "KerasHub's backbone is untrained: it can't load these weights. Its accuracy says nothing.",
    "fastai's fine_tune trains the whole body after its first epoch.",
    "The peers train on 800 pictures and validate on 200 in each epoch; tlkeras' `head` rows embed "
    "the same 1,000; `train` rows split 70/15/15 and evaluate the test part as well.",
)


def accuracy(options: argparse.Namespace, folder: Path) -> int:
    """Validation and test accuracy at the same weights, parts and seeds: guide beside tlkeras."""
    weights = str((options.data / MOBILENETV2).resolve())
    python, rows = _python("keras_guide"), []
    for name in SETS:
        for seed in ACCURACY_SEEDS[: 1 if options.smoke else None]:
            pictures = folder / f"{name} {seed}"
            split_apart(options.data, name, pictures, seed, most=15 if options.smoke else None)
            more = [str(pictures), "--weights", weights, "--seed", str(seed)]
            ours = [sys.executable, "-m", "benchmarks.peers.tlkeras_head", *more, "--score"]
            theirs = [python, str(PEERS / "keras_guide.py"), *more]
            theirs += ["--epochs", str(options.epochs)]
            cache = {"TLKERAS_CACHE": str(folder / "cache")}
            contenders = [
                Command(GUIDE, theirs),
                Command("tlkeras", ours, cache, cwd=ROOT),
                Command("tlkeras, bf16", [*ours, "--set", "precision=bfloat16"], cache, cwd=ROOT),
            ]
            for command in contenders:
                sample = run(command)
                scores = {key: sample.reported.get(key) for key in _SCORES}
                rows.append({"set": name, "seed": seed, "who": command.name, **scores})
                print(rows[-1], sample.failure[-300:], file=sys.stderr, flush=True)
    document = {
        "benchmark": "end_to_end_accuracy",
        "machine": described(peak=False),
        "rows": rows,
        "means": _means(rows),
    }
    name = "end_to_end_accuracy_smoke" if options.smoke else "end_to_end_accuracy"
    written(document, options.out / f"{name}.json")
    for row in document["means"]:
        print(row)
    return 0


_SCORES = ("validation_accuracy", "test_accuracy")


def _means(rows: Sequence[Mapping[str, object]]) -> list[dict[str, object]]:
    """Mean and deviation over the seeds, by set and contender."""
    found = []
    for key in dict.fromkeys((row["set"], row["who"]) for row in rows):
        own = [row for row in rows if (row["set"], row["who"]) == key]
        line: dict[str, object] = {"set": key[0], "who": key[1]}
        for score in _SCORES:
            values = [float(str(row[score])) for row in own if row[score] is not None]
            if values:
                line[score] = round(statistics.mean(values), 4)
                line[f"{score}_sd"] = round(statistics.pstdev(values), 4)
        found.append(line)
    return found


def _reference(names: Sequence[str]) -> str:
    return GUIDE if GUIDE in names else names[0]


def _python(environment: str) -> str:
    return str(install(environment)) if environment else sys.executable


def _must(command: Command) -> Sample:
    sample = run(command)
    if sample.failure:
        raise RuntimeError(f"{command.name}: {sample.failure}")
    return sample


def _saved_anew(path: Path) -> None:
    from PIL import Image

    with Image.open(path) as picture:
        turned = picture.convert("RGB").transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned.save(path, quality=90)


if __name__ == "__main__":
    sys.exit(main())
