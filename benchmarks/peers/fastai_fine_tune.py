"""fastai's `vision_learner(...).fine_tune(...)` with timm's MobileNetV2.

    python fastai_fine_tune.py DATA --state FILE.npz [--epochs 10]

As its tutorial has it: one epoch with the body frozen (its norms train, as fastai does by default)
and the others with all of it. So it does more than train a head, and its time says so. No
augmentation. Prints one JSON object.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
import torchvision_on_cpu  # noqa: F401 - before fastai

# isort: split
from fastai.vision.all import (
    ImageDataLoaders,
    Normalize,
    Resize,
    ResizeMethod,
    accuracy,
    set_seed,
    vision_learner,
)

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("data", type=Path)
parser.add_argument("--state", type=Path, help="weights that timm_weights.py wrote")
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--size", type=int, default=224)
parser.add_argument("--batch", type=int, default=32)
parser.add_argument("--workers", type=int, default=2)


def main() -> None:
    options = parser.parse_args()
    set_seed(options.seed)
    loaders = ImageDataLoaders.from_folder(
        options.data,
        valid_pct=0.2,
        seed=options.seed,
        bs=options.batch,
        num_workers=options.workers,
        item_tfms=Resize(options.size, method=ResizeMethod.Squish),
        batch_tfms=[Normalize.from_stats([0.5] * 3, [0.5] * 3, cuda=False)],
    )
    learner = vision_learner(
        loaders,
        "mobilenetv2_100",
        pretrained=False,
        normalize=False,
        metrics=accuracy,
        pad_type="same",
        bn_eps=1e-3,
    )
    if options.state:
        with np.load(options.state) as arrays:
            values = {name: torch.from_numpy(arrays[name]) for name in arrays.files}
        left = learner.model[0].model.load_state_dict(values, strict=False)
        if left.unexpected_keys:
            raise SystemExit(f"the weights do not fit: {left.unexpected_keys}")
    learner.freeze()  # without pretrained=True it starts unfrozen
    started = time.perf_counter()
    with learner.no_bar(), learner.no_logging():
        learner.fine_tune(max(0, options.epochs - 1), freeze_epochs=1)
    found = {
        "classes": len(loaders.vocab),
        "fit_s": time.perf_counter() - started,
        "validation_accuracy": float(learner.validate()[1]),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
