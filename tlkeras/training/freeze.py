"""Freeze and unfreeze layers of any Keras model, and prove that it held.

Keras 3 ignores a change of `trainable` between two `fit` calls until the model is compiled
again, so both functions compile again what was compiled before.
"""

import hashlib
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tlkeras.errors import BackboneError, FreezeError

if TYPE_CHECKING:
    import keras


def freeze(model: "keras.Model", until: str | None = None) -> "keras.Model":
    """The same model with its layers frozen up to and including the one named `until`.

    Frozen BatchNormalization layers run on their moving statistics and keep them. A compiled
    model is compiled again with a fresh optimizer, because Keras would ignore the change.

    Args:
        model: any Keras model, with or without models inside it.
        until: name of the last layer to freeze; None freezes every layer.

    Raises:
        BackboneError: no layer has that name; the message lists close ones.

    Example::

        tl.freeze(model, until="block_12_add")
    """
    layers = leaf_layers(model)
    end = len(layers) if until is None else position(layers, until) + 1
    _set_trainable(model, layers, {id(layer): False for layer in layers[:end]})
    return model


def unfreeze(
    model: "keras.Model", last: int | None = None, *, batchnorm: bool = False
) -> "keras.Model":
    """The same model with its `last` layers that have weights trainable, or all of them.

    BatchNormalization layers stay frozen unless `batchnorm` is True: on small data their batch
    statistics undo what the pretrained weights know. A compiled model is compiled again.

    Args:
        model: any Keras model, with or without models inside it.
        last: how many layers with weights, counted from the output; None means all.
        batchnorm: let BatchNormalization layers train as well.

    Raises:
        BackboneError: `last` is not a number from 1 to the count of layers with weights.

    Example::

        tl.unfreeze(model, last=20)
    """
    layers = leaf_layers(model)
    weighted = [layer for layer in layers if layer.weights]
    if last is not None and not 1 <= last <= len(weighted):
        raise BackboneError(
            f"`last` counts layers with weights, from 1 to {len(weighted)} in '{model.name}'. "
            f"Received: {last}."
        )
    chosen = weighted if last is None else weighted[-last:]
    _set_trainable(
        model, layers, {id(layer): batchnorm or not is_batchnorm(layer) for layer in chosen}
    )
    return model


def leaf_layers(model: "keras.Model") -> list["keras.Layer"]:
    """Layers in the order of the graph, those of nested models in their place."""
    import keras

    found: list[keras.Layer] = []
    for layer in model.layers:
        nested = isinstance(layer, keras.Model) and layer.layers
        found.extend(leaf_layers(layer) if nested else [layer])
    return found


def position(layers: list["keras.Layer"], name: str) -> int:
    """Index of the layer with that name.

    Raises:
        BackboneError: there is none; the message lists close names.
    """
    names = [layer.name for layer in layers]
    if name not in names:
        close = get_close_matches(name, names, n=3) or names[-3:]
        raise BackboneError(
            f"No layer is named {name!r}. Did you mean: {', '.join(map(repr, close))}?"
        )
    return names.index(name)


def is_batchnorm(layer: "keras.Layer") -> bool:
    """Whether a layer keeps moving statistics of the batches it saw."""
    return type(layer).__name__ in ("BatchNormalization", "SyncBatchNormalization")


@dataclass(frozen=True)
class FreezeCheck:
    """Fingerprints of a model's layers before training, to hold against the ones after.

    Example::

        check = FreezeCheck.of(model)
        model.fit(...)
        check.verify(model)        # raises FreezeError if frozen weights moved
    """

    before: dict[str, bytes]
    trainable: frozenset[str]
    statistics: frozenset[str] = frozenset()  # of layers that train; these may move, or not

    @classmethod
    def of(cls, model: "keras.Model") -> "FreezeCheck":
        """The check for a model as it stands now."""
        trainable = frozenset(weight.path for weight in model.trainable_weights)
        layers = [layer for layer in leaf_layers(model) if layer.trainable]
        kept = frozenset(weight.path for layer in layers for weight in layer.weights)
        return cls(_fingerprints(model), trainable, kept - trainable)

    def verify(self, model: "keras.Model") -> list[str]:
        """Paths of trainable weights that did not move; what was frozen did not, others did.

        Raises:
            FreezeError: a frozen weight moved, or none of the trainable ones did.
        """
        after = _fingerprints(model)
        moved = {path for path, print_ in after.items() if print_ != self.before[path]}
        strayed = sorted(moved - self.trainable - self.statistics)
        if strayed:
            raise FreezeError(
                f"Frozen weights must stay as they were. Received: {len(strayed)} that moved, "
                f"among them {', '.join(strayed[:3])}. The model changed after it was compiled; "
                "freeze with tl.freeze, which compiles again."
            )
        if self.trainable and not moved & self.trainable:
            raise FreezeError(
                f"At least one of {len(self.trainable)} trainable weights should have moved. "
                "Received: none. The learning rate is too low to matter, or there was no step."
            )
        return sorted(self.trainable - moved)


def _fingerprints(model: "keras.Model") -> dict[str, bytes]:
    # Seed generators of dropout layers count steps; they are state, not weights that learn.
    return {
        weight.path: hashlib.blake2b(weight.numpy().tobytes(), digest_size=16).digest()
        for weight in model.weights
        if "seed_generator" not in weight.path
    }


def _set_trainable(
    model: "keras.Model", layers: list["keras.Layer"], wanted: dict[int, bool]
) -> None:
    # Setting a container's flag sets it for all inside, so the containers go first and each
    # leaf then gets its own value back.
    values = [(layer, wanted.get(id(layer), layer.trainable)) for layer in layers]
    model.trainable = True
    for layer, value in values:
        layer.trainable = value
    if model.compiled:
        config = model.get_compile_config()
        model.compile_from_config(config)
