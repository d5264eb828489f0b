"""What a model computes on the way to its answer, call by call, and again from any point of it.

    pixels ─▶ call ─▶ call ─▶ tensor ─▶ call ─▶ call ─▶ answer
                                └─ replayed with another value: only what depends on it

Models inside the model are walked through as the numbers pass, so no second graph is made, whose
ends would not meet ("Graph disconnected", https://github.com/keras-team/keras/issues/16355), and
nothing of the model is copied or changed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.errors import BackboneError

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True, eq=False)
class Call:
    """One layer or operation that was called.

    Attributes:
        operation: the layer or operation.
        name: its name, after those of the models that it is in, as "base/block_3_add".
        args: positional arguments, tensors among them.
        kwargs: keyword arguments.
        takes: ids of the tensors that went in.
        gives: ids of the tensors that came out.
    """

    operation: "keras.Operation"
    name: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    takes: tuple[int, ...]
    gives: tuple[int, ...]

    @property
    def kind(self) -> str:
        """The class of the operation; of a layer that is an activation, the function's name."""
        activation = getattr(self.operation, "activation", None)
        named = type(self.operation).__name__
        return str(getattr(activation, "__name__", named)) if named == "Activation" else named


@dataclass(frozen=True, eq=False)
class Trace:
    """All calls of one pass, in order, and all tensors by id.

    Attributes:
        calls: those whose result is another tensor than they were given.
        tensors: by id; held, so that no id is used twice.
        pixels: id of what went in.
        output: id of the answer, (n, classes).
    """

    calls: tuple[Call, ...]
    tensors: dict[int, "tf.Tensor"]
    pixels: int
    output: int

    def replay(self, values: Mapping[int, "tf.Tensor"], end: int) -> "tf.Tensor":
        """The tensor `end` as it would be with other values for some tensors.

        Only calls that depend on one of them are made again.

        Example::

            trace.replay({place: 2 * trace.tensors[place]}, trace.output)
        """
        import keras

        now = dict(values)

        def current(leaf: Any) -> Any:
            return now.get(id(leaf), leaf)

        for call in self.calls:
            if end in now:
                break
            if not any(taken in now for taken in call.takes) or set(call.gives) <= now.keys():
                continue
            args, kwargs = keras.tree.map_structure(current, (call.args, call.kwargs))
            made = _tensors(call.operation(*args, **kwargs))
            now |= {
                given: tensor
                for given, tensor in zip(call.gives, made, strict=True)
                if given not in values
            }
        return now[end] if end in now else self.tensors[end]

    def producer(self, tensor: int) -> Call | None:
        """The call that made a tensor; None for the pixels and for constants."""
        return next((call for call in self.calls if tensor in call.gives), None)


def traced(model: "keras.Model", pixels: np.ndarray, classes: int) -> Trace:
    """The pass of pixels (n, h, w, 3) float32 in [0, 255] through a model, as in inference.

    Args:
        model: Functional or Sequential; models inside it may be of any kind, but one whose
            layers only its own code knows is one call.
        pixels: pictures of the size that the model takes.
        classes: width of the answer, where the model gives more than one.

    Raises:
        BackboneError: the model is no graph of layers, has several inputs, or no output
            (n, classes).

    Example::

        trace = traced(model, pixels, classes=3)
        [call.name for call in trace.calls]
    """
    import tensorflow as tf

    if not _is_graph(model) or len(model.inputs) != 1:
        raise BackboneError(
            "Grad-CAM follows the layers of a Functional or Sequential model with one input. "
            f"Received: {type(model).__name__} '{model.name}', whose way from pixels to answer "
            "is not known. Explain it with method='occlusion', which needs answers only."
        )
    calls: list[Call] = []
    tensors: dict[int, tf.Tensor] = {}
    first = tf.cast(tf.convert_to_tensor(pixels), model.inputs[0].dtype)
    tensors[id(first)] = first

    def call(prefix: str, operation: "keras.Operation", *args: Any, **kwargs: Any) -> Any:
        if _is_graph(operation):
            return _walked(operation, args[0], f"{prefix}{operation.name}/", call)
        if getattr(operation, "_call_has_training_arg", False):
            kwargs["training"] = False
        taken = _tensors((args, kwargs))
        result = operation(*args, **kwargs)
        given = _tensors(result)
        tensors.update({id(tensor): tensor for tensor in (*taken, *given)})
        takes, gives = tuple(map(id, taken)), tuple(map(id, given))
        if not set(gives) <= set(takes):  # an identity hands on what it got
            calls.append(Call(operation, prefix + operation.name, args, kwargs, takes, gives))
        return result

    answers = _tensors(_walked(model, first, "", call))
    return Trace(tuple(calls), tensors, id(first), id(answer_of(answers, classes, model.name)))


def answer_of(outputs: Sequence["tf.Tensor"], classes: int, name: str) -> "tf.Tensor":
    """The one output of a model that has a number for each class.

    Raises:
        BackboneError: none of them has, or several.

    Example::

        answer_of([scores, map], classes=3, name=model.name)        # scores
    """
    found = [each for each in outputs if math.prod(each.shape[1:]) == classes]
    if len(found) != 1:
        shapes = ", ".join(str(("n", *each.shape[1:])) for each in outputs)
        raise BackboneError(
            f"The model must give one number for each of {classes} classes, (n, {classes}). "
            f"Received: '{name}' with {shapes}. Name its classes in the order of its columns, or "
            "make a model with that output alone: keras.Model(model.input, model.outputs[0])."
        )
    return found[0]


def _walked(model: Any, x: Any, prefix: str, call: Any) -> Any:
    if hasattr(model, "_run_through_graph"):  # what Functional.call itself calls
        return model._run_through_graph(
            x,
            operation_fn=lambda operation: operation,
            call_fn=lambda operation, *args, **kwargs: call(prefix, operation, *args, **kwargs),
        )
    for layer in model.layers:
        x = call(prefix, layer, x)
    return x


def _is_graph(operation: Any) -> bool:
    """Whether it is a model whose layers are called in the order of its graph, and no other."""
    import keras

    if not isinstance(operation, keras.Model) or not operation.built:
        return False
    own = [kind for kind in type(operation).__mro__ if not kind.__module__.startswith("keras.")]
    if any("call" in vars(kind) for kind in own):
        return False
    return isinstance(operation, keras.Sequential) or hasattr(operation, "_run_through_graph")


def _tensors(structure: Any) -> list["tf.Tensor"]:
    import keras
    import tensorflow as tf

    return [leaf for leaf in keras.tree.flatten(structure) if isinstance(leaf, tf.Tensor)]
