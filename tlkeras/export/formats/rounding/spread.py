"""A network whose embedding is of even ranges, so that whole numbers can hold its head.

A head learns from standardised features and has their spread in its kernel: a feature that hardly
moves has weights a thousand times as large as the others, and beside those a kernel of eight bits
has no number left for the rest. What a channel is multiplied by before a ReLU comes out behind it:

    normalisation ─ relu ─ mean ─┬▶ kernel          normalisation · s ─ relu ─ mean ─┬▶ kernel / s
                                 └▶ unknown score                                    └ / s ─▶ score

Both give the same answers. This is the cross-layer equalization of M. Nagel et al., "Data-free
quantization through weight equalization and bias correction", 2019 (arXiv 1906.04721), for the
last two layers.
"""

from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.export.named import ROWS

if TYPE_CHECKING:
    import keras

MOST = 1e4
"""How far a channel's factor may be from the median of all."""

BACK = "factors_back"
_POOLS = {"GlobalAveragePooling2D", "GlobalMaxPooling2D", "MaxPooling2D", "AveragePooling2D"}
_PASSED_ON = {*_POOLS, "Dropout", "Flatten", "Identity"}


def spread(network: "keras.Model") -> "keras.Model":
    """A copy that answers the same, its head's kernel with rows of even size; or the network.

    The network itself comes back where something other than ReLU and pooling stands between the
    head and a normalisation or convolution: a factor would not come through.

    Args:
        network: pixels → probabilities first, as `named_network` makes it.
    """
    found = _head(network)
    if found is None:
        return network
    made_by, dense = found
    kernel = np.asarray(dense.kernel)
    if made_by.output.shape[-1] != len(kernel):
        return network
    factors = _factors(kernel)
    copy = _copied(network, 1 / factors)
    head = copy.get_layer(dense.name)
    head.kernel.assign(kernel / factors[:, np.newaxis])
    _multiply(copy.get_layer(made_by.name), factors)
    return copy


def _factors(kernel: np.ndarray) -> np.ndarray:
    """The largest weight of each row of a kernel (d, c), by their median: float32 (d,)."""
    largest = np.abs(kernel).max(axis=1)
    used = largest > 0
    if not used.any():
        return np.ones(len(kernel), np.float32)
    factors = np.where(used, largest / np.median(largest[used]), 1.0)
    return np.clip(factors, 1 / MOST, MOST).astype(np.float32)


def _head(network: "keras.Model") -> "tuple[keras.Layer, keras.Layer] | None":
    """What makes the embedding, and the dense layer that reads it; None where it is otherwise."""
    readers = Counter(id(tensor) for tensor in network.outputs)
    for nodes in network._nodes_by_depth.values():
        for node in nodes:
            if getattr(node.operation, "name", "") != ROWS:
                readers.update(map(id, node.input_tensors))
    tensor, dense, alone = network.outputs[0], None, True
    while True:
        layer, index, _ = tensor._keras_history
        if dense is not None and _can_be_multiplied(layer):
            return (layer, dense) if alone else None
        inputs = layer._inbound_nodes[index].input_tensors
        if len(inputs) != 1 or not _leads_on(layer, dense is not None):
            return None
        if type(layer).__name__ == "Dense":
            dense, alone = layer, True  # the first one that the embedding goes into
        tensor = inputs[0]
        alone = alone and readers[id(tensor)] == 1


def _leads_on(layer: Any, below_a_head: bool) -> bool:
    """Whether the way back to the embedding goes through this layer."""
    kind = type(layer).__name__
    if kind == "Dense" or kind in _PASSED_ON:
        return True
    if below_a_head and kind != "Softmax":
        return _lets_factors_through(layer)
    return kind in {"Softmax", "Activation", "ReLU"}


def _lets_factors_through(layer: Any) -> bool:
    """Whether f(s · x) is s · f(x) for every s above 0."""
    if type(layer).__name__ == "ReLU":
        return layer.max_value is None and not layer.threshold
    return type(layer).__name__ == "Activation" and _activation(layer) in {"linear", "relu"}


def _can_be_multiplied(layer: Any) -> bool:
    kind = type(layer).__name__
    if kind == "BatchNormalization":
        return bool(
            layer.scale and layer.center and layer.axis in (-1, len(layer.output.shape) - 1)
        )
    last = getattr(layer, "data_format", "") == "channels_last"
    return kind == "Conv2D" and last and _activation(layer) in {"linear", "relu"}


def _activation(layer: Any) -> str:
    return str(getattr(layer.activation, "__name__", ""))


def _multiply(layer: Any, factors: np.ndarray) -> None:
    """Has a layer give its channels times these factors."""
    if type(layer).__name__ == "BatchNormalization":
        variables = [layer.gamma, layer.beta]
    else:
        variables = [layer.kernel, *([layer.bias] if layer.use_bias else [])]
    for variable in variables:
        variable.assign(np.asarray(variable) * factors)


def _copied(network: "keras.Model", back: np.ndarray) -> "keras.Model":
    """A network with weights of its own, whose unknown score is told of rows times `back`."""
    import keras

    def cloned(layer: Any) -> Any:
        if not isinstance(layer, keras.Layer):
            return layer  # of keras.ops: without weights
        return type(layer).from_config(layer.get_config())

    def called(layer: Any, *args: Any, **kwargs: Any) -> Any:
        made = layer(*args, **kwargs)
        if layer.name != ROWS:
            return made
        # A convolution of one pixel, since LiteRT rounds its factors each by itself.
        pixels = keras.ops.reshape(made, (-1, 1, 1, len(back)))
        divided = keras.layers.DepthwiseConv2D(1, use_bias=False, dtype="float32", name=BACK)
        return keras.ops.reshape(divided(pixels), (-1, len(back)))

    copy = keras.models.clone_model(network, clone_function=cloned, call_function=called)
    for layer in copy.layers:
        if layer.name == BACK:
            layer.set_weights([back.reshape(1, 1, -1, 1)])
        elif layer.weights:
            layer.set_weights(network.get_layer(layer.name).get_weights())
    return copy
