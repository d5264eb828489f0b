"""The same network before it was trained on anything."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.tasks.network.assembly import BackboneSource
from tlkeras.tasks.network.frozen import FrozenBackbone

if TYPE_CHECKING:
    import keras


def untrained(source: BackboneSource, seed: int) -> FrozenBackbone:
    """The backbone with new weights, drawn from `seed` as its layers would draw them.

    Example::

        frozen = untrained(BackboneSource("MobileNetV2", "default"), seed=0)
    """
    if source.spec() is not None:
        return replace(source, weights=None).frozen(seed)
    trained = source.frozen(seed)
    return FrozenBackbone(trained.spec, lambda: drawn_again(trained.model, seed))


def at_size(source: BackboneSource, trained: bool, size_px: int, seed: int) -> "keras.Model":
    """The backbone's Keras model at a picture size, with its weights or new ones.

    A network of the user's own keeps its size.
    """
    spec = source.spec()
    if spec is not None:
        from tlkeras.backbones.build import build

        return build(spec, source.weights if trained else None, size_px=size_px, seed=seed)
    return (source.frozen(seed) if trained else untrained(source, seed)).model


def drawn_again(model: "keras.Model", seed: int) -> "keras.Model":
    """A copy of the network whose every weight is drawn again by its layer's initializer."""
    import keras

    from tlkeras.backbones.build import reseed

    fresh = keras.models.clone_model(model)
    for layer, old in zip(fresh.layers, model.layers, strict=True):
        if layer.weights and not layer.trainable_weights:  # constants, such as a mean of pixels
            layer.set_weights(old.get_weights())
    reseed(fresh, seed, weights=True)
    return fresh


def new_head(width: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Kernel (width, classes) and bias (classes,) float32 by Glorot's rule."""
    limit = np.sqrt(6 / (width + classes))
    kernel = np.random.default_rng((seed, 11)).uniform(-limit, limit, (width, classes))
    return kernel.astype("float32"), np.zeros(classes, "float32")
