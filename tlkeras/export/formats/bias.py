"""An int8 network's last bias, moved so that its logits are right on average.

Rounding shifts the mean of what a layer gives, and the shifts add up from layer to layer. Here
the sum of them all is measured at the end, on the pictures of the calibration, and taken from the
last bias: the empirical bias correction of M. Nagel et al., "Data-free quantization through weight
equalization and bias correction", 2019 (arXiv 1906.04721), for the last layer alone.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.export.formats.packed import closed, opened, operator_name
from tlkeras.export.formats.quality import model_answers

if TYPE_CHECKING:
    import keras

_LEAST_LOG = -25.0  # logarithm of a probability; those below are all alike


@dataclass(frozen=True)
class _Head:
    """The last dense layer in a file: its logits' tensor, and where its bias lies."""

    logits: int
    bias: int


def corrected(content: bytes, network: "keras.Model", shown: np.ndarray) -> bytes:
    """The file with the bias of its last dense layer moved; as it was if it does not end in one.

    Args:
        content: an int8 file that ends in a dense layer and a softmax.
        network: the model that it was made from.
        shown: pixels (m, size_px, size_px, 3) in [0, 255] to measure on.
    """
    model = opened(content)
    head = _head(model)
    if head is None:
        return content
    ours = np.log(np.maximum(model_answers(network, shown), np.exp(_LEAST_LOG)))
    theirs = _log_softmax(_tensor(content, head.logits, shown))
    return closed(_moved(model, head, mean_shift(ours, theirs)))


def mean_shift(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """What to add to each logit (c,), given logarithms of probabilities (n, c) twice.

    What all classes of a picture have in common changes no probability and is left out.

    >>> mean_shift(np.array([[0.0, -1.0]]), np.array([[0.0, -2.0]]))
    array([-0.5,  0.5])
    """
    apart = np.maximum(ours, _LEAST_LOG) - np.maximum(theirs, _LEAST_LOG)
    return np.asarray((apart - apart.mean(axis=1, keepdims=True)).mean(axis=0))


def _head(model: Any) -> _Head | None:
    graph = model.subgraphs[0]
    names = [operator_name(model, each) for each in graph.operators]
    if names[-2:] != ["FULLY_CONNECTED", "SOFTMAX"]:
        return None
    dense, softmax = graph.operators[-2:]
    linear = dense.builtinOptions.fusedActivationFunction == 0
    if dense.outputs[0] != softmax.inputs[0] or len(dense.inputs) < 3 or not linear:
        return None
    return None if dense.inputs[2] < 0 else _Head(int(dense.outputs[0]), int(dense.inputs[2]))


def _moved(model: Any, head: _Head, shift: np.ndarray) -> Any:
    tensor = model.subgraphs[0].tensors[head.bias]
    buffer = model.buffers[tensor.buffer]
    before = np.frombuffer(bytes(buffer.data), np.int32)
    steps = np.rint(shift / np.asarray(tensor.quantization.scale, np.float64))
    limits = np.iinfo(np.int32)
    after = np.clip(before + steps, limits.min, limits.max).astype(np.int32)
    buffer.data = np.frombuffer(after.tobytes(), np.uint8)
    return model


def _tensor(content: bytes, index: int, shown: np.ndarray) -> np.ndarray:
    """Values (m, c) float32 of the tensor that the last operator reads."""
    from tlkeras.export.formats.int8 import to_int8
    from tlkeras.export.formats.interpreter import interpreter_of

    interpreter = interpreter_of(content, delegates=False)  # a delegate keeps it to itself
    given = interpreter.get_input_details()[0]["index"]
    (told,) = (each for each in interpreter.get_tensor_details() if each["index"] == index)
    scale, zero_point = told["quantization"]
    rows = []
    for row in shown:
        interpreter.set_tensor(given, to_int8(row)[np.newaxis])
        interpreter.invoke()
        rows.append(interpreter.get_tensor(index)[0].astype(np.float32) - zero_point)
    return np.stack(rows) * np.float32(scale)


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
