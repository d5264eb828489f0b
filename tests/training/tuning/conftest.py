"""A network with everything that training remembers, and pictures for it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.training.networks import small_network
from tlkeras.data.folder import ImageFolder
from tlkeras.training.finetune import Tuning
from tlkeras.training.recipe import Recipe

RECIPE = Recipe(
    epochs=3, learning_rate=0.02, batch_size=8, patience=3, seed=1, unfreeze=2, deterministic=True
)


def network() -> object:
    """A classifier for 3 classes, its dropout drawing from a seed that nobody knows."""
    return small_network(dropout=True)


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
