"""Untrained networks whose output depends on their input, built once for the whole run."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tlkeras.backbones.build import build
from tlkeras.backbones.catalogue import find

Randomise = Callable[..., None]


@pytest.fixture(scope="session")
def randomise() -> Randomise:
    """Gives a network weights and statistics of a trained one's size: fresh ones hide faults."""

    def draw(model: Any, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        for variable in model.weights:
            if variable.name == "count":
                continue
            shape = tuple(variable.shape)
            if variable.name in {"gamma", "moving_variance", "variance"}:
                values = rng.uniform(0.6, 1.4, shape)
            elif len(shape) > 1:
                depthwise = shape[-1] == 1 or variable.name == "depthwise_kernel"
                fan_in = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
                values = rng.normal(0, (2 / fan_in) ** 0.5, shape)
            else:
                values = rng.normal(0, 0.3, shape)
            variable.assign(values.astype("float32"))
        for layer in model.layers:
            if hasattr(layer, "finalize_state"):
                layer.finalize_state()

    return draw


@pytest.fixture(scope="session")
def mobilenet(randomise: Randomise) -> Any:
    """MobileNet-0.25 at 64 px with random statistics; not to be changed."""
    model = build(find("MobileNet-0.25"), None, size_px=64)
    randomise(model)
    return model


@pytest.fixture(scope="session")
def pixels() -> np.ndarray:
    """Two pictures (2, 90, 130, 3) float32 in [0, 255]: no two axes alike, channels unlike."""
    rng = np.random.default_rng(5)
    noise = rng.uniform(0, 160, (2, 90, 130, 3))
    noise[1, :40] += 60
    return (noise + np.array([0, 40, 90])).astype("float32")
