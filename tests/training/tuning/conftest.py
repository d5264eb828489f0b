"""A network with everything that training remembers, and pictures for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.folder import ImageFolder
from tlkeras.training.finetune import Tuning
from tlkeras.training.recipe import Recipe

RECIPE = Recipe(
    epochs=3, learning_rate=0.02, batch_size=8, patience=3, seed=1, unfreeze=2, deterministic=True
)


def network() -> object:
    """A classifier for 3 classes, its dropout drawing from a seed that nobody knows."""
    import keras

    image = keras.Input((None, None, 3), name="image")
    out = keras.layers.Resizing(16, 20, antialias=True, name="resize")(image)
    out = keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")(out)
    for number, channels in enumerate((6, 8, 10)):
        start = keras.initializers.HeNormal(seed=number)
        out = keras.layers.Conv2D(
            channels, 3, strides=1 + (number < 2), kernel_initializer=start, name=f"conv{number}"
        )(out)
        out = keras.layers.BatchNormalization(name=f"norm{number}")(out)
        out = keras.layers.ReLU(name=f"relu{number}")(out)
    out = keras.layers.SpatialDropout2D(0.1, name="dropout")(out)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    out = keras.layers.Activation("linear", dtype="float32", name="embedding")(out)
    out = keras.layers.Dropout(0.2, name="head_dropout")(out)
    start = keras.initializers.GlorotUniform(seed=9)
    out = keras.layers.Dense(3, kernel_initializer=start, name="logits")(out)
    out = keras.layers.Softmax(name="probabilities")(out)
    return keras.Model(image, out)


@pytest.fixture(scope="package")
def data(flower_folder: Path) -> ImageFolder:
    return ImageFolder(flower_folder)


@pytest.fixture(scope="package")
def make() -> Callable[..., Tuning]:
    """Makes what fine-tuning starts from, with some knobs changed; always the same weights."""
    return lambda **knobs: Tuning(network(), "embedding", 20, RECIPE.replace(**knobs))


@pytest.fixture(scope="package")
def head() -> list[np.ndarray]:
    """Weights of a head that was trained on both parts, or might have been."""
    return [value * 0.5 for value in network().get_layer("logits").get_weights()]
