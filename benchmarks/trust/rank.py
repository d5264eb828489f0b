"""Does the order that `rank` gives hold after a full `fit`, and what does it cost?

    python -m benchmarks.trust.rank [--data ../shared/data] [--seeds 3] [--rounds 3]

1. On clothing_small, for each seed: backbones in the order of `rank`, which sees the training and
   validation pictures, against the order of their accuracies on the test part after `fit`:
   Kendall's tau-b, and that of each score beside it. With the parts that the folders have (the
   seed then draws only the validation part), and with parts drawn anew from all pictures.
2. Six backbones on its 400 pictures: seconds of `rank` against those of the six extractions
   alone, in fresh processes by turns; with an empty cache, and with the backbones known but the
   pictures new.

Writes benchmarks/results/rank.json.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import tlkeras as tl
from benchmarks.harness.machine import ROOT, described
from benchmarks.harness.pictures import files_of
from benchmarks.harness.processes import Command, Sample, interleaved
from benchmarks.harness.results import RESULTS, written
from tlkeras.progress import silent

WEIGHTS = {
    "MobileNet-0.25": "mobilenet_0.25_224_notop",
    "MobileNet-0.5@160": "mobilenet_0.5_160_top_foldedbn_dequant",
    "MobileNet-0.75@192": "mobilenet_0.75_192_top_foldedbn_dequant",
    "MobileNetV2-0.35": "mobilenetv2_0.35_224_notop",
    "MobileNetV2": "mobilenetv2_1.0_224_top_foldedbn_dequant",
    "SqueezeNet1.1-caffe": "squeezenet1.1_notop",
}
SCORES = ("accuracy", "knn", "logme", "h_score")

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
parser.add_argument("--seeds", type=int, default=3)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--only", choices=["order", "cost"])
parser.add_argument("--child", choices=["extract", "rank"], help="one timed run, by the parent")


def candidates(data: Path) -> list[tuple[str, Path]]:
    """The six pretrained backbones with their files."""
    folder = data / "weights" / "keras"
    return [(name, folder / f"{file}.weights.h5") for name, file in WEIGHTS.items()]


def order(data: Path, seeds: int) -> dict[str, object]:
    """Kendall's tau between what `rank` says and what a full fit gives, by draw and seed."""
    runs = []
    for draw, opened in (("the folders' own parts", own_parts), ("parts drawn anew", new_parts)):
        for seed in range(seeds):
            rows = ranked_and_fitted(opened(data, seed), data, seed)
            taus = {}
            for some in (rows, [row for row in rows if row["name"] != "TinyResNet"]):
                taus[f"{len(some)} backbones"] = {
                    **{score: tau(some, score) for score in SCORES},
                    "two halves of the test part": tau(some, "half", "other_half"),
                }
            runs.append({"draw": draw, "seed": seed, "tau": taus, "rows": rows})
            print(draw, seed, taus, flush=True)
    means = {
        draw: {
            count: {
                score: statistics.mean(
                    run["tau"][count][score] for run in runs if run["draw"] == draw
                )
                for score in taus[count]
            }
            for count in runs[0]["tau"]
        }
        for draw in dict.fromkeys(run["draw"] for run in runs)
    }
    return {"mean_tau": means, "runs": runs}


def own_parts(data: Path, seed: int) -> tl.ImageFolder:
    """400 pictures to rank and train with, 372 to test: as the folders have them."""
    return tl.ImageFolder(data / "datasets" / "clothing_small", seed=seed)


def new_parts(data: Path, seed: int) -> tl.ImageFolder:
    """About as many of each, drawn from all 772 by the seed."""
    with tempfile.TemporaryDirectory() as room:
        table = Path(room) / "pictures.csv"
        lines = [
            f"{path},{label}"
            for label, files in files_of(data, "clothing_small").items()
            for path in files
        ]
        table.write_text("\n".join(["path,label", *lines]), encoding="utf-8")
        return tl.ImageFolder.from_csv(table, split=(0.43, 0.09, 0.48), seed=seed)


def ranked_and_fitted(folder: tl.ImageFolder, data: Path, seed: int) -> list[dict[str, object]]:
    """A row a backbone in the order of `rank`, with the test accuracy after a full fit."""
    backbones = dict([("TinyResNet", "builtin"), *candidates(data)])
    rows = []
    for found in tl.rank(folder, list(backbones.items()), seed=seed, progress=silent).table:
        recipe = tl.Recipe(seed=seed)
        clf = tl.ImageClassifier(found.name, weights=backbones[found.name], recipe=recipe)
        report = clf.fit(folder, progress=silent).evaluate(folder.test, progress=silent)
        right = report.probabilities.argmax(axis=1) == report.labels
        told = found.to_dict()
        rows.append(
            {
                "name": found.name,
                **{score: told[score] for score in SCORES},
                "test": report.accuracy,
                "half": float(right[::2].mean()),
                "other_half": float(right[1::2].mean()),
            }
        )
    return rows


def tau(rows: list[dict[str, object]], score: str, truth: str = "test") -> float:
    """Kendall's tau-b of a score with the test accuracy, or of one half of it with the other."""
    from scipy.stats import kendalltau

    ours = [row[score] for row in rows]
    return float(kendalltau(ours, [row[truth] for row in rows]).statistic)


def cost(data: Path, rounds: int) -> dict[str, object]:
    """Median seconds of both, and their ratio, with an empty cache and with known backbones."""
    found: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as room:
        for state in ("empty cache", "backbones known, pictures new"):
            commands = []
            for what in ("extract", "rank"):
                argv = [sys.executable, "-m", "benchmarks.trust.rank", "--child", what]
                environment = {"TLKERAS_CACHE": f"{room}/cache", "BENCHMARK_STATE": state}
                commands.append(
                    Command(what, [*argv, "--data", str(data)], environment=environment, cwd=ROOT)
                )
            if state != "empty cache":  # the same engines for both, whatever a trial would choose
                interleaved(commands[:1], rounds=1)
            samples = interleaved(commands, rounds=rounds)
            found[state] = {
                "seconds": compared({w: _told(samples[w], "seconds") for w in samples}),
                "cpu_seconds": compared({w: _told(samples[w], "cpu_seconds") for w in samples}),
            }
            print(state, found[state], flush=True)
    return found


def _told(samples: list[Sample], what: str) -> list[float]:
    return [float(one.reported[what]) for one in samples if not one.failure]


def compared(figures: dict[str, list[float]]) -> dict[str, object]:
    """Medians of both, and by how much `rank` has more: medians divided, rounds divided."""
    medians = {name: statistics.median(values) for name, values in figures.items()}
    ratios = [ours / alone for alone, ours in zip(figures["extract"], figures["rank"], strict=True)]
    return {
        "runs": figures,
        "median": medians,
        "ratio": medians["rank"] / medians["extract"],
        "median_of_ratios": statistics.median(ratios),
    }


def child(what: str, data: Path) -> None:
    """One timed run in this process; the cache is emptied as the state asks, before the clock."""
    cache = Path(os.environ["TLKERAS_CACHE"])
    whole = os.environ["BENCHMARK_STATE"] == "empty cache"
    shutil.rmtree(cache if whole else cache / "features", ignore_errors=True)
    from tlkeras.tasks.network.assembly import BackboneSource
    from tlkeras.tasks.network.embedding import Embedding

    folder = tl.ImageFolder(data / "datasets" / "clothing_small")
    started, cpu = time.perf_counter(), sum(os.times()[:4])  # children's, too
    if what == "rank":
        assert len(tl.rank(folder, candidates(data), progress=silent).table) == len(WEIGHTS)
    else:
        pictures = [*folder.train.pictures, *folder.validation.pictures]
        for name, weights in candidates(data):
            embed = Embedding(BackboneSource(name, weights).frozen(), tl.Recipe())
            assert len(embed(pictures)) == len(pictures)
            embed.release()
            embed.frozen.release()
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds, "cpu_seconds": sum(os.times()[:4]) - cpu}))


def main() -> None:
    options = parser.parse_args()
    data = options.data.resolve()
    if options.child:
        child(options.child, data)
        return
    path = RESULTS / "rank.json"
    before = json.loads(path.read_text()) if path.exists() else {}
    document = {"benchmark": "rank", "machine": described(peak=False)}
    document["order"] = before.get("order") if options.only == "cost" else order(
        data, options.seeds
    )  # fmt: skip
    document["cost"] = before.get("cost") if options.only == "order" else cost(
        data, options.rounds
    )  # fmt: skip
    print(f"written: {written(document, path).relative_to(ROOT)}")


if __name__ == "__main__":
    main()
