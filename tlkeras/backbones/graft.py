"""From somebody's Keras model to the part of it that embeds, as one flat graph.

    Sequential([ base(a → b → c), pool, dense ])   ▶   input → a → b → c → pool ✂

`flatten` copies layers with their weights: training the copy leaves the original as it is.
"""

import difflib
import logging
from collections.abc import Iterator

import keras

from tlkeras.backbones.foreign.cut import Cut, cut
from tlkeras.errors import BackboneError

_LOG = logging.getLogger(__name__)

# These either hold code that the next person cannot open, or nothing that can be trained.
_REFUSED = {
    "Lambda": (
        "a Lambda layer: it stores Python code, which a saved model cannot safely bring along. "
        "Replace it by a Keras layer (Rescaling, Activation, …) or by keras.ops"
    ),
    "TFSMLayer": (
        "a TFSMLayer: a SavedModel inside a layer has no trainable weights for Keras, and the "
        "model would not load again once saved. Convert the SavedModel to Keras layers first"
    ),
}


def flatten(model: keras.Model, x: keras.KerasTensor, taken: set[str]) -> keras.KerasTensor:
    """Output of a flat copy of `model`, weights included, applied to the tensor `x`.

    Args:
        model: Functional or Sequential, built.
        x: what the copy is fed with.
        taken: layer names that the copy must not use.

    Raises:
        BackboneError: a subclassed model inside, or a layer that must not be copied.

    Example::

        pixels = keras.Input((224, 224, 3))
        copy = keras.Model(pixels, flatten(model, pixels, set()))   # no model in the model
    """
    found = {type(layer).__name__ for layer in leaves(model)}
    problems = [_REFUSED[kind] for kind in sorted(found & _REFUSED.keys())]
    if problems:
        raise BackboneError(f"The model '{model.name}' has {'; and '.join(problems)}.")
    copies: dict[int, keras.Operation] = {}
    y = _apply(model, x, copies, set(taken))
    for original in leaves(model):
        if getattr(original, "weights", None) and id(original) in copies:
            copies[id(original)].set_weights(original.get_weights())
    return y


def leaves(model: keras.Model) -> Iterator[keras.Operation]:
    """Layers and operations of a model and of the models inside it, in their order.

    Example::

        [type(layer).__name__ for layer in leaves(model)]
    """
    for operation in _operations(model):
        if isinstance(operation, keras.Model):
            yield from leaves(operation)
        elif not isinstance(operation, keras.layers.InputLayer):
            yield operation


def is_graph(model: keras.Model) -> bool:
    """Whether the model is Functional or Sequential, so that its layers are known.

    Example::

        is_graph(keras.applications.MobileNet(weights=None))    # True
    """
    return isinstance(model, keras.Sequential) or hasattr(model, "operations")


def features_of(model: keras.Model, layer: str | None = None) -> keras.KerasTensor:
    """The tensor (n, width) that the classifier at the end of `model` is fed with.

    That is the input of its last Dense layer, or of a convolution that stands for one. A model
    without a classifier gives its output; a map (n, h, w, width) is averaged over h and w.

    Args:
        model: Functional or Sequential, built, with one output.
        layer: name of the layer to take the output of, instead.

    Example::

        features_of(keras.applications.MobileNetV2(weights=None)).shape     # (None, 1280)
    """
    return embedding_cut(model, layer).features


def embedding_cut(model: keras.Model, layer: str | None = None, classes: int | None = None) -> Cut:
    """What `features_of` gives, with the names of the layers that were taken for the classifier.

    Example::

        embedding_cut(model, classes=5).removed     # ("fc",)
    """
    found = Cut(_named(model, layer)) if layer else _without_classifier(model, classes)
    shape = tuple(found.features.shape)
    if len(shape) == 4:
        pooled = keras.layers.GlobalAveragePooling2D(name="embedding_pool")(found.features)
        return Cut(pooled, found.removed)
    if len(shape) != 2 or shape[-1] is None:
        raise BackboneError(
            f"Expected an embedding (n, width) or a map (n, h, w, width), got {shape} at the "
            f"end of '{model.name}'. Name another layer with layer=…"
        )
    return found


def one_output(
    model: keras.Model, layer: str | None = None, classes: int | None = None
) -> keras.Model:
    """The model up to the output that a classifier makes, where it has others beside that.

    Args:
        model: Functional or Sequential, built.
        layer: name of a layer whose output is wanted, instead of a search.
        classes: how many the classifier tells apart, where that is known.

    Raises:
        BackboneError: no output, or more than one, comes from a classifier.

    Example::

        one_output(keras.Model(image, [logits, auxiliary_map]))     # up to the logits
    """
    if len(model.outputs) == 1:
        return model
    if layer:
        return keras.Model(model.inputs[0], _named(model, layer), name=model.name)
    found = [tensor for tensor in model.outputs if cut(tensor, classes).removed]
    if len(found) > 1 and classes:
        found = [tensor for tensor in found if tensor.shape[-1] == classes]
    if len(found) != 1:
        shapes = [tuple(tensor.shape) for tensor in model.outputs]
        raise BackboneError(
            f"Expected a model with one output, got '{model.name}' with {len(shapes)} ({shapes}), "
            f"of which {len(found) or 'none'} come from a classifier. Make one with "
            "keras.Model(model.inputs[0], model.outputs[0])."
        )
    _LOG.info("%s: kept its output %s of %d", model.name, tuple(found[0].shape), len(model.outputs))
    return keras.Model(model.inputs[0], found[0], name=model.name)


def _apply(
    model: keras.Model, x: keras.KerasTensor, copies: dict[int, keras.Operation], taken: set[str]
) -> keras.KerasTensor:
    if not is_graph(model):
        raise BackboneError(
            f"Expected Functional or Sequential Keras models, got '{model.name}' of the class "
            f"{type(model).__name__}, whose layers are known only to its own code. Build it "
            "functionally: keras.Model(inputs, outputs)."
        )

    def call(operation: keras.Operation, *args: keras.KerasTensor, **kwargs: object) -> object:
        if isinstance(operation, keras.Model):
            return _apply(operation, args[0], copies, taken)
        if id(operation) not in copies:
            copies[id(operation)] = _copy(operation, taken, model.name)
        if isinstance(operation, keras.layers.Resizing):
            kwargs["training"] = False  # see preprocess.resize
        return copies[id(operation)](*args, **kwargs)

    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            x = call(layer, x)
        return x
    # What keras.models.clone_model itself calls. That one cannot go into nested models.
    return model._run_through_graph(x, operation_fn=lambda operation: operation, call_fn=call)


def _copy(operation: keras.Operation, taken: set[str], owner: str) -> keras.Operation:
    copy = type(operation).from_config(operation.get_config())
    while copy.name in taken:
        copy.name = f"{owner}_{copy.name}"
    taken.add(copy.name)
    return copy


def _operations(model: keras.Model) -> list[keras.Operation]:
    if isinstance(model, keras.Sequential):
        return list(model.layers)
    return list(getattr(model, "operations", None) or model.layers)


def _named(model: keras.Model, layer: str) -> keras.KerasTensor:
    outputs = {operation.name: operation.output for operation in _operations(model)}
    found = outputs.get(layer)
    if not isinstance(found, keras.KerasTensor):
        names = [each.name for each in model.layers]
        close = difflib.get_close_matches(layer, names, n=4, cutoff=0.4) or names[-4:]
        raise BackboneError(
            f"Expected the name of a layer, got {layer!r}. Did you mean {', '.join(close)}?"
        )
    return found


def _without_classifier(model: keras.Model, classes: int | None) -> Cut:
    output = model.outputs[0]
    last = output._keras_history.operation
    if last.name.endswith("embedding") and isinstance(last, keras.layers.Activation):
        return Cut(last.input)  # one of our own: it gets its last layer again
    found = cut(output, classes)
    if found.removed:
        names = "', '".join(found.removed)
        _LOG.info("%s: cut off the classifier '%s' and what follows it", model.name, names)
    return found
