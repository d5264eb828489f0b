"""An int8 network's last biases, moved so that its answers are right on average.

Rounding shifts the mean of what a layer gives, and the shifts add up from layer to layer. Here
the sum of them all is measured at the end, on the pictures of the calibration, and taken from the
last bias: the empirical bias correction of M. Nagel et al., "Data-free quantization through weight
equalization and bias correction", 2019 (arXiv 1906.04721), for the last layers alone.

embedding ─┬▶ dense ─ logits ─▶ softmax ─▶ probabilities
           └▶ length 1 ─▶ dense ─ distances ─▶ least ─▶ unknown_score
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tlkeras.export.formats.packed import closed, opened, operator_name
from tlkeras.export.formats.quality import model_answers
from tlkeras.export.named import DISTANCES, ROWS, SCORE

if TYPE_CHECKING:
    import keras

TOP = 2.0
"""The unknown score that a file can at least give; 1 is the limit, and training pictures that it
was calibrated on may all be below."""
_LEAST_LOG = -25.0  # logarithm of a probability; those below are all alike


@dataclass(frozen=True)
class _Dense:
    """A dense layer in a file, by its tensors: what it gives, its bias, and what is made of it."""

    answers: int
    bias: int
    output: int


def corrected(content: bytes, network: "keras.Model", shown: np.ndarray) -> bytes:
    """The file with the biases of its last dense layers moved; as it was if it ends otherwise.

    Args:
        content: an int8 file that ends in a dense layer and a softmax.
        network: the model that it was made from.
        shown: pixels (m, size_px, size_px, 3) in [0, 255] to measure on.
    """
    model = opened(content)
    measured = any(layer.name == SCORE for layer in network.layers)
    logits = _dense_before(model, "SOFTMAX")
    distances = _dense_before(model, "REDUCE_MIN") if measured else None
    last = [each for each in (logits, distances) if each is not None]
    if not last:
        return content
    found = dict(zip(last, _tensors(content, [each.answers for each in last], shown), strict=True))
    if logits is not None:
        theirs = found[logits]
        ours = model_answers(network, shown)[:, : theirs.shape[1]]
        ours = np.log(np.maximum(ours, np.exp(_LEAST_LOG)))
        _move(model, logits, mean_shift(ours, _log_softmax(theirs)))
    if distances is not None:
        _move(model, distances, (_distances(network, shown) - found[distances]).mean(axis=0))
        for index in (distances.answers, distances.output):
            _widen(model, index)
    return closed(model)


def mean_shift(ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """What to add to each logit (c,), given logarithms of probabilities (n, c) twice.

    What all classes of a picture have in common changes no probability and is left out.

    >>> mean_shift(np.array([[0.0, -1.0]]), np.array([[0.0, -2.0]]))
    array([-0.5,  0.5])
    """
    apart = np.maximum(ours, _LEAST_LOG) - np.maximum(theirs, _LEAST_LOG)
    return np.asarray((apart - apart.mean(axis=1, keepdims=True)).mean(axis=0))


def _dense_before(model: Any, ending: str) -> _Dense | None:
    """The linear dense layer that an operator reads whose answer is one of the file's."""
    graph = model.subgraphs[0]
    made = {int(index): each for each in graph.operators for index in each.outputs}
    for index in map(int, graph.outputs):
        last = made.get(index)
        if last is None or operator_name(model, last) != ending:
            continue
        dense = made.get(int(last.inputs[0]))
        if dense is None or operator_name(model, dense) != "FULLY_CONNECTED":
            continue
        linear = dense.builtinOptions.fusedActivationFunction == 0
        if linear and len(dense.inputs) > 2 and dense.inputs[2] >= 0:
            return _Dense(int(dense.outputs[0]), int(dense.inputs[2]), index)
    return None


def _move(model: Any, dense: _Dense, shift: np.ndarray) -> None:
    tensor = model.subgraphs[0].tensors[dense.bias]
    buffer = model.buffers[tensor.buffer]
    before = np.frombuffer(bytes(buffer.data), np.int32)
    steps = np.rint(shift / np.asarray(tensor.quantization.scale, np.float64))
    limits = np.iinfo(np.int32)
    after = np.clip(before + steps, limits.min, limits.max).astype(np.int32)
    buffer.data = np.frombuffer(after.tobytes(), np.uint8)


def _widen(model: Any, index: int) -> None:
    """Has a tensor reach `TOP`, at the cost of precision, where its calibrated range ends below."""
    told = model.subgraphs[0].tensors[index].quantization
    scale, zero_point = float(told.scale[0]), int(told.zeroPoint[0])
    least, largest = (-128 - zero_point) * scale, (127 - zero_point) * scale
    if largest < TOP:
        wider = (TOP - least) / 255
        told.scale, told.zeroPoint = [wider], [round(-128 - least / wider)]


def _tensors(content: bytes, indices: Sequence[int], shown: np.ndarray) -> list[np.ndarray]:
    """Values (m, c) float32 of tensors inside a file, for each picture."""
    from tlkeras.export.formats.interpreter import interpreter_of, scaled_back
    from tlkeras.export.formats.rounding.int8 import to_int8

    interpreter = interpreter_of(content, inside=True)
    given = interpreter.get_input_details()[0]["index"]
    told = {each["index"]: each for each in interpreter.get_tensor_details()}
    rows: list[list[np.ndarray]] = [[] for _ in indices]
    for picture in shown:
        interpreter.set_tensor(given, to_int8(picture)[np.newaxis])
        interpreter.invoke()
        for index, found in zip(indices, rows, strict=True):
            found.append(scaled_back(interpreter.get_tensor(index)[0], told[index]))
    return [np.stack(found) for found in rows]


def _distances(network: "keras.Model", shown: np.ndarray) -> np.ndarray:
    """(m, k) float32: what the unknown score is the least of."""
    import keras

    score = network.get_layer(SCORE)
    distances = keras.Model(score.inputs[0], score.get_layer(DISTANCES).output)
    embedding = keras.Model(network.inputs[0], network.get_layer(ROWS).output)
    return np.asarray(distances(model_answers(embedding, shown), training=False))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))
