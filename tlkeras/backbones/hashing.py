"""What a model computes, as one short text: the key of everything cached from it."""

import hashlib
import json
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

# What a layer is called, how it was drawn and whether it trains do not change its output.
_WITHOUT_EFFECT = ("name", "trainable", "build_config", "compile_config", "seed")
_ENDS_WITHOUT_EFFECT = ("_initializer", "_regularizer", "_constraint")


def fingerprint(model: "keras.Model") -> str:
    """Sha256 in hex of a model's layers and weights; layer names and freezing do not count.

    It changes with any weight, the preprocessing and the picture size, and is the same in
    every process. The model must be functional, as every built backbone is.

    Example::

        key = fingerprint(build(find("TinyResNet")))        # 64 hex digits
    """
    digest = hashlib.sha256()
    digest.update(json.dumps(_plain(model.get_config(), {}), sort_keys=True).encode())
    for layer in model.layers:
        for variable in layer.weights:
            values = np.ascontiguousarray(variable.numpy())
            digest.update(f"{values.dtype}{values.shape}".encode())
            digest.update(values.tobytes())
    return digest.hexdigest()


def _plain(config: object, places: dict[str, int]) -> object:
    """A config with layer names replaced by their place in the graph."""
    if isinstance(config, dict):
        layers = config.get("layers")
        if isinstance(layers, list):
            places = {**places, **_places(layers)}
        return {
            str(key): _plain(value, places)
            for key, value in config.items()
            if key not in _WITHOUT_EFFECT and not str(key).endswith(_ENDS_WITHOUT_EFFECT)
        }
    if isinstance(config, (list, tuple)):
        return [_plain(value, places) for value in config]
    if isinstance(config, str) and config in places:
        return places[config]
    return config if isinstance(config, (str, int, float, bool, type(None))) else repr(config)


def _places(layers: list[dict[str, object]]) -> dict[str, int]:
    names = [
        layer.get("name") or layer.get("config", {}).get("name")  # type: ignore[attr-defined]
        for layer in layers
        if isinstance(layer, dict)
    ]
    return {name: place for place, name in enumerate(names) if isinstance(name, str)}
