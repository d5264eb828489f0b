"""Fine-tuning the last block: the tail on kept activations beside the whole forward pass.

    python -m benchmarks.fine_tune [--backbones MobileNetV2 ResNet50] [--smoke]

Both train the same layers on the same batches, through `tlkeras.training`; epochs of one and the
other take turns, and the medians are compared. `plain` decodes each picture and sends it through
the whole network; `plain, decoded before` finds the pixels in memory; `kept` trains the tail
alone. Then both train from the same start, without augmentation, and the weights that they end
with are compared. Weights are real ones where `--data` has them, else untrained with
BatchNormalization set by pictures.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np

import tlkeras as tl
from benchmarks.harness.machine import described
from benchmarks.harness.results import RESULTS, written
from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find
from tlkeras.data.picture import Picture
from tlkeras.heads.head import share_right
from tlkeras.training.boundary import split
from tlkeras.training.feed import Feed
from tlkeras.training.finetune import Tuning, unfrozen_layers
from tlkeras.training.freeze import is_batchnorm, leaf_layers
from tlkeras.training.maps import EXACT, Maps
from tlkeras.training.step import TrainingStep, inference
from tlkeras.training.tuning.epochs import one_epoch

if TYPE_CHECKING:
    import keras

LAST_BLOCK = {"MobileNetV2": "block_16_expand", "ResNet50": "conv5_block3_1_conv"}
WEIGHTS = {"MobileNetV2": "mobilenetv2_1.0_224_top_foldedbn_dequant.weights.h5"}
CLASSES, SIZE_PX = 10, 224

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument(
    "--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data"
)
parser.add_argument("--backbones", nargs="+", choices=LAST_BLOCK, default=list(LAST_BLOCK))
parser.add_argument("--pictures", type=int, default=120, help="in an epoch")
parser.add_argument("--repetitions", type=int, default=5)
parser.add_argument("--epochs", type=int, default=4, help="of the comparison of weights")
parser.add_argument("--smoke", action="store_true", help="few pictures, once")
parser.add_argument("--to", type=Path, default=RESULTS / "fine_tune.json")


@dataclass(frozen=True)
class Way:
    """One way to train an epoch, and what its epochs took."""

    epoch: Callable[[int], float]
    samples: list[dict[str, float]] = field(default_factory=list)

    def run(self, number: int) -> None:
        """One epoch, timed."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.epoch(number)
        taken = {
            "wall_s": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
        }
        if number:  # epoch 0 traces the graph
            self.samples.append(taken)

    def median(self) -> dict[str, float]:
        """Of each measure."""
        return {
            name: statistics.median(s[name] for s in self.samples) for name in ("wall_s", "cpu_s")
        }


def classifier(
    name: str, weights: Path, pictures: list[Picture], recipe: tl.Recipe
) -> "keras.Model":
    """A network with a fresh head, what `recipe` unfreezes trainable.

    Without a file of weights its BatchNormalization is set by some of the pictures: untrained
    statistics would let the activations grow from block to block.
    """
    import keras

    backbone = build(find(name), weights if weights.is_file() else None, seed=0)
    start = keras.initializers.GlorotUniform(seed=1)
    out = keras.layers.Dense(
        CLASSES, activation="softmax", kernel_initializer=start, name="probabilities"
    )(backbone.output)
    model = keras.Model(backbone.input, out)
    if not weights.is_file():
        norms = [layer for layer in model.layers if is_batchnorm(layer)]
        for layer in norms:
            layer.momentum = 0.0
        few = Feed(model, None, pictures[:: max(1, len(pictures) // 64)], SIZE_PX, recipe)
        pixels = [batch.inputs[0] for batch in few.plain(np.arange(len(few.labels)))]
        model(np.concatenate(pixels), training=True)
    chosen = unfrozen_layers(Tuning(model, "embedding", SIZE_PX, recipe))
    for layer in leaf_layers(model):
        layer.trainable = layer in chosen
    return model


def fed(model: "keras.Model", pictures: list[Picture], recipe: tl.Recipe, way: str) -> Feed:
    """The pictures as one way has them; what it keeps is kept."""
    if way == "plain":
        return Feed(model, None, pictures, SIZE_PX, recipe)
    if way == "plain, decoded before":
        feed = Feed(model, lambda pixels: [pixels], pictures, SIZE_PX, recipe)
    else:
        parts = split(model, [layer for layer in leaf_layers(model) if layer.trainable])
        assert parts is not None, f"{model.name} cannot be cut"
        trunk = inference(parts.trunk)
        feed = Feed(parts.tail, lambda pixels: trunk([pixels]), pictures, SIZE_PX, recipe)
    exact = 0 if way == "kept as float16" else EXACT
    with mock.patch("tlkeras.training.feed.Maps", partial(Maps, exact=exact)):
        feed.keep(range(len(pictures)))
    return feed


def step_of(feed: Feed, model: "keras.Model", steps: int) -> TrainingStep:
    """What trains the model on this feed."""
    layers = [layer for layer in leaf_layers(model) if layer.trainable_weights]
    return TrainingStep(feed.model, layers, feed.recipe, steps, feed.labels)


def timed(
    model: "keras.Model", pictures: list[Picture], recipe: tl.Recipe, repetitions: int
) -> dict[str, Way]:
    """Epochs of each way, taking turns."""
    rows = np.arange(len(pictures))

    def way(name: str) -> Way:
        feed = fed(model, pictures, recipe, name)
        step = step_of(feed, model, 10_000)
        return Way(lambda number: one_epoch(feed, step, rows, number))

    ways = {name: way(name) for name in ("plain", "plain, decoded before", "kept")}
    for number in range(repetitions + 1):
        for each in ways.values():
            each.run(number)
    return ways


def agreement(
    model: "keras.Model", train: list[Picture], held_out: list[Picture], recipe: tl.Recipe
) -> dict[str, dict[str, float]]:
    """By way: accuracy at the end, and how far its weights are from those of the plain way."""
    start = model.get_weights()
    seen, unseen = np.arange(len(train)), np.arange(len(train), len(train) + len(held_out))
    found: dict[str, dict[str, float]] = {}
    plain: list[np.ndarray] = []
    for way in ("plain", "kept", "kept as float16"):
        model.set_weights(start)
        feed = fed(model, [*train, *held_out], recipe, way)
        step = step_of(feed, model, -(-len(train) // recipe.batch_size) * recipe.epochs)
        loss = 0.0
        for epoch in range(1, recipe.epochs + 1):
            loss = one_epoch(feed, step, seen, epoch)
        now = [np.asarray(weight, "float64") for weight in model.trainable_weights]
        plain = plain or now
        right = share_right(feed.answers(unseen), feed.labels[unseen])
        found[way] = {"loss": loss, "accuracy": right, "weights_apart": _apart(now, plain)}
        feed.close()
    model.set_weights(start)
    before = [np.asarray(weight, "float64") for weight in model.trainable_weights]
    found["untrained"] = {"weights_apart": _apart(before, plain)}
    return found


def _apart(ours: list[np.ndarray], theirs: list[np.ndarray]) -> float:
    """The largest difference of a weight tensor, relative to its size."""
    pairs = zip(ours, theirs, strict=True)
    return max(float(np.linalg.norm(a - b) / max(np.linalg.norm(b), 1e-12)) for a, b in pairs)


def compare(
    name: str, options: argparse.Namespace, data: tl.ImageFolder
) -> tuple[dict[str, object], list[dict[str, object]]]:
    """What one backbone's ways have to do with each other, and the row of each."""
    pictures = list(data.train.pictures)[: options.pictures]
    held_out = list(data.validation.pictures)[: options.pictures // 2]
    recipe = tl.Recipe(
        unfreeze=LAST_BLOCK[name],
        epochs=options.epochs,
        crop=(1.0, 1.0),
        flip=False,
        brightness=0.0,
        contrast=0.0,
    )
    weights = options.data / "weights" / "keras" / WEIGHTS.get(name, "")
    model = classifier(name, weights, pictures, recipe)
    agreed = agreement(model, pictures, held_out, recipe)
    ways = timed(model, pictures, recipe, options.repetitions)
    median = {key: way.median() for key, way in ways.items()}
    return {
        "backbone": name,
        "weights": WEIGHTS[name] if weights.is_file() else "untrained",
        "unfreeze": LAST_BLOCK[name],
        "pictures": len(pictures),
        "batch_size": recipe.batch_size,
        "times_faster": {
            key: {measure: taken[measure] / median["kept"][measure] for measure in taken}
            for key, taken in median.items()
            if key != "kept"
        },
        "after_epochs": options.epochs,
        "agreement": agreed,
    }, [
        {"name": f"{name}, {key}", "median": median[key], "samples": way.samples}
        for key, way in ways.items()
    ]


def main() -> None:
    options = parser.parse_args()
    if options.smoke:
        options.pictures, options.repetitions, options.epochs = 16, 1, 2
        options.backbones = options.backbones[:1]
    data = tl.ImageFolder(options.data / "datasets" / "clothing_small", seed=0)
    machine, found, rows = described(), [], []
    for name in options.backbones:
        comparison, timed = compare(name, options, data)
        found.append(comparison)
        rows += timed
        for row in timed:
            print(f"{row['name']:<36} {row['median']['wall_s']:.3f} s an epoch", flush=True)
        for key, times in comparison["times_faster"].items():
            print(f"{name}: {times['wall_s']:.1f} times faster than {key}")
        for key, end in comparison["agreement"].items():
            print(
                f"{name}, {key}: weights {end['weights_apart']:.1e} from those of plain", flush=True
            )
    told = {key: value for key, value in vars(options).items() if not isinstance(value, Path)}
    settings = {key: str(value) for key, value in told.items()}
    document = {
        "benchmark": "fine_tune",
        "machine": machine,
        "settings": settings,
        "comparisons": found,
        "rows": rows,
    }
    print(f"written to {written(document, options.to, plot=True)}")


if __name__ == "__main__":
    main()
