"""What the built-in backbone is worth: how much of the gap to an ImageNet network it closes.

    python benchmarks/builtin_backbone.py [--data ../shared/data]

The same frozen linear head on four backbones: MobileNet 0.25 untrained (mean of 3 seeds) and
with ImageNet weights, TinyResNet untrained and with its built-in weights. The gap is between
the two MobileNets. Test parts: as PROVENANCE.md beside the data names them; no picture of them
was used to make the built-in weights.
"""

import argparse
from pathlib import Path

import numpy as np
from probe import cats_dogs, clothing

import tlkeras as tl
from tlkeras.progress import silent

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data"
)

IMAGENET = "weights/keras/mobilenet_0.25_224_notop.weights.h5"
SEEDS = (0, 1, 2)


def accuracy(backbone: str, weights: str | Path | None, folder: tl.ImageFolder, seed: int) -> float:
    """Test accuracy of a frozen linear head."""
    clf = tl.ImageClassifier(backbone, weights=weights, recipe=tl.Recipe(seed=seed))
    return clf.fit(folder, progress=silent).evaluate(folder.test, progress=silent).accuracy


def main() -> None:
    options = parser.parse_args()
    print("data set         MobileNet-0.25          TinyResNet              gap closed")
    print("                 untrained  ImageNet     untrained  built-in")
    for name, make in (("clothing_small", clothing), ("cats_dogs", cats_dogs)):
        folder = make(options.data, seed=0)
        low = float(np.mean([accuracy("MobileNet-0.25", None, folder, s) for s in SEEDS]))
        high = accuracy("MobileNet-0.25", options.data / IMAGENET, folder, 0)
        untrained = float(np.mean([accuracy("TinyResNet", None, folder, s) for s in SEEDS]))
        ours = accuracy("TinyResNet", "builtin", folder, 0)
        print(
            f"{name:<15} {low:>10.3f} {high:>9.3f}    {untrained:>10.3f} {ours:>9.3f}"
            f"    {(ours - low) / (high - low):>10.0%}",
            flush=True,
        )


if __name__ == "__main__":
    main()
