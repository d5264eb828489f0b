"""Where the old classifier of a network begins, by walking back from its output.

    … ─ map ─ pool ─ embedding ✂ Dense ─ softmax
    … ─ map ✂ Conv1x1 ─ ReLU ─ pool ─ softmax               (SqueezeNet, Darknet-19)
    … ─ tokens ─ two embeddings ✂ Dense, Dense ─ mean       (DeiT with its distillation token)

Layers and plain operations of keras.ops are the same here: both are in the graph.
"""

from collections.abc import Collection
from dataclasses import dataclass

import keras

# What may stand between the last weights and the output, by the class of layer or operation.
_SCORES = {"Softmax", "LogSoftmax", "Sigmoid", "LogSigmoid"}
_AFTER_DENSE = {
    *_SCORES,
    *("Activation", "Dropout", "Reshape", "Flatten", "Squeeze", "Identity", "Cast"),
    *("Multiply", "Divide", "TrueDivide", "Add", "Subtract"),  # with a number: a temperature
}
_AFTER_MAP = {
    *_AFTER_DENSE,
    *("ReLU", "Relu", "Relu6", "LeakyReLU", "LeakyRelu"),
    *("GlobalAveragePooling2D", "GlobalMaxPooling2D", "AveragePooling2D", "Mean", "Max"),
}
_BEFORE = {"Dropout", "Identity"}
_MERGES = {"Add", "Average"}
# Of ImageNet, and with the background that TensorFlow's classifiers count as one more.
_KNOWN_CLASSES = (1000, 1001)


@dataclass(frozen=True)
class Cut:
    """The tensor that the old classifier took, and the names of what classified."""

    features: keras.KerasTensor
    removed: tuple[str, ...] = ()


def cut(output: keras.KerasTensor, classes: int | None = None) -> Cut:
    """What the classifier at the end of a network is fed with; the output if there is none.

    Args:
        output: of the network.
        classes: how many the network is known to tell apart, where a file names them.

    Example::

        cut(keras.applications.MobileNetV2(weights=None).output).removed     # ("predictions",)
    """
    found = _classifier(output, classes)
    if not found:
        return Cut(output)
    tensors = list({id(tensor): tensor for tensor, _ in found}.values())
    features = tensors[0]
    if len(tensors) > 1:
        # The mean of two linear classifiers is a linear one of both embeddings together.
        features = keras.layers.Concatenate(name="embeddings")(tensors)
    return Cut(features, tuple(name for _, name in found))


def _classifier(
    output: keras.KerasTensor, classes: int | None
) -> list[tuple[keras.KerasTensor, str]]:
    """The input and the name of each layer that classifies; empty where none does."""
    passed: list[str] = []
    x = output
    while True:
        operation, inputs = _producer(x)
        kind = type(operation).__name__
        if len(inputs) == 1 and kind in _AFTER_MAP:
            passed.append(_named(operation))
            x = inputs[0]
            continue
        break
    if kind in _MERGES and len(inputs) > 1 and set(passed) <= _AFTER_DENSE:
        branches = [_classifier(tensor, classes) for tensor in inputs]
        return [pair for branch in branches for pair in branch] if all(branches) else []
    if not _classifies(operation, tuple(x.shape), set(passed), classes):
        return []
    return [(_without(inputs[0], _BEFORE), operation.name)]


def _classifies(
    operation: keras.Operation, shape: tuple[int | None, ...], passed: set[str], classes: int | None
) -> bool:
    if isinstance(operation, keras.layers.Dense):
        return len(shape) == 2 and passed <= _AFTER_DENSE
    if not isinstance(operation, keras.layers.Conv2D):
        return False
    if shape[1:3] == (1, 1) and passed <= _AFTER_DENSE:
        return True
    # A map with a score of each class at each place. A network without its classifier may end
    # in a convolution, too: then nothing says that its channels are classes.
    pointwise = operation.kernel_size == (1, 1) and operation.use_bias
    scores = bool(_SCORES & passed) or shape[-1] in (*_KNOWN_CLASSES, classes)
    return pointwise and scores


def _named(operation: keras.Operation) -> str:
    """The class of an operation; of an Activation layer, that of the function in it."""
    activation = getattr(operation, "activation", None)
    if not isinstance(operation, keras.layers.Activation) or activation is None:
        return type(operation).__name__
    name = getattr(activation, "__name__", "")
    return {"softmax": "Softmax", "sigmoid": "Sigmoid"}.get(name, "Activation")


def _without(x: keras.KerasTensor, kinds: Collection[str]) -> keras.KerasTensor:
    operation, inputs = _producer(x)
    while len(inputs) == 1 and type(operation).__name__ in kinds:
        x = inputs[0]
        operation, inputs = _producer(x)
    return x


def _producer(x: keras.KerasTensor) -> tuple[keras.Operation, list[keras.KerasTensor]]:
    history = x._keras_history
    node = history.operation._inbound_nodes[history.node_index]
    return history.operation, list(node.input_tensors)
