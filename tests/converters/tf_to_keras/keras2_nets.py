"""Networks of Keras 2 made, saved and compared; what the tests of its import share."""

import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np


def randomise(model: Any, seed: int = 0) -> Any:
    """The model with weights that let every array show in the answers."""
    rng = np.random.default_rng(seed)
    values = []
    for variable, old in zip(model.weights, model.get_weights(), strict=True):
        if old.dtype.kind != "f":
            values.append(old)
        elif "var" in variable.name:
            values.append(rng.uniform(0.5, 1.5, old.shape))
        else:
            fan_in = max(1, int(np.prod(old.shape[:-1])))
            values.append(rng.normal(0, 0.5 if old.ndim < 2 else 1.4 / fan_in**0.5, old.shape))
    model.set_weights(values)
    return model


def saved(model: Any, folder: Path, suffix: str) -> Path:
    path = folder / f"net{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras 2 warns that HDF5 is old
        model.save(path)
    return path


def inputs(model: Any, seed: int = 1) -> Any:
    rng = np.random.default_rng(seed)
    given = []
    for tensor in model.inputs:
        shape = (3, *tensor.shape[1:])
        if tensor.dtype.is_integer:
            array = rng.integers(1, 9, shape)
            array[0, 3:] = 0  # padding
        else:
            array = rng.normal(0, 1.5, shape).astype(np.float32)
        given.append(array)
    return given if len(given) > 1 else given[0]


def as_list(value: Any) -> list[np.ndarray]:
    return [np.asarray(item) for item in (value if isinstance(value, list | tuple) else [value])]


def assert_equal_answers(source: Any, model: keras.Model, tolerance: float = 1e-6) -> None:
    given = inputs(source)
    wanted = as_list(source(given, training=False))
    found = as_list(model(given, training=False))
    assert len(wanted) == len(found)
    for place, (want, have) in enumerate(zip(wanted, found, strict=True)):
        label = f"{place}: {source.outputs[place].name}"
        assert have.shape == want.shape, label
        assert want.dtype.kind != "f" or np.ptp(want) > 0, label
        difference = np.abs(want.astype(np.float64) - have).max() / np.abs(want).max()
        assert difference <= tolerance, label


def assert_round_trip(model: keras.Model, given: Any, folder: Path) -> None:
    model.save(folder / "again.keras")
    again = keras.models.load_model(folder / "again.keras")
    first, second = model(given, training=False), again(given, training=False)
    for one, two in zip(as_list(first), as_list(second), strict=True):
        np.testing.assert_array_equal(one, two)
