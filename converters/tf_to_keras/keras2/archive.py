"""Weights of a .keras archive of Keras 2: where in the archive each layer's arrays are.

The path is the way from the model to the layer, with layers counted by class in the order of the
config: layers/sequential/layers/conv2d_1/vars/0.
"""

import re
from collections.abc import Mapping

import numpy as np

from converters.errors import ReadError
from converters.tf_to_keras.keras2.tree import Json, Leaf, Network
from converters.tf_to_keras.keras2.weights import Slots, assign, deal, slots

# The order of Keras 2's weights within a layer, where it is not the order of the names.
_RANKS = {
    "forward_layer": 0,
    "backward_layer": 1,
    "_query_dense": 0,
    "_key_dense": 1,
    "_value_dense": 2,
    "_output_dense": 3,
}


def place_by_path(network: Network, paths: Mapping[str, np.ndarray], source: str) -> None:
    """Loads weights by their place in the archive; raises ReadError unless all are used."""
    if not any(path.startswith("layers/") for path in paths):  # TensorFlow 2.11 and 2.12
        old = "_layer_checkpoint_dependencies/"
        paths = {path.replace(old, "layers/"): array for path, array in paths.items()}
    dealt: list[Slots] = []
    used = _deal(network, "", paths, dealt)
    unused = [path for path in paths if path not in used and path.startswith("layers/")]
    if unused:
        raise ReadError(
            f"Expected a layer for every array, got {unused[:5]} in {source} that no layer of its "
            "config uses. Save the network again."
        )
    assign(dealt, source)


def _deal(
    network: Network, prefix: str, paths: Mapping[str, np.ndarray], dealt: list[Slots]
) -> set[str]:
    counts: dict[str, int] = {}
    used: set[str] = set()
    for entry in network.entries.values():
        kind = _snake_case(entry.class_name)
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        path = f"{prefix}layers/{kind}" + (f"_{number}/" if number else "/")
        if isinstance(entry, Network):
            used |= _deal(entry, path, paths, dealt)
        elif entry.inner is not None:
            used |= _deal(entry.inner, f"{path}layer/", paths, dealt)
        else:
            used |= _deal_leaf(entry, path, paths, dealt)
    return used


def _deal_leaf(
    leaf: Leaf, path: str, paths: Mapping[str, np.ndarray], dealt: list[Slots]
) -> set[str]:
    found = slots(leaf)
    if not found:
        return set()
    ranks = _RANKS | _cells(leaf.config)
    own = [name for name in paths if name.startswith(path)]
    own.sort(key=lambda name: [(ranks.get(part, 0), _number(part)) for part in name.split("/")])
    deal(found, [(name, paths[name]) for name in own], leaf.path)
    dealt += found
    return set(own)


def _cells(config: Json) -> dict[str, int]:
    """The places of stacked cells, which are named by class like layers."""
    cells = config.get("cell", {}).get("config", {}).get("cells", [])
    counts: dict[str, int] = {}
    ranks: dict[str, int] = {}
    for place, cell in enumerate(cells):
        kind = _snake_case(cell["class_name"])
        number = counts.get(kind, 0)
        counts[kind] = number + 1
        ranks[f"{kind}_{number}" if number else kind] = place
    return ranks


def _number(part: str) -> int:
    """The number that a part of a path ends in: 12 of vars/12, 0 of others."""
    return int(part) if part.isdigit() else 0


def _snake_case(name: str) -> str:
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
