"""A Keras model that holds other models: the graph that it runs, and the layers in all of them."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras


def graph_of(model: Any) -> Any:
    """The graph of a Functional or Sequential model; None for a model that is only code."""
    return getattr(model, "_functional", model if hasattr(model, "_nodes_by_depth") else None)


def packed(model: "keras.Model", arrays: Sequence[Any]) -> Any:
    """Arrays or tensors in the structure that a model takes: one, a list, a dictionary.

    A Sequential model has no `input` until it is called; its graph knows it all the same.
    """
    import keras

    structure = getattr(graph_of(model), "_inputs_struct", None)
    if structure is None:
        return arrays[0] if len(arrays) == 1 else list(arrays)
    return keras.tree.pack_sequence_as(structure, list(arrays))


def leaf_layers(model: "keras.Model") -> "list[keras.Layer]":
    """The layers of a model, those of the models inside it in their place, each once."""
    return list({id(layer): layer for layer in _leaves(model)}.values())


def innermost(tensor: "keras.KerasTensor") -> "keras.KerasTensor":
    """The symbolic tensor itself, or the one that a nested model hands out as it."""
    import keras

    history = tensor._keras_history
    graph = graph_of(history.operation) if isinstance(history.operation, keras.Model) else None
    return tensor if graph is None else innermost(graph.outputs[history.tensor_index])


def _leaves(model: "keras.Model") -> "Iterator[keras.Layer]":
    import keras

    for layer in model._flatten_layers(include_self=False, recursive=False):
        if isinstance(layer, keras.Model) and graph_of(layer) is not None:
            yield from _leaves(layer)
        else:
            yield layer
