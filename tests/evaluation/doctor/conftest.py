"""A small network without any defect, and ways to give it one."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

import tlkeras as tl
from tlkeras.evaluation.doctor import Diagnosis


def sound(
    *,
    front: Callable[[keras.KerasTensor], keras.KerasTensor] | None = None,
    momentum: float = 0.9,
    end: tuple[keras.Layer, ...] | None = None,
    batch_size: int | None = None,
    nested: bool = False,
    conv_dtype: str | None = None,
) -> keras.Model:
    """Pixels (n, 20, 28, 3) in [0, 255] → (n, 4), BatchNormalization with trained statistics."""
    rng = np.random.default_rng(0)
    image = keras.Input((20, 28, 3), batch_size=batch_size)
    scale = front or keras.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescale")
    inner = keras.Input((20, 28, 3)) if nested else scale(image)
    out = keras.layers.Conv2D(5, 3, name="conv_1", dtype=conv_dtype)(inner)
    out = keras.layers.BatchNormalization(momentum=momentum, name="norm_1")(out)
    out = keras.layers.Conv2D(6, 3, activation="relu", name="conv_2")(out)
    out = keras.layers.BatchNormalization(momentum=momentum, name="norm_2")(out)
    out = keras.layers.GlobalAveragePooling2D(name="pool")(out)
    if nested:
        out = keras.Model(inner, out, name="base")(scale(image))
    for layer in end or (keras.layers.Dense(4, activation="softmax", name="probabilities"),):
        out = layer(out)
    model = keras.Model(image, out, name="sound")
    for weight in model.weights:
        if weight.dtype == "float32":
            drawn = rng.normal(0, 0.5, weight.shape)
            weight.assign(np.abs(drawn) + 0.2 if "variance" in weight.path else drawn)
    return model


@pytest.fixture
def build() -> Callable[..., keras.Model]:
    return sound


@pytest.fixture
def examine() -> Callable[..., Diagnosis]:
    """The diagnosis without the words about class names, which a bare model never has."""

    def diagnose(model: object, pictures: object = None) -> dict[str, object]:
        return {s.kind: s for s in tl.doctor(model, pictures) if s.kind != "no-labels"}

    return diagnose
