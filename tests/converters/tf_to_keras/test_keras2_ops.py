"""TensorFlow functions inside Keras 2 models: op layers of 2.4 and later, graph nodes before."""

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from converters.errors import UnsupportedError
from converters.tf_to_keras.keras2 import keras2_to_keras
from converters.tf_to_keras.keras2.build import build
from converters.tf_to_keras.keras2.parse import parse
from tests.converters.tf_to_keras.keras2_nets import (
    assert_equal_answers,
    assert_round_trip,
    inputs,
    saved,
)

tk = pytest.importorskip("tf_keras")
tf = pytest.importorskip("tensorflow")


def arithmetic(x: Any, y: Any) -> list[Any]:
    positive = abs(x) + 1.0
    return [
        x + y,
        x - y,
        x * y,
        x / y,
        x // positive,
        x**2,
        2.0 - x,
        1 / positive,
        -x,
        tf.maximum(x, 0.1),
        tf.minimum(x, y),
        tf.math.squared_difference(x, y),
        x * [1.0, 2, 3, 4, 5, 6, 7, 8],
        tf.nn.bias_add(x, [1.0, 2, 3, 4, 5, 6, 7, 8]),
        tf.exp(x),
        tf.math.log(positive),
        tf.sqrt(positive),
        tf.math.rsqrt(positive),
        tf.math.reciprocal(positive),
        tf.square(x),
        tf.sign(x),
        tf.floor(x),
        tf.round(x),
        tf.sin(x),
        tf.math.erf(x),
        tf.clip_by_value(x, -0.5, 0.5),
        tf.where(tf.logical_and(x > 0, y < 0.5), x, y * 2),
        tf.linalg.matmul(x, y, transpose_b=True),
        tf.matmul(x, np.eye(8, 3).astype("float32")),
        tf.math.l2_normalize(x, axis=-1),
    ]


def activations(x: Any, y: Any) -> list[Any]:
    return [
        tf.nn.relu(x),
        tf.nn.relu6(x * 4),
        tf.nn.elu(x),
        tf.nn.selu(x),
        tf.nn.silu(x),
        tf.nn.softplus(x),
        tf.nn.gelu(x),
        tf.nn.gelu(x, approximate=True),
        tf.nn.leaky_relu(x),
        tf.nn.leaky_relu(x, alpha=0.4),
        tf.nn.softmax(x),
        tf.nn.softmax(x, axis=1),
        tf.nn.log_softmax(x),
        tf.sigmoid(x),
        tf.tanh(y),
    ]


def reductions(x: Any, y: Any) -> list[Any]:
    return [
        tf.reduce_mean(x, [1, 2]),
        tf.reduce_sum(x, -1, keepdims=True),
        tf.reduce_max(x, axis=2),
        tf.reduce_min(y, axis=2),
        tf.reduce_prod(x, axis=1),
        tf.math.reduce_std(x, axis=1),
        tf.math.reduce_variance(x, axis=[1]),
        tf.reduce_logsumexp(x, axis=1),
        tf.cast(tf.argmax(x, axis=-1), "float32"),
        tf.one_hot(tf.cast(tf.argmax(y, axis=-1), "int32"), 8),
        tf.cumsum(x, axis=1),
        tk.backend.mean(x, axis=1),
        tk.backend.batch_dot(tf.reshape(x, [-1, 24, 8]), tf.reshape(y, [-1, 8, 24])),
    ]


def shapes(x: Any, y: Any) -> list[Any]:
    batch = tf.shape(x)[0]
    first, *_, last = tf.split(x, 4, axis=-1)
    return [
        tf.reshape(x, [-1, 24, 8]),
        tf.reshape(x, [batch, 48 * 4]),
        tf.reshape(x, (batch, tf.shape(x)[1] * tf.shape(x)[2], 8)),
        tf.expand_dims(x, 1),
        tf.squeeze(x[:, :1], axis=[1]),
        tf.transpose(x, [0, 3, 1, 2]),
        tf.concat([x, y, x], 3),
        tf.stack([x, y], axis=2),
        tf.tile(x, [1, 2, 1, 1]),
        tf.reverse(x, [2]),
        tf.repeat(x, 3, axis=1),
        tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]]),
        tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], constant_values=3.0),
        tf.pad(x, [[0, 0], [1, 2], [0, 1], [0, 0]], "REFLECT"),
        first,
        last,
        tf.split(x, [1, 3, 4], axis=-1)[1],
        tf.unstack(x, axis=1)[2],
        x[:, 1:-1],
        x[:, ::2, 1],
        x[:, None],
        tf.gather(x, [2, 0], axis=1),
        tf.cast(tf.cast(x, "int32"), "float32"),
        tf.image.resize(x, (3, 9)),
        tf.image.resize(x, [9, 9], method="nearest"),
        tf.nn.depth_to_space(x, 2),
        tf.nn.space_to_depth(x, 2),
    ]


@pytest.mark.parametrize("suffix", [".h5", ".keras"])
@pytest.mark.parametrize("family", [arithmetic, activations, reductions, shapes])
def test_functions_answer_as_in_tensorflow(family: Any, suffix: str, tmp_path: Path) -> None:
    one, two = tk.Input((6, 4, 8)), tk.Input((6, 4, 8))
    source = tk.Model([one, two], family(one, two))
    model = keras2_to_keras(saved(source, tmp_path, suffix))
    assert_equal_answers(source, model)
    assert_round_trip(model, inputs(source), tmp_path)


def test_all_unknown_functions_are_told_at_once(tmp_path: Path) -> None:
    given = tk.Input((6, 4, 8))
    outputs = [
        tf.nn.lrn(given),
        tf.signal.fft(tf.cast(given, "complex64")),
        tf.math.top_k(given)[0],
    ]
    with pytest.raises(UnsupportedError) as caught:
        keras2_to_keras(saved(tk.Model(given, outputs), tmp_path, ".h5"))
    assert set(caught.value.operators) == {"tf.nn.local_response_normalization", "tf.signal.fft",
                                           "tf.math.top_k"}  # fmt: skip


def node(op: str, constants: dict[str, Any], **attributes: Any) -> dict[str, Any]:
    """A TensorFlowOpLayer's entry, as TensorFlow 2.0 to 2.3 wrote it."""
    definition = {"name": op, "op": op, "input": [], "attr": attributes}
    config = {"name": op, "node_def": json.dumps(definition), "constants": constants}
    name = f"tf_op_layer_{op}"
    return {
        "class_name": "TensorFlowOpLayer",
        "name": name,
        "config": config | {"trainable": True, "dtype": "float32"},
        "inbound_nodes": [[["x", 0, 0, {}]]],
    }


SLICE_MASKS = {"begin_mask": {"i": "1"}, "end_mask": {"i": "1"}, "shrink_axis_mask": {"i": "4"}}
X = np.random.default_rng(0).normal(size=(3, 6, 4, 8)).astype(np.float32)


@pytest.mark.parametrize(
    ("entry", "wanted"),
    [
        (node("AddV2", {"1": 2.5}), X + 2.5),
        (node("Sub", {"0": 1.0}), 1 - X),
        (node("Mul", {"1": [1.0] * 7 + [2.0]}), X * np.array([1.0] * 7 + [2.0])),
        (node("Relu6", {}), np.clip(X, 0, 6)),
        (node("Mean", {"1": [1, 2]}, keep_dims={"b": True}), X.mean((1, 2), keepdims=True)),
        (node("Max", {"1": 3}), X.max(3)),
        (node("Reshape", {"1": [-1, 24, 8]}), X.reshape(3, 24, 8)),
        (node("Transpose", {"1": [0, 3, 1, 2]}), X.transpose(0, 3, 1, 2)),
        (node("ConcatV2", {"1": np.ones((3, 6, 4, 1)).tolist(), "2": 3}, N={"i": "2"}),
         np.concatenate([X, np.ones((3, 6, 4, 1))], 3)),
        (node("LeakyRelu", {}, alpha={"f": 0.3}), np.where(X > 0, X, 0.3 * X)),
        (node("Pad", {"1": [[0, 0], [1, 0], [0, 2], [0, 0]]}),
         np.pad(X, [(0, 0), (1, 0), (0, 2), (0, 0)])),
        (node("StridedSlice", {"1": [0, 1, 2], "2": [0, 5, 3], "3": [1, 2, 1]}, **SLICE_MASKS),
         X[:, 1:5:2, 2]),
        (node("Cast", {}, DstT={"type": "DT_INT32"}), X.astype(np.int32)),
        (node("Pack", {}, axis={"i": "1"}), X[:, None]),
    ],
    ids=lambda value: value["config"]["name"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_graph_node_answers_as_in_numpy(entry: dict[str, Any], wanted: np.ndarray) -> None:
    given = {"batch_input_shape": [None, 6, 4, 8], "dtype": "float32", "name": "x"}
    first = {"class_name": "InputLayer", "name": "x", "config": given, "inbound_nodes": []}
    config = {
        "name": "net",
        "layers": [first, entry],
        "input_layers": [["x", 0, 0]],
        "output_layers": [[entry["name"], 0, 0]],
    }
    model, _ = build(parse({"class_name": "Model", "config": config}), 0)
    found = np.asarray(model(X, training=False))
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() <= 1e-6 * np.abs(wanted).max()
    assert isinstance(model, keras.Model)
