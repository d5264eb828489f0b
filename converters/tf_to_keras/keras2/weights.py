"""Arrays of a file → the variables of a Keras 3 model, checked before any is changed.

Keras 2 keeps the weights of a nested model as all trainable ones, layer by layer in the order of
the config, then all others in the same order; a frozen layer's are among the others.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from converters.errors import ReadError
from converters.tf_to_keras.keras2 import old_arrays
from converters.tf_to_keras.keras2.tree import Leaf, Network

Named = Sequence[tuple[str, np.ndarray]]
_TELLING_WORDS = (
    "kernel bias gamma beta moving_mean moving_variance embeddings depthwise_kernel "
    "pointwise_kernel recurrent_kernel mean variance"
)
_TELLING = frozenset(_TELLING_WORDS.split())


@dataclass(eq=False)
class Slots:
    """The variables of one layer, and those of them that Keras 2 counts as trainable."""

    label: str
    layer: keras.layers.Layer
    variables: list[Any]
    trainable: int
    leaf: Leaf | None = None
    arrays: list[np.ndarray] = field(default_factory=list)
    names: list[str] = field(default_factory=list)


def slots(entry: Leaf | Network) -> list[Slots]:
    """The layers with weights in an entry, in the order of the file."""
    if isinstance(entry, Network):
        found = [one for child in entry.entries.values() for one in slots(child)]
    elif entry.inner is not None:
        found = slots(entry.inner)
    elif entry.layer is None or not entry.layer.weights:
        return []
    else:
        found = [layer_slots(entry.layer, entry.path, entry)]
    if not entry.trainable:
        for one in found:
            one.trainable = 0
    return found


def layer_slots(layer: keras.layers.Layer, label: str, leaf: Leaf | None = None) -> Slots:
    """The variables of one layer in Keras 2's order: trainable ones first."""
    fixed = {id(v) for v in layer.weights if not v.trainable}
    first = [v for v in layer.weights if id(v) not in fixed]
    rest = [v for v in layer.weights if id(v) in fixed]
    return Slots(label, layer, first + rest, len(first), leaf)


def deal(found: Sequence[Slots], stored: Named, label: str) -> None:
    """Gives the arrays of one group to its layers: trainable ones first, then the others."""
    if len(found) == 1:  # one layer: its array count may be an older Keras's
        found[0].arrays = [array for _, array in stored]
        found[0].names = [name for name, _ in stored]
        return
    order = [one for one in found for _ in range(one.trainable)]
    order += [one for one in found for _ in range(len(one.variables) - one.trainable)]
    if len(order) != len(stored):
        raise ReadError(
            f"Expected {len(order)} arrays for the layers of '{label}', got {len(stored)}. "
            "Give the file that was saved from this very network."
        )
    for one, (name, array) in zip(order, stored, strict=True):
        one.arrays.append(array)
        one.names.append(name)


def assign(found: Iterable[Slots], source: str, keras_version: str = "2") -> None:
    """Puts every dealt array into its variable; nothing is changed unless all fit."""
    ready: list[tuple[Slots, list[np.ndarray]]] = []
    for one in found:
        arrays = old_arrays.modern(one.layer, one.arrays, keras_version)
        if (
            one.leaf is not None
            and one.leaf.adapt is not None
            and len(arrays) == len(one.variables)
        ):
            arrays = one.leaf.adapt(arrays)
        _check(one, arrays, source)
        ready.append((one, arrays))
    for one, arrays in ready:
        for variable, array in zip(one.variables, arrays, strict=True):
            variable.assign(array)
        if isinstance(one.layer, keras.layers.Normalization):
            one.layer.finalize_state()


def _check(one: Slots, arrays: Sequence[np.ndarray], source: str) -> None:
    want = [tuple(variable.shape) for variable in one.variables]
    have = [array.shape for array in arrays]
    if want != have:
        raise ReadError(
            f"Expected arrays of shapes {want} for layer '{one.label}', got {have} in {source}. "
            "Give the file that was saved from this very network."
        )
    if len(one.names) != len(one.variables):
        return
    for name, variable in zip(one.names, one.variables, strict=True):
        last = name.split("/")[-1].split(":")[0]
        if last in ("depthwise_kernel", "gamma") and variable.name == "kernel":
            continue  # Keras 3's name for it in DepthwiseConv2D, and in EinsumDense for a scale
        if last in _TELLING and variable.name in _TELLING and last != variable.name:
            raise ReadError(
                f"Expected '{variable.name}' for layer '{one.label}', got '{name}' in {source}: "
                "the weights are in another order than the layers. Save the network again."
            )


def place_by_group(
    network: Network, groups: Mapping[str, Named], source: str, version: str
) -> None:
    """Loads weights that are grouped by the names of the outermost layers."""
    dealt: list[Slots] = []
    unused = {name for name, stored in groups.items() if stored}
    for name, entry in network.entries.items():
        found = slots(entry)
        if not found:
            continue
        unused.discard(name)
        deal(found, groups.get(name, ()), name)
        dealt += found
    if unused:
        raise ReadError(
            f"Expected a layer for every group of weights, got {sorted(unused)[:5]} in {source} "
            "that no layer of its config uses. Save the network again."
        )
    assign(dealt, source, version)


def place_by_name(network: Network, stored: Named, source: str) -> None:
    """Loads weights by the layer names within their own names, as TensorFlow.js does."""
    found = slots(network)
    by_layer: dict[str, list[tuple[str, np.ndarray]]] = {}
    labels = {one.label.split("/")[-1] if one.leaf is None else one.leaf.name for one in found}
    for name, array in stored:
        owner = _owner(name, labels)
        if owner is None:
            raise ReadError(
                f"Expected weights named after layers, got '{name}' in {source}, which no layer "
                "is named for. Save the network again."
            )
        by_layer.setdefault(owner, []).append((name, array))
    for one in found:
        name = one.label.split("/")[-1] if one.leaf is None else one.leaf.name
        deal([one], by_layer.get(name, ()), name)
    assign(found, source)


def _owner(name: str, labels: set[str]) -> str | None:
    """The longest layer name that stands whole in a weight's name, the innermost one last."""
    parts = name.split("/")[:-1]
    for size in range(len(parts), 0, -1):
        for start in range(len(parts) - size, -1, -1):
            if "/".join(parts[start : start + size]) in labels:
                return "/".join(parts[start : start + size])
    return None
