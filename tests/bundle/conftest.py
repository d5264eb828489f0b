"""One tiny trained-looking classifier, and its bundle."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tlkeras.bundle.bundle import Bundle
from tlkeras.bundle.outputs import Outputs
from tlkeras.heads.unknown import UnknownScore
from tlkeras.tasks.network.forms import Tuned

if TYPE_CHECKING:
    import keras

SCORE = UnknownScore(
    np.random.default_rng(3).normal(size=(5, 4)).astype("float32"), 1.5, false_alarms=0.05, rows=40
)
OUTPUTS = Outputs(
    ("a\udc80.jpg", "b.png"),
    ("0" * 64, "1" * 64),
    np.random.default_rng(5).dirichlet(np.ones(4), 2).astype("float32"),
    1e-4,
)
CLASSES = ("zebra | <b>", "äpple", " 猫 ", "#4")


@pytest.fixture(scope="package")
def tiny_model() -> "keras.Model":
    """Pixels (n, h, w, 3) → probabilities (n, 4), with weights that all differ."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input((None, None, 3), name="image"),
            layers.Rescaling(1 / 127.5, -1.0),
            layers.Conv2D(5, 3, strides=2, activation="relu", kernel_initializer=_normal(1)),
            layers.GlobalAveragePooling2D(name="embedding"),
            layers.Dense(4, activation="softmax", kernel_initializer=_normal(2)),
        ]
    )


def _normal(seed: int) -> "keras.initializers.Initializer":
    import keras

    return keras.initializers.RandomNormal(stddev=0.5, seed=seed)


@pytest.fixture
def bundle_of() -> Callable[["keras.Model"], Bundle]:
    """Gives the bundle of a model with four classes."""
    return make_bundle


@pytest.fixture
def bundle(tiny_model: "keras.Model") -> Bundle:
    """Every field filled, with class and file names that are hard to write."""
    return make_bundle(tiny_model)


def make_bundle(model: "keras.Model") -> Bundle:
    parts = ("train", "train", "validation", "test")
    return Bundle(
        network=Tuned(model, size_px=32, unknown=SCORE),
        class_names=CLASSES,
        backbone={
            "name": "tiny_[net]",
            "in_catalogue": False,
            "weights": "imagenet",
            "size_px": 32,
            "width": 5,
            "preprocessing": "tf",
            "licence": "Apache-2.0",
            "embedding_layer": "embedding",
            "fine_tuned": False,
            "fingerprint": "0" * 64,
        },
        head={"kind": "linear", "layers": [], "chosen": {"l2": 0.1}},
        validation={"accuracy": 0.75, "loss": 0.5, "decisions": ["kept frozen"]},
        recipe={"seed": 7, "learning_rate": 1e-3, "split": [0.7, 0.15, 0.15]},
        metrics={"test": {"accuracy": 0.9, "interval": [0.6, 0.98], "n": 10}},
        history=[{"epoch": 0, "loss": 1.1}, {"epoch": 1, "loss": 1 / 3, "note": "best, so far"}],
        manifest=[
            {
                "path": f"{name}/a\r,b\n\udc80.jpg",
                "sha256": f"{n:064x}",
                "label": name,
                "part": part,
            }
            for n, (name, part) in enumerate(zip(CLASSES, parts, strict=True))
        ],
        versions={"python": "3.11.7", "keras": "3.15.1"},
        outputs=OUTPUTS,
    )
