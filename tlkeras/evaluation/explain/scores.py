"""The score of a class behind its probability, which is what its evidence adds up in.

    … ─ Dense ─▶ scores (n, classes) ─ softmax ─▶ probabilities (n, classes)

A probability near 1 hardly moves with the evidence, and moves with that of the other classes too;
the score before the softmax does not. A temperature divides all scores alike and changes no map.
"""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from tlkeras.evaluation.explain.trace import Call, Trace

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

Score = Callable[[Mapping[int, "tf.Tensor"]], "tf.Tensor"]
"""Other values for some tensors of a trace, by id → scores (n, classes)."""

_SQUASHED = {"Softmax", "Sigmoid", "softmax", "sigmoid"}
_SAME_NUMBERS = {"linear", "Reshape", "Flatten", "Cast", "Squeeze"}
_TINY = 1e-30


def probabilities_of(trace: Trace) -> np.ndarray:
    """What a traced model answers, as probabilities (n, classes) float32.

    Example::

        probabilities_of(traced(model, pixels, 3)).argmax(axis=1)
    """
    call = last_that_computes(trace)
    squashed = call is not None and _squashes(call.operation)
    return to_probabilities(np.asarray(trace.tensors[trace.output]), squashed)


def score_of(trace: Trace) -> Score:
    """The scores of a traced model, as a function of values inside it.

    They are what goes into the last softmax or sigmoid, be it a layer, an operation or the
    activation of a Dense layer. Where the last step is something else: the logarithms of the
    probabilities, less their mean; the outputs themselves where they are no probabilities.

    Example::

        score_of(trace)({place: values})            # (n, classes)
    """
    answer = trace.tensors[trace.output]
    count, classes = len(answer), math.prod(answer.shape[1:])

    def flat(values: "tf.Tensor") -> "tf.Tensor":
        import tensorflow as tf

        return tf.reshape(tf.cast(values, "float32"), (count, classes))

    call = last_that_computes(trace)
    if call is not None and call.kind in _SQUASHED:
        return lambda values: flat(trace.replay(values, call.takes[0]))
    if call is not None and _is_squashed_dense(call):
        return lambda values: flat(_linear(call, trace.replay(values, call.takes[0])))
    if is_distribution(np.asarray(flat(answer))):
        return lambda values: _logits(flat(trace.replay(values, trace.output)))
    return lambda values: flat(trace.replay(values, trace.output))


def last_that_computes(trace: Trace) -> Call | None:
    """The last call of a trace but for those that only reshape or cast; None if there is none."""
    size = math.prod(trace.tensors[trace.output].shape)
    call = trace.producer(trace.output)
    while call is not None and call.kind in _SAME_NUMBERS:
        if math.prod(trace.tensors[call.takes[0]].shape) != size:
            return None
        call = trace.producer(call.takes[0])
    return call


def is_distribution(rows: np.ndarray) -> bool:
    """Whether every row (n, c) adds up to one and has no negative number.

    >>> is_distribution(np.array([[0.25, 0.75]])), is_distribution(np.array([[2.0, -1.0]]))
    (True, False)
    """
    return bool((rows >= 0).all() and np.allclose(rows.sum(axis=1), 1, atol=5e-3))


def to_probabilities(outputs: np.ndarray, squashed: bool = False) -> np.ndarray:
    """Outputs (n, …) as probabilities (n, c) float32: a softmax of those that are none.

    Args:
        outputs: of the model.
        squashed: they are known to be probabilities, though rows may not add up to one.

    >>> to_probabilities(np.array([[3.0, 3.0]])).tolist()
    [[0.5, 0.5]]
    """
    rows = outputs.reshape(len(outputs), -1).astype(np.float32)
    if squashed or is_distribution(rows):
        return rows
    raised = np.exp(rows - rows.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def ends_squashed(model: "keras.Model") -> bool:
    """Whether a model's last layer is, or ends in, a softmax or a sigmoid.

    Example::

        ends_squashed(clf.model)        # True
    """
    import keras

    if isinstance(model, keras.Model):
        if not hasattr(model, "operations"):
            return bool(getattr(model, "layers", None)) and ends_squashed(model.layers[-1])
        return ends_squashed(model.outputs[0]._keras_history.operation)
    return _squashes(model)


def log_odds(probabilities: np.ndarray, column: int) -> np.ndarray:
    """Natural logarithm (n,) of a class's probability over that of all others.

    As exact for a probability of 0.999999 as for one of 0.000001.

    >>> log_odds(np.array([[0.5, 0.5], [0.8, 0.2]]), 0).round(2).tolist()
    [0.0, 1.39]
    """
    own = probabilities[:, column].astype(np.float64)
    others = np.delete(probabilities, column, axis=1).sum(axis=1, dtype=np.float64)
    return np.log(np.maximum(own, _TINY)) - np.log(np.maximum(others, _TINY))


def _is_squashed_dense(call: Call) -> bool:
    return call.kind == "Dense" and _squashes(call.operation)


def _squashes(operation: "keras.Operation") -> bool:
    activation = getattr(getattr(operation, "activation", None), "__name__", "")
    return bool({type(operation).__name__, activation} & _SQUASHED)


def _linear(call: Call, values: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    layer = call.operation
    out = tf.matmul(tf.cast(values, "float32"), tf.cast(layer.kernel, "float32"))
    return out if layer.bias is None else out + tf.cast(layer.bias, "float32")


def _logits(probabilities: "tf.Tensor") -> "tf.Tensor":
    import tensorflow as tf

    logs = tf.math.log(tf.maximum(probabilities, _TINY))
    return logs - tf.reduce_mean(logs, axis=1, keepdims=True)
