"""SavedModel folders: real layers, BatchNorm kept, nothing of them run."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

from converters.errors import ConversionError, ReadError, UnsafeFileError, UnsupportedError
from converters.tf_to_keras.graphs import graph_to_keras, graph_to_onnx
from converters.tf_to_keras.graphs.source.read import read_saved_model

onnxruntime = pytest.importorskip("onnxruntime")
tf2onnx = pytest.importorskip("tf2onnx")
tf_keras = pytest.importorskip("tf_keras")

SIZE = (11, 7, 3)


def draw(model: keras.Model, seed: int = 2) -> keras.Model:
    """The model with weights that tell its layers apart; variances are positive."""
    rng = np.random.default_rng(seed)
    drawn = [rng.normal(0, 0.4, weight.shape) for weight in model.get_weights()]
    names = [getattr(weight, "path", weight.name) for weight in model.weights]
    model.set_weights(
        [np.abs(w) + 0.5 if "variance" in name else w for w, name in zip(drawn, names, strict=True)]
    )
    return model


def build(maker) -> keras.Model:
    """The same network by Keras 2 or Keras 3."""
    layers = maker.layers
    image = maker.Input(SIZE, name="image")
    out = layers.Conv2D(6, 3, strides=2, padding="same", use_bias=False, name="conv1")(image)
    out = layers.BatchNormalization(name="bn1", epsilon=1e-2)(out)
    out = layers.ReLU(6.0, name="relu1")(out)
    out = layers.DepthwiseConv2D(3, padding="same", name="depth")(out)
    out = layers.SeparableConv2D(5, 3, padding="same", name="separable")(out)
    out = layers.Activation("swish", name="swish")(out)
    out = layers.GlobalAveragePooling2D(name="pool")(out)
    out = layers.Dense(7, activation="relu", name="hidden")(out)
    out = layers.BatchNormalization(name="bn2")(out)
    return draw(maker.Model(image, layers.Dense(4, activation="softmax", name="scores")(out)))


@pytest.fixture(scope="module")
def keras3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras3") / "1"
    build(keras).export(folder, verbose=False)
    return folder


@pytest.fixture(scope="module")
def keras2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keras2") / "1"
    build(tf_keras).save(folder)
    return folder


def answers(folder: Path, *arrays: np.ndarray) -> list[np.ndarray]:
    """What TensorFlow itself answers."""
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    names = sorted(signature.structured_input_signature[1])
    found = signature(**{n: tf.constant(a) for n, a in zip(names, arrays, strict=True)})
    return [value.numpy() for _, value in sorted(found.items())]


def by_onnx(proto: onnx.ModelProto, *arrays: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = [value.name for value in session.get_inputs()]
    return session.run(None, dict(zip(names, arrays, strict=True)))


def pictures(count: int = 3) -> np.ndarray:
    return np.random.default_rng(4).normal(size=(count, *SIZE)).astype("f")


def names(proto: onnx.ModelProto) -> set[str]:
    return {tensor.name for tensor in proto.graph.initializer}


@pytest.mark.parametrize("kind", ["keras2", "keras3"])
def test_graph_agrees_and_keeps_batch_norm_and_names(
    kind: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(kind)
    proto = graph_to_onnx(folder)
    onnx.checker.check_model(proto, full_check=True)
    x = pictures()
    (expected,) = answers(folder, x)
    assert np.ptp(expected) > 1e-3
    (found,) = by_onnx(proto, x)
    assert np.allclose(found, expected, atol=1e-6)
    operators = [node.op_type for node in proto.graph.node]
    assert operators.count("BatchNormalization") == 2
    assert {"conv1.weight", "bn1.running_mean", "bn2.weight", "scores.bias"} <= names(proto)
    assert {"depth.weight", "separable.depthwise.weight"} <= names(proto)
    assert [value.name for value in proto.graph.input] == ["image"]


@pytest.mark.parametrize("kind", ["keras2", "keras3"])
def test_model_has_layers_that_agree(kind: str, request: pytest.FixtureRequest) -> None:
    folder = request.getfixturevalue(kind)
    model = graph_to_keras(folder)
    x = pictures()
    assert np.allclose(np.asarray(model(x, training=False)), answers(folder, x)[0], atol=1e-6)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("BatchNormalization") == 2
    assert model.get_layer("bn1").epsilon == pytest.approx(1e-2)
    assert isinstance(model.get_layer("conv1"), keras.layers.Conv2D)
    assert not isinstance(model.get_layer("scores"), keras.layers.Conv2D)


def test_keras2_layers_come_from_the_config(keras2: Path) -> None:
    model = graph_to_keras(keras2)
    assert isinstance(model.get_layer("separable"), keras.layers.SeparableConv2D)
    assert [layer.name for layer in model.layers][1:4] == ["conv1", "bn1", "relu1"]


@pytest.mark.slow
def test_recurrent_keras2_layers_come_from_the_config(tmp_path: Path) -> None:
    steps = tf_keras.Input((6, 3), name="steps")
    out = tf_keras.layers.LSTM(5, return_sequences=True, name="first")(steps)
    out = tf_keras.layers.Bidirectional(tf_keras.layers.GRU(4), name="both")(out)
    draw(tf_keras.Model(steps, tf_keras.layers.Dense(2, name="end")(out))).save(tmp_path / "1")
    model = graph_to_keras(tmp_path / "1")
    x = np.random.default_rng(5).normal(size=(2, 6, 3)).astype("f")
    assert np.allclose(
        np.asarray(model(x, training=False)), answers(tmp_path / "1", x)[0], atol=1e-5
    )
    assert isinstance(model.get_layer("first"), keras.layers.LSTM)


def test_loops_that_read_weights_are_refused_by_name(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((6, 3)), keras.layers.LSTM(5)])
    model.export(tmp_path / "1", verbose=False)
    with pytest.raises(UnsupportedError, match=r"\.keras or \.h5"):
        graph_to_onnx(tmp_path / "1")


class Plain(tf.Module):
    """A module without Keras, its biases added by +."""

    def __init__(self) -> None:
        super().__init__()
        rng = np.random.default_rng(6)
        self.kernel = tf.Variable(rng.normal(size=(3, 3, 3, 5)).astype("f"), name="stem/kernel")
        self.bias = tf.Variable(rng.normal(size=5).astype("f"), name="stem/bias")
        self.counter = tf.Variable(2.0, trainable=False, name="scale")
        self.end = tf.Variable(rng.normal(size=(5, 4)).astype("f"), name="end/kernel")

    @tf.function(input_signature=[tf.TensorSpec((None, *SIZE), tf.float32)])
    def __call__(self, x):
        out = tf.nn.relu(tf.nn.conv2d(x, self.kernel, 2, "SAME") + self.bias) * self.counter
        pooled = tf.reduce_mean(out, [1, 2])
        return {"scores": pooled @ self.end, "pooled": pooled}


def test_module_with_two_outputs(tmp_path: Path) -> None:
    module = Plain()
    tf.saved_model.save(module, str(tmp_path / "1"), signatures=module.__call__)
    proto = graph_to_onnx(tmp_path / "1")
    x = pictures()
    for expected, found in zip(answers(tmp_path / "1", x), by_onnx(proto, x), strict=True):
        assert np.allclose(expected, found, atol=1e-5)
    assert {"stem.weight", "stem.bias", "end.weight"} <= names(proto)
    assert [value.name for value in proto.graph.output] == ["pooled", "scores"]
    assert any(len(node.input) == 3 for node in proto.graph.node if node.op_type == "Conv")


def test_first_format_of_tensorflow(tmp_path: Path) -> None:
    """Variables without objects: names and values come from the restoring nodes."""
    rng = np.random.default_rng(7)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        x = tf.compat.v1.placeholder(tf.float32, (None, *SIZE), "x")
        kernel = tf.compat.v1.get_variable(
            "conv/kernel", initializer=rng.normal(size=(3, 2, 3, 5)).astype("f"), use_resource=False
        )
        bias = tf.compat.v1.get_variable(
            "conv/bias", initializer=rng.normal(size=5).astype("f"), use_resource=True
        )
        y = tf.identity(tf.nn.bias_add(tf.nn.conv2d(x, kernel, 1, "VALID"), bias), "y")
        session.run(tf.compat.v1.global_variables_initializer())
        builder = tf.compat.v1.saved_model.builder.SavedModelBuilder(str(tmp_path / "1"))
        signature = tf.compat.v1.saved_model.signature_def_utils.predict_signature_def(
            {"x": x}, {"y": y}
        )
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    proto = graph_to_onnx(tmp_path / "1")
    x = pictures()
    assert np.allclose(answers(tmp_path / "1", x)[0], by_onnx(proto, x)[0], atol=1e-5)
    assert names(proto) >= {"weight", "bias"} or names(proto) >= {"conv.weight", "conv.bias"}


def write(folder: Path, function: Callable[..., tf.Tensor]) -> Path:
    module = tf.Module()
    module.run = tf.function(function, input_signature=[tf.TensorSpec((None, 4), tf.float32)])
    tf.saved_model.save(module, str(folder), signatures=module.run)
    return folder


def _reads(x):
    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def _writes(x):
    with tf.control_dependencies([tf.io.write_file("/tmp/never", "x")]):
        return x * 2


def _lists(x):
    return x + tf.cast(tf.size(tf.io.matching_files("/etc/*")), tf.float32)


def _calls(x):
    return tf.numpy_function(lambda value: value, [x], tf.float32)


def _calls_eagerly(x):
    return tf.py_function(lambda value: value, [x], tf.float32)


def _prints(x):
    with tf.control_dependencies([tf.print("seen")]):
        return x * 2


def _restores(x):
    return (
        x
        + tf.raw_ops.RestoreV2(
            prefix="/etc/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
        )[0]
    )


def _maps(x):
    return x + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[4], memory_region_name="/etc/x")


def _decodes(x):
    return x + tf.cast(tf.size(tf.raw_ops.EncodeProto(
        sizes=[[1]], values=[x[:1, :1]], field_names=["a"], message_type="m",
        descriptor_source="/etc/x")), tf.float32)  # fmt: skip


@pytest.mark.parametrize(
    "function",
    [_reads, _writes, _lists, _calls, _calls_eagerly, _prints, _restores, _maps, _decodes],
    ids=lambda function: function.__name__,
)
def test_reaching_operators_are_refused_and_not_run(
    function: Callable[..., tf.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "1", function)
    for door in ("saved_model.load", "import_graph_def"):
        room, _, name = door.rpartition(".")
        monkeypatch.setattr(
            tf.saved_model if room else tf, name, lambda *a, **k: pytest.fail("the graph was used")
        )
    with pytest.raises(UnsafeFileError, match="Nothing of it was run"):
        graph_to_onnx(folder)
    with pytest.raises(UnsafeFileError):
        graph_to_keras(folder)


def test_saver_may_not_be_used_as_an_excuse(keras3: Path, tmp_path: Path) -> None:
    """A checkpoint operator outside of the saver's functions is refused."""
    folder = shutil.copytree(keras3, tmp_path / "1")
    saved = SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    node = saved.meta_graphs[0].graph_def.node.add(name="extra", op="RestoreV2")
    node.attr["dtypes"].list.type.append(1)
    (folder / "saved_model.pb").write_bytes(saved.SerializeToString())
    with pytest.raises(UnsafeFileError, match="RestoreV2"):
        read_saved_model(folder)


def test_link_out_of_the_folder_is_refused(keras3: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(keras3, tmp_path / "1")
    data = next((folder / "variables").glob("variables.data-*"))
    shutil.move(data, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", data)
    with pytest.raises(UnsafeFileError, match="link"):
        graph_to_onnx(folder)


def test_missing_and_damaged_parts_are_read_errors(keras3: Path, tmp_path: Path) -> None:
    with pytest.raises(ReadError):
        graph_to_onnx(tmp_path / "nothing")
    bare = shutil.copytree(keras3, tmp_path / "1")
    shutil.rmtree(bare / "variables")
    with pytest.raises(ReadError, match="variables"):
        graph_to_onnx(bare)
    broken = shutil.copytree(keras3, tmp_path / "2")
    (broken / "saved_model.pb").write_bytes(b"\xff" * 50)
    with pytest.raises(ReadError):
        graph_to_onnx(broken)
    short = shutil.copytree(keras3, tmp_path / "3")
    data = next((short / "variables").glob("variables.data-*"))
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ReadError):
        graph_to_onnx(short)


def test_mutated_folders_give_a_network_or_our_own_error(keras3: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(keras3, tmp_path / "1")
    whole = {
        path: path.read_bytes() for path in folder.rglob("*") if path.suffix in (".pb", ".index")
    }
    rng = np.random.default_rng(9)
    refused = 0
    for _ in range(25):
        for path, content in whole.items():
            data = bytearray(content)
            for _ in range(int(rng.integers(0, 9))):
                data[int(rng.integers(0, len(data)))] = int(rng.integers(0, 256))
            path.write_bytes(bytes(data))
        try:
            graph_to_onnx(folder)
        except ConversionError:
            refused += 1
    assert refused > 5


def test_wrong_input_shapes_name_the_inputs(keras3: Path) -> None:
    with pytest.raises(ConversionError, match="image"):
        graph_to_onnx(keras3, input_shapes={"picture": (None, 3, 3, 3)})
