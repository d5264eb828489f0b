"""Names for the operations of a graph that are no layers: Keras names them by a global count,
which may be the name of a layer of the file.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import keras


def name_operations(
    inputs: Sequence[Any], outputs: Sequence[Any], sources: Mapping[int, str]
) -> None:
    """Names every operation between inputs and outputs: its source's name, made unique.

    `sources` maps id(operation) to the name that the file has for it.
    """
    layers: set[str] = set()
    others: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [*inputs, *outputs]
    while waiting:
        tensor = waiting.pop()
        if id(tensor) in seen:
            continue
        seen.add(id(tensor))
        operation, node, _ = tensor._keras_history
        if isinstance(operation, keras.layers.Layer):
            layers.add(operation.name)
        else:
            others[id(operation)] = operation
        waiting += operation._inbound_nodes[node].input_tensors
    taken = layers
    for number, operation in reversed(others.items()):
        stem = name = sources.get(number, operation.name).replace("/", "_")
        count = 0
        while name in taken:
            count += 1
            name = f"{stem}_{count}"
        taken.add(name)
        operation.name = name
