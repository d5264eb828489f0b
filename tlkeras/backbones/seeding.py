"""Untrained weights and dropout masks that depend on a seed, and on nothing global."""

import keras
import numpy as np


def reseed(model: keras.Model, seed: int, *, weights: bool) -> None:
    """Draws a built model's random state again from `seed`, layer by layer.

    Keras seeds a layer from Python's global generator when it is made, so that two builds
    differ. Here dropout gets its mask seed again and, with `weights`, each kernel is drawn
    again by its own initializer. Biases and normalisation start from constants anyway.

    Example::

        reseed(model, 3, weights=True)      # the same seed: the same weights, in any process
    """
    streams = iter(np.random.SeedSequence(seed).generate_state(4 * _count(model)))
    for layer in _leaves(model):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([int(next(streams)) & 0x7FFFFFFF, 0])
        for variable in layer.weights if weights else ():
            initializer = _initializer(layer, variable.name)
            if initializer is None or "seed" not in initializer.get_config():
                continue
            config = {**initializer.get_config(), "seed": int(next(streams)) & 0x7FFFFFFF}
            fresh = type(initializer).from_config(config)
            variable.assign(fresh(variable.shape, dtype=variable.dtype))


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    leaves: list[keras.layers.Layer] = []
    for layer in model.layers:
        leaves += _leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return leaves


def _count(model: keras.Model) -> int:
    return len(model.weights) + len(model.layers) + 1


def _initializer(layer: keras.layers.Layer, variable: str) -> keras.initializers.Initializer | None:
    # A depthwise convolution calls its variable "kernel" and its initializer "depthwise_…".
    for name in (variable, variable.removesuffix("_kernel"), "depthwise"):
        found = getattr(layer, f"{name}_initializer", None)
        if found is not None:
            return found
    return None
