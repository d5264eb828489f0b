"""The freeze boundary: where a network's frozen part ends and its trained part begins.

    pixels ─▶ trunk (nothing trains) ─▶ crossing tensors ─▶ tail (all that trains) ─▶ probabilities

Both parts share their layers with the model they came from: training the tail trains the model.
"""

import logging
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

logger = logging.getLogger(__name__)

Trunk = Callable[[np.ndarray], list[np.ndarray]]
"""Pixels (m, h, w, 3) float32 in [0, 255] → one array (m, …) for each crossing tensor."""

AGREEMENT = 1e-4  # how far an engine's activations may be from Keras', relative to the largest
LOOKED_AT = 2  # pictures that an engine is held against Keras on


@dataclass(frozen=True)
class Split:
    """A model in two parts that share its layers.

    Attributes:
        trunk: pixels → one tensor, or a list where several cross the boundary.
        tail: these, in the same order → what the model gives.
    """

    trunk: "keras.Model"
    tail: "keras.Model"


def split(model: "keras.Model", trainable: Collection["keras.Layer"]) -> Split | None:
    """The model cut before its first trainable layers; None where that cannot be done.

    The tail has every layer of `trainable` and all that is computed from one. Models inside the
    model are cut through. There is no split where the trunk would have no weights (nothing to
    save), where a model is no graph of layers, has several inputs or the same name twice, or
    where a layer that ends the trunk is used again in the tail.

    Example::

        parts = split(model, [layer for layer in leaf_layers(model) if layer.trainable])
        parts.tail(parts.trunk(pixels))          # model(pixels)
    """
    import keras

    flat = _flat(model)
    if flat is None:
        return None
    nodes = [
        node
        for depth in sorted(flat._nodes_by_depth, reverse=True)
        for node in flat._nodes_by_depth[depth]
    ]
    wanted = {id(layer) for layer in trainable}
    after: set[int] = set()  # tensors that depend on a layer that trains
    crossing: dict[int, keras.KerasTensor] = {}
    above: set[int] = set()
    for node in nodes:
        own = node.operation
        trained = any(id(part) in wanted for part in _parts(own))
        if trained or any(id(tensor) in after for tensor in node.input_tensors):
            above.add(id(own))
            after.update(id(tensor) for tensor in node.output_tensors)
            crossing |= {id(t): t for t in node.input_tensors if id(t) not in after}
    outputs = list(flat.outputs)
    borders = list(crossing.values())
    # Keras puts an Input in the place of a layer that makes a crossing tensor, everywhere.
    shared = any(id(tensor._keras_history.operation) in above for tensor in borders)
    if not borders or shared or any(id(tensor) not in after for tensor in outputs):
        return None
    trunk = keras.Model(flat.inputs[0], _bare(borders), name=f"{model.name}_trunk")
    if not trunk.weights:
        return None
    return Split(trunk, keras.Model(_bare(borders), _bare(outputs), name=f"{model.name}_tail"))


def output_of(model: "keras.Model", name: str) -> "keras.KerasTensor":
    """What the layer of that name gives in this model; it may stand in other models too."""
    return next(
        node.output_tensors[0]
        for nodes in model._nodes_by_depth.values()
        for node in nodes
        if node.operation.name == name
    )


def checked(make: Callable[["keras.Model"], Trunk], model: "keras.Model", plain: Trunk) -> Trunk:
    """The trunk as `make` runs it, if that gives what Keras gives; else as `plain` runs it.

    The first pictures that come are looked at: an engine that fails, or whose activations are
    further than 1e-4 of the largest one away, is not used, and a warning says why.

    Args:
        make: builds the engine from the trunk.
        model: the trunk.
        plain: what to run where the engine is not good.

    Example::

        trunk = checked(through_onnxruntime, parts.trunk, plain)
    """
    chosen: list[Trunk] = []

    def run(pixels: np.ndarray) -> list[np.ndarray]:
        if not chosen:
            engine, reason = _engine(make, model, pixels[:LOOKED_AT])
            if reason:
                logger.warning("the frozen part runs through TensorFlow: %s", reason)
            chosen.append(engine or plain)
        return chosen[0](pixels)

    return run


def _engine(
    make: Callable[["keras.Model"], Trunk], model: "keras.Model", pixels: np.ndarray
) -> tuple[Trunk | None, str]:
    import keras

    try:
        engine = make(model)
        found = engine(pixels)
    except Exception as err:
        return None, f"the engine does not take it ({type(err).__name__}: {err})"
    # Called once and without a graph: tracing one for two pictures would cost more.
    expected = [np.asarray(each) for each in keras.tree.flatten(model(pixels, training=False))]
    if [a.shape for a in found] != [b.shape for b in expected]:
        shapes = [a.shape for a in found], [b.shape for b in expected]
        return None, f"the engine gave shapes {shapes[0]} where Keras gives {shapes[1]}"
    away = max(_difference(a, b) for a, b in zip(found, expected, strict=True))
    if not away <= AGREEMENT:
        return None, f"the engine is {away:.1e} away from Keras, more than {AGREEMENT:.0e}"
    return engine, ""


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    largest = np.abs(expected).max(initial=0) or 1.0
    return float(np.abs(found.astype("float32") - expected).max(initial=0) / largest)


def _flat(model: "keras.Model") -> "keras.Model | None":
    """The same layers as one Functional graph with no model inside; None where there is none."""
    import keras

    from tlkeras.backbones.graft import is_graph

    if not is_graph(model) or len(model.inputs) != 1:
        return None
    inside = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if not inside and not isinstance(model, keras.Sequential):
        return model
    pixels = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype)
    if not all(_is_plain(layer) for layer in inside):
        return None
    names = Counter(_names(model))
    if names and max(names.values()) > 1:
        return None  # Keras takes no graph in which two layers have one name
    return keras.Model(pixels, _apply(model, pixels), name=model.name)


def _is_plain(model: "keras.Model") -> bool:
    import keras

    from tlkeras.backbones.graft import is_graph

    return is_graph(model) and all(
        _is_plain(layer) for layer in model.layers if isinstance(layer, keras.Model)
    )


def _names(model: "keras.Model") -> list[str]:
    import keras

    found: list[str] = []
    for operation in getattr(model, "operations", None) or model.layers:
        if isinstance(operation, keras.Model):
            found += _names(operation)
        elif not isinstance(operation, keras.layers.InputLayer):
            found.append(operation.name)
    return found


def _apply(model: "keras.Model", x: object) -> object:
    import keras

    def call(operation: keras.Operation, *args: object, **kwargs: object) -> object:
        if isinstance(operation, keras.Model):
            return _apply(operation, args[0])
        return operation(*args, **kwargs)

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            x = call(layer, x)
        return x
    return model._run_through_graph(x, operation_fn=lambda operation: operation, call_fn=call)


def _parts(operation: "keras.Operation") -> list["keras.Operation"]:
    """The operation, and the layers that it has inside."""
    inside = getattr(operation, "_flatten_layers", None)
    return [operation] if inside is None else list(inside())


def _bare(tensors: Sequence["keras.KerasTensor"]) -> object:
    """A single tensor by itself: Keras warns where a list of one stands for it."""
    return tensors[0] if len(tensors) == 1 else list(tensors)
