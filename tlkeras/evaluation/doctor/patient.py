"""The model that is looked at, with all that is known beside it, and its layers in order."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

NORMS = ("BatchNormalization", "SyncBatchNormalization")
UNKNOWN_SIDE_PX = 224
BATCH = 2


@dataclass(frozen=True)
class Leaf:
    """A layer with the models that it is in, the outermost first.

    `trains` is whether training moves its weights, whatever its own flag says.
    """

    layer: "keras.Layer"
    inside: tuple["keras.Layer", ...]
    trains: bool

    @property
    def path(self) -> str:
        """Names of the models inside the outermost one, and its own, as "base/conv_1"."""
        return "/".join([*(box.name for box in self.inside[1:]), self.layer.name])

    @property
    def is_norm(self) -> bool:
        """Whether it keeps moving statistics of the batches it saw."""
        return type(self.layer).__name__ in NORMS

    @property
    def learns(self) -> bool:
        """Whether it has weights that are learned by gradients, and is no normalisation."""
        counts = self.is_norm or type(self.layer).__name__ == "Normalization"
        return not counts and any("float" in str(weight.dtype) for weight in self.layer.weights)


@dataclass(frozen=True, eq=False)
class Patient:
    """A Keras model, and what is known of what it is for.

    Attributes:
        model: the model.
        name: what to call it.
        compiled: its compile configuration, as a file or the model has it; empty without.
        class_names: names of its columns, where some are known.
        pixels: real pictures (n, h, w, 3) float32 RGB in [0, 255], at the size it takes.
        takes_rgb: whether it is known to take such pixels, with all preprocessing inside.
    """

    model: "keras.Model"
    name: str
    compiled: Mapping[str, Any]
    class_names: tuple[str, ...] | None = None
    pixels: np.ndarray | None = None
    takes_rgb: bool = False

    @cached_property
    def leaves(self) -> tuple[Leaf, ...]:
        """Every layer that is no model itself, in the order of the graph."""
        moving = {id(weight) for weight in self.model.trainable_weights}
        return tuple(_leaves(self.model, (self.model,), moving))

    @property
    def norms(self) -> list[Leaf]:
        """Its BatchNormalization layers that have been built."""
        return [leaf for leaf in self.leaves if leaf.is_norm and leaf.layer.weights]

    @cached_property
    def is_graph(self) -> bool:
        """Whether its layers are known to be called one after the other, with one input."""
        from tlkeras.backbones.graft import is_graph

        return is_graph(self.model) and len(self.model.inputs) == 1

    @property
    def takes_pictures(self) -> bool:
        """Whether its one input is (n, h, w, 3)."""
        shape = _input_shape(self.model)
        return shape is not None and len(shape) == 4 and shape[-1] == 3

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width that it takes; 224 where it takes any."""
        shape = _input_shape(self.model)
        assert shape is not None
        return shape[1] or UNKNOWN_SIDE_PX, shape[2] or UNKNOWN_SIDE_PX

    @cached_property
    def inputs(self) -> np.ndarray | None:
        """Two inputs, real pictures where there are some, noise else; None where unknown."""
        shape = _input_shape(self.model)
        if shape is None or len(shape) < 2 or shape[-1] is None:
            return None
        if self.pixels is not None and self.takes_pictures and len(self.pixels):
            return np.take(self.pixels, np.arange(shape[0] or BATCH) % len(self.pixels), axis=0)
        batch = shape[0] or BATCH
        sides = [side or UNKNOWN_SIDE_PX // 2 for side in shape[1:-1]]
        noise = np.random.default_rng(0).uniform(0, 255, (batch, *sides, shape[-1]))
        return noise.astype(np.float32)

    @property
    def summary(self) -> str:
        """One line: how large it is, what of it trains, what goes in and comes out."""
        weighted = [leaf for leaf in self.leaves if leaf.layer.weights]
        trains = sum(leaf.trains for leaf in weighted)
        shapes = f"{_shape(self.model, 'input_shape')} to {_shape(self.model, 'output_shape')}"
        return (
            f"{self.name}: {self.model.count_params():,} parameters, {trains} of {len(weighted)} "
            f"layers with weights train, {shapes}"
        )


def walk(model: "keras.Model", x: object, visit: Callable[..., object]) -> object:
    """What a Functional or Sequential model gives for `x`, each call made by `visit`.

    Args:
        model: models inside it that are graphs are walked through.
        x: its input.
        visit: called with an operation and the arguments that the graph has for it, those of
            `training` among them, as it was built; gives the result.

    Example::

        walk(model, pixels, lambda operation, *args, **kwargs: operation(*args, **kwargs))
    """
    import keras

    from tlkeras.backbones.graft import is_graph

    def call(operation: Any, *args: Any, **kwargs: Any) -> object:
        if isinstance(operation, keras.Model) and is_graph(operation) and operation.built:
            return walk(operation, args[0], visit)
        return visit(operation, *args, **kwargs)

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            x = call(layer, x)
        return x
    return model._run_through_graph(x, operation_fn=lambda operation: operation, call_fn=call)


def _leaves(model: Any, inside: tuple[Any, ...], moving: set[int]) -> Iterator[Leaf]:
    for layer in model.layers:
        if getattr(layer, "layers", None):
            yield from _leaves(layer, (*inside, layer), moving)
        else:
            yield Leaf(layer, inside, any(id(weight) in moving for weight in layer.weights))


def _input_shape(model: Any) -> tuple[Any, ...] | None:
    shape = getattr(model, "input_shape", None)
    return tuple(shape) if isinstance(shape, tuple) else None


def _shape(model: Any, attribute: str) -> str:
    shape = getattr(model, attribute, None)
    if not isinstance(shape, tuple):
        return "several" if shape else "unknown"
    return "(" + ", ".join("any" if side is None else str(side) for side in shape) + ")"
