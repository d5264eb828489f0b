"""What `learning_curve` foretells against what comes, and what `compare_with_scratch` says.

    python -m benchmarks.trust.is_transfer_right [--data ../shared/data] [--minutes 10]

1. Half of the training pictures of clothing_small and cats_dogs, drawn by several seeds: the gain
   that is foretold for twice as many, against the gain that the other half brings. What it brings
   is the mean of cross-validations of all of them.
2. `compare_with_scratch` on both sets, the networks trained within the minutes.

Writes benchmarks/results/is_transfer_right.json.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import tlkeras as tl
from benchmarks.harness.machine import ROOT, described
from benchmarks.harness.results import RESULTS, written
from benchmarks.probe import cats_dogs, clothing
from tlkeras.features.features import Features
from tlkeras.progress import silent
from tlkeras.selection.growth import grow, in_chance_order
from tlkeras.selection.outlook import outlooks
from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.embedding import Embedding

BACKBONES = {
    "MobileNetV2": "mobilenetv2_1.0_224_top_foldedbn_dequant",
    "MobileNetV2-0.35": "mobilenetv2_0.35_224_notop",
    "MobileNet-0.25": "mobilenet_0.25_224_notop",
}
SCRATCH = "MobileNetV2-0.35"
SETS = {"clothing_small": clothing, "cats_dogs": cats_dogs}

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
parser.add_argument("--seeds", type=int, default=8)
parser.add_argument("--minutes", type=float, default=10.0)
parser.add_argument("--only", choices=["foretold", "scratch"])


def foretold(data: Path, seeds: int) -> list[dict[str, object]]:
    """One row a set and backbone: how often the interval held what came."""
    rows: list[dict[str, object]] = []
    for name, weights in BACKBONES.items():
        file = data / "weights" / "keras" / f"{weights}.weights.h5"
        embed = Embedding(BackboneSource(name, file).frozen(), tl.Recipe())
        for pictures, opened in SETS.items():
            folder = opened(data, 0)
            features = embed([*folder.train.pictures, *folder.validation.pictures])
            rows.append({"pictures": pictures, "backbone": name, **_against(features, seeds)})
            print(rows[-1], flush=True)
    return rows


def _against(features: Features, seeds: int) -> dict[str, object]:
    n, classes = len(features), int(features.labels.max()) + 1
    whole = [
        grow(features, classes, shares=(0.5, 1.0), draws=(2, 1), seed=100 + seed)
        for seed in range(4)
    ]
    came = float(np.mean([100 * (run.mistakes[0] - run.mistakes[1]) for run in whole]))
    found = []
    for seed in range(seeds):
        some = in_chance_order(features.labels, np.arange(n), (seed,))[: n // 2]
        half = Features(
            features.vectors[some], features.labels[some], [features.ids[row] for row in some]
        )
        overall, _ = outlooks(grow(half, classes, seed=seed), classes, n // 2, seed=seed)
        found.append(overall.gain(2).scaled(100))
    return {
        "came": came,
        "foretold": float(np.mean([gain.about for gain in found])),
        "low": float(np.mean([gain.low for gain in found])),
        "high": float(np.mean([gain.high for gain in found])),
        "held": sum(gain.low <= came <= gain.high for gain in found),
        "of": seeds,
    }


def from_scratch(data: Path, minutes: float) -> dict[str, object]:
    """What is said of each set."""
    weights = data / "weights" / "keras" / f"{BACKBONES[SCRATCH]}.weights.h5"
    found: dict[str, object] = {}
    for pictures, opened in SETS.items():
        transfer = tl.compare_with_scratch(
            opened(data, 0), SCRATCH, weights=weights, minutes=minutes, progress=silent
        )
        print(transfer, flush=True)
        found[pictures] = transfer.to_dict()
    return found


def main() -> None:
    options = parser.parse_args()
    path = RESULTS / "is_transfer_right.json"
    content = json.loads(path.read_text()) if path.exists() else {}
    content |= {"benchmark": "is_transfer_right", "machine": described()}
    if options.only != "scratch":
        content["foretold"] = foretold(options.data, options.seeds)
    if options.only != "foretold":
        content["scratch"] = from_scratch(options.data, options.minutes)
    written(content, path)


if __name__ == "__main__":
    main()
