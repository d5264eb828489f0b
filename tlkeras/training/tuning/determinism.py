"""What makes an epoch the same bits wherever it is begun: TensorFlow's kernels, and dropout."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

_LARGEST_SEED = 2**31


@contextmanager
def deterministic_ops(wanted: bool) -> Iterator[None]:
    """With `wanted`, TensorFlow computes the same bits each time for as long as the `with`.

    Example::

        with deterministic_ops(recipe.deterministic):
            step(inputs, labels)
    """
    if not wanted:
        yield
        return
    # TensorFlow can switch it off again, though only this module of it says how.
    from tensorflow.python.framework import config

    was = config.is_op_determinism_enabled()
    config.enable_op_determinism()
    try:
        yield
    finally:
        if not was:
            config.disable_op_determinism()


def seed_dropout(model: "keras.Model", *numbers: int) -> None:
    """Sets what each layer that draws at random draws next, by the numbers and its place.

    Keras leaves these states out of a model's weights, and a fresh layer begins with one that
    nobody knows; so that an epoch draws the same whenever it is begun, each begins with this.

    Example::

        seed_dropout(model, recipe.seed, phase, epoch)
    """
    for place, state in enumerate(_random_states(model)):
        words = np.random.SeedSequence((*numbers, place)).generate_state(1)
        state.assign(np.array([int(words[0]) % _LARGEST_SEED, 0], state.dtype))


def _random_states(model: "keras.Model") -> list["keras.Variable"]:
    """The states of the model's seed generators, in the order of its layers."""
    weights = {id(weight) for weight in model.weights}
    return [
        variable
        for variable in model.variables
        if id(variable) not in weights and "seed_generator" in variable.path
    ]
