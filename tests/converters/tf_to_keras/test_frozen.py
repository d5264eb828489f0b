"""Frozen graphs: a `.pb` file whose weights are constants."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from converters.errors import ReadError, UnsafeFileError
from converters.report import import_report
from converters.tf_to_keras.graphs import graph_to_keras, graph_to_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("tf2onnx")

SIZE = (9, 7, 3)


@pytest.fixture(scope="module")
def graph() -> tf.compat.v1.GraphDef:
    """Convolution, BatchNorm, classifier; the weights are constants as freezing leaves them."""
    rng = np.random.default_rng(1)

    def constant(name: str, *shape: int, positive: bool = False) -> tf.Tensor:
        values = rng.normal(0, 0.5, shape).astype("f")
        return tf.constant(np.abs(values) + 0.5 if positive else values, name=name)

    with tf.Graph().as_default() as made:
        x = tf.compat.v1.placeholder(tf.float32, (None, *SIZE), "picture")
        out = tf.nn.conv2d(x, constant("stem/kernel", 3, 3, 3, 6), 2, "SAME", name="stem/Conv2D")
        out, _, _ = tf.compat.v1.nn.fused_batch_norm(
            out, constant("norm/gamma", 6), constant("norm/beta", 6),
            constant("norm/moving_mean", 6), constant("norm/moving_variance", 6, positive=True),
            epsilon=0.01, is_training=False, name="norm/FusedBatchNorm",
        )  # fmt: skip
        out = tf.reduce_mean(tf.nn.relu6(out), [1, 2])
        out = tf.linalg.matmul(out, constant("head/kernel", 6, 4)) + constant("head/bias", 4)
        tf.nn.softmax(out, name="scores")
    return made.as_graph_def()


@pytest.fixture
def path(graph: tf.compat.v1.GraphDef, tmp_path: Path) -> Path:
    file = tmp_path / "frozen.pb"
    file.write_bytes(graph.SerializeToString())
    return file


def answers(graph: tf.compat.v1.GraphDef, x: np.ndarray) -> np.ndarray:
    with tf.Graph().as_default() as room, tf.compat.v1.Session(graph=room) as session:
        tf.import_graph_def(graph, name="")
        return session.run("scores:0", {"picture:0": x})


def test_model_agrees_and_keeps_its_layers(graph: tf.compat.v1.GraphDef, path: Path) -> None:
    x = np.random.default_rng(2).normal(size=(3, *SIZE)).astype("f")
    expected = answers(graph, x)
    assert np.ptp(expected) > 0.01
    model = graph_to_keras(path)
    assert np.allclose(np.asarray(model(x, training=False)), expected, atol=1e-6)
    norm = model.get_layer("norm")
    assert norm.epsilon == pytest.approx(0.01)
    assert len(norm.non_trainable_variables) == 2
    assert {"stem", "head"} <= {layer.name for layer in model.layers}


def test_names_of_weights_and_ends(path: Path) -> None:
    proto = graph_to_onnx(path)
    names = {tensor.name for tensor in proto.graph.initializer}
    assert {"stem.weight", "norm.running_var", "head.weight", "head.bias"} <= names
    assert [value.name for value in proto.graph.input] == ["picture"]
    assert [value.name for value in proto.graph.output] == ["scores"]


def test_unknown_sizes_can_be_given(graph: tf.compat.v1.GraphDef, tmp_path: Path) -> None:
    loose = tf.compat.v1.GraphDef()
    loose.CopyFrom(graph)
    shape = next(n for n in loose.node if n.name == "picture").attr["shape"].shape
    for axis in (1, 2):
        shape.dim[axis].size = -1
    file = tmp_path / "loose.pb"
    file.write_bytes(loose.SerializeToString())
    x = np.random.default_rng(2).normal(size=(2, 5, 6, 3)).astype("f")
    model = graph_to_keras(file, input_shapes={"picture": (None, 5, 6, 3)})
    assert np.allclose(np.asarray(model(x, training=False)), answers(loose, x), atol=1e-6)


def test_reaching_operators_are_refused(graph: tf.compat.v1.GraphDef, tmp_path: Path) -> None:
    bad = tf.compat.v1.GraphDef()
    bad.CopyFrom(graph)
    bad.node.add(name="file", op="ReadFile", input=["name"])
    file = tmp_path / "bad.pb"
    file.write_bytes(bad.SerializeToString())
    with pytest.raises(UnsafeFileError, match="ReadFile"):
        graph_to_onnx(file)


def test_variables_are_told_from_constants(tmp_path: Path) -> None:
    loose = tf.compat.v1.GraphDef()
    loose.node.add(name="weight", op="VarHandleOp")
    file = tmp_path / "loose.pb"
    file.write_bytes(loose.SerializeToString())
    with pytest.raises(ReadError, match="Freeze it"):
        graph_to_onnx(file)


@pytest.mark.parametrize("content", [b"", b"\xff" * 40, b"not a graph at all"])
def test_what_is_no_graph_is_a_read_error(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "broken.pb"
    file.write_bytes(content)
    with pytest.raises(ReadError):
        graph_to_onnx(file)


def test_report_names_the_file_and_its_kind(path: Path) -> None:
    report = import_report(graph_to_keras(path))
    assert (report.source, report.kind) == ("frozen.pb", "frozen graph")
    assert report.counts.batch_norms == 1
