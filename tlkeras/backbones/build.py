"""From a Backbone to a Keras model: its graph, its weights, and its seeds.

Untrained weights and dropout masks depend on the seed given, and on nothing global.
"""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from tlkeras.backbones.graph import embedding_graph
from tlkeras.backbones.spec import Backbone
from tlkeras.backbones.weights import load
from tlkeras.errors import BackboneError


def build(
    spec: Backbone,
    weights: str | Path | None = "default",
    *,
    size_px: int | None = None,
    seed: int = 0,
) -> keras.Model:
    """Keras model: RGB pixels in [0, 255], any size → embedding (n, width) float32.

    Args:
        spec: from the catalogue.
        weights: "default", "imagenet", "builtin", a `.weights.h5` or Keras 2 `.h5` file
            with or without its classifier, for a classic network also PyTorch's `.pth` or a
            `.safetensors`, or None for untrained weights.
        size_px: side the pictures are resized to inside; the spec's own when None.
        seed: decides untrained weights and dropout masks; the same seed gives the same.

    Raises:
        WeightsError: weights that cannot be reached or do not fit.
        BackboneError: a size the network cannot take, or a spec made by `from_model`.

    Example::

        model = build(find("TinyResNet"))
        model.predict(pixels)                 # pixels (n, h, w, 3) → (n, width)
        model.get_layer("embedding").output
    """
    if not spec.application:
        raise BackboneError(
            f"Networks of the catalogue are built; '{spec.name}' came from a model of yours. "
            "Use the model that from_model returned with it."
        )
    sized = spec if size_px is None else replace(spec, size_px=size_px)
    model = embedding_graph(sized)
    load(sized, model, weights)
    reseed(model, seed, weights=weights is None)
    return model


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
