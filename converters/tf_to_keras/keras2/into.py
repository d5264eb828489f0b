"""Weights of a file → a Keras 3 model that the user has: by layer name, else in order."""

import keras

from converters.errors import ReadError
from converters.tf_to_keras.keras2.weights import Slots, assign, deal, layer_slots
from converters.tf_to_keras.keras_files import KerasFile


def load_groups(model: keras.Model, file: KerasFile, label: str) -> None:
    """Puts every array of the file into the model, or raises and changes nothing."""
    if not file.groups:
        raise ReadError(
            f"Expected HDF5 weights grouped by layer, got {label}. "
            "A .keras archive has its own architecture: leave out architecture=."
        )
    layers = {layer.name: _slots(layer) for layer in model.layers}
    layers = {name: found for name, found in layers.items() if found}
    stored = {name: arrays for name, arrays in file.groups.items() if arrays}
    renamed = {name.replace("/", "_"): arrays for name, arrays in stored.items()}
    if set(renamed) != set(layers):
        renamed = _in_order(layers, stored, label)
    for name, found in layers.items():
        deal(found, renamed[name], name)
    assign([one for found in layers.values() for one in found], label, file.keras_version)


def _in_order(layers: dict[str, list[Slots]], stored: dict, label: str) -> dict:
    if len(layers) != len(stored):
        missing, unused = set(layers) - set(stored), set(stored) - set(layers)
        raise ReadError(
            f"Expected weights for {len(layers)} layers, got {len(stored)} in {label}. Only in "
            f"the model: {sorted(missing)[:5]}; only in the file: {sorted(unused)[:5]}. "
            "Give the network that the weights were saved from."
        )
    return dict(zip(layers, stored.values(), strict=True))


def _slots(layer: keras.layers.Layer) -> list[Slots]:
    if isinstance(layer, keras.Model):
        return [one for inner in layer.layers for one in _slots(inner)]
    return [layer_slots(layer, layer.name)] if layer.weights else []
