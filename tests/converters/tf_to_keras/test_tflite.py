"""TensorFlow Lite files as a whole: quantised, with metadata, damaged, unsupported."""

import io
import json
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf
from onnx import numpy_helper
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from converters.errors import ConversionError, ReadError, UnsupportedError
from converters.tf_to_keras.graphs import graph_to_keras, graph_to_onnx
from converters.tf_to_keras.tflite.convert import tflite_to_onnx
from converters.tf_to_keras.tflite.names import layer_name
from converters.tf_to_keras.tflite.read import read_network

onnxruntime = pytest.importorskip("onnxruntime")
litert = pytest.importorskip("ai_edge_litert.interpreter")


LAYERS = ("stem", "depth", "point", "dense")


def pictures(count: int, seed: int = 0) -> np.ndarray:
    """(count, 11, 9, 3) in [-1, 1], smooth so that a network's answers differ."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (count, 11, 9, 3)).astype("f")


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """A small picture network, asymmetric in every size, with BatchNorm to fold."""
    keras.backend.clear_session()  # names in the file count what the process has built before
    image = keras.Input((11, 9, 3), name="image")
    out = keras.layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(image)
    out = keras.layers.BatchNormalization(name="norm")(out)
    out = keras.layers.ReLU(6.0)(out)
    out = keras.layers.DepthwiseConv2D(3, padding="same", name="depth")(out)
    out = keras.layers.ReLU(6.0)(out)
    out = keras.layers.Conv2D(8, 1, name="point")(out)
    out = keras.layers.Flatten()(out)
    model = keras.Model(image, keras.layers.Dense(5, name="head")(out))
    rng = np.random.default_rng(3)
    for weight in model.weights:
        values = rng.normal(0, 0.4, weight.shape)
        weight.assign(np.abs(values) + 0.5 if "variance" in weight.path else values)
    return model


@pytest.fixture(scope="module")
def files(network: keras.Model) -> dict[str, bytes]:
    """The network as float, float16, dynamic range and fully quantised files."""
    run = tf.function(lambda image: network(image, training=False))
    traced = run.get_concrete_function(tf.TensorSpec((1, 11, 9, 3), tf.float32, name="image"))
    traced = convert_variables_to_constants_v2(traced)

    def convert(**settings: object) -> bytes:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
        for name, value in settings.items():
            setattr(converter, name, value)
        return converter.convert()

    def calibration():
        for picture in pictures(40, seed=1):
            yield [picture[None]]

    small = [tf.lite.Optimize.DEFAULT]
    half = tf.lite.TargetSpec(supported_types=[tf.float16])
    whole = tf.lite.TargetSpec(supported_ops=[tf.lite.OpsSet.TFLITE_BUILTINS_INT8])
    return {
        "float": convert(),
        "float16": convert(optimizations=small, target_spec=half),
        "dynamic": convert(optimizations=small),
        "int8": convert(
            optimizations=small, representative_dataset=calibration, target_spec=whole,
            inference_input_type=tf.int8, inference_output_type=tf.int8,
        ),
        "uint8": convert(
            optimizations=small, representative_dataset=calibration, target_spec=whole,
            inference_input_type=tf.uint8, inference_output_type=tf.uint8,
        ),
    }  # fmt: skip


def run(proto: onnx.ModelProto, array: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return session.run(None, {session.get_inputs()[0].name: array})[0]


def weights(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


@pytest.mark.parametrize(
    ("kind", "tolerance"),
    [("float", 1e-6), ("float16", 2e-3), ("dynamic", 0.02), ("int8", 0.06), ("uint8", 0.06)],
)
def test_every_precision_gives_the_answers_of_the_network(
    network: keras.Model, files: dict[str, bytes], kind: str, tolerance: float
) -> None:
    proto = tflite_to_onnx(files[kind])
    onnx.checker.check_model(proto, full_check=True)
    x = pictures(6)
    expected = np.asarray(network(x, training=False))
    found = run(proto, x)
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() / np.abs(expected).max() < tolerance


@pytest.mark.parametrize("kind", ["float", "float16", "dynamic", "int8", "uint8"])
def test_weights_and_ends_are_float32(files: dict[str, bytes], kind: str) -> None:
    proto = tflite_to_onnx(files[kind])
    types = {value.dtype for value in weights(proto).values()}
    assert types == {np.dtype(np.float32)}
    for value in (*proto.graph.input, *proto.graph.output):
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_quantised_weights_are_within_half_a_step(files: dict[str, bytes]) -> None:
    whole, stepped = weights(tflite_to_onnx(files["float"])), weights(tflite_to_onnx(files["int8"]))
    kernels = [
        sorted((w for w in one.values() if w.ndim == 4), key=lambda w: w.shape)
        for one in (whole, stepped)
    ]
    for real, rounded in zip(*kernels, strict=True):
        step = np.abs(real).max((1, 2, 3), keepdims=True) / 127
        assert np.all(np.abs(real - rounded) <= step * 0.51)


def test_keras_model_agrees_and_trains(
    network: keras.Model, files: dict[str, bytes], tmp_path: Path
) -> None:
    path = tmp_path / "net.tflite"
    path.write_bytes(files["float"])
    model = graph_to_keras(path)
    x = pictures(3)
    expected = np.asarray(network(x, training=False))
    assert np.allclose(np.asarray(model(x, training=False)), expected, atol=1e-5)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.square(model(x, training=True)))
    gradients = tape.gradient(loss, model.trainable_variables)
    assert len(gradients) == 8
    assert all(gradient is not None and np.any(gradient) for gradient in gradients)
    assert not [layer for layer in model.layers if isinstance(layer, keras.layers.Permute)]


def range_only(kind: str) -> bytes:
    """A uint8 network whose activation is told by nothing but the range of its result."""
    from tensorflow.lite.python import schema_py_generated as schema

    data = Path(kind).read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    for one in model.subgraphs[0].operators:
        if hasattr(one.builtinOptions, "fusedActivationFunction"):
            one.builtinOptions.fusedActivationFunction = 0
    import flatbuffers

    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_range_from_zero_to_six_is_a_relu6(files: dict[str, bytes], tmp_path: Path) -> None:
    """TOCO drops the activation of a quantised layer: rounding to the range clamps anyway."""
    path = tmp_path / "net.tflite"
    path.write_bytes(files["int8"])
    told, implied = tflite_to_onnx(files["int8"]), tflite_to_onnx(range_only(str(path)))
    x = pictures(4)
    assert np.abs(run(told, x) - run(implied, x)).max() <= 1e-5


def test_layers_have_their_names(files: dict[str, bytes]) -> None:
    """The file lost the name of the last layer, whose tensors are called after the output."""
    names = set(weights(tflite_to_onnx(files["float"])))
    assert names == {f"{layer}.{kind}" for layer in LAYERS for kind in ("weight", "bias")}


@pytest.mark.parametrize(
    ("tensor", "layer"),
    [
        ("MobilenetV1/Conv2d_0/weights", "MobilenetV1.Conv2d_0"),
        ("a/sep/BatchNorm/FusedBatchNormV3;a/sep/depthwise", "a.sep"),
        (
            "V2/expanded_conv/depthwise/weights_quant/FakeQuantWithMinMaxVars",
            "V2.expanded_conv.depthwise",
        ),
        ("Logits/Conv2d_1c_1x1/biases1", "Logits.Conv2d_1c_1x1"),
        ("sequential/conv2d_1/Conv2D", "conv2d_1"),
        ("functional_1/conv2d_2_1/convolution", "conv2d_2"),
        ("arith.constant3", "m.dense"),
    ],
)
def test_layer_name_drops_operators(tensor: str, layer: str) -> None:
    assert layer_name(tensor, "m/dense/MatMul;x") == layer


def test_unknown_operators_come_all_at_once(tmp_path: Path) -> None:
    traced = tf.function(
        lambda x: tf.atan2(x, x + 2) + tf.cast(tf.bitcast(x, tf.int32), tf.float32)
    )
    spec = traced.get_concrete_function(tf.TensorSpec((1, 4), tf.float32))
    data = tf.lite.TFLiteConverter.from_concrete_functions([spec], tf.Module()).convert()
    with pytest.raises(UnsupportedError, match="ATAN2") as caught:
        tflite_to_onnx(data)
    assert set(caught.value.operators) == {"ATAN2", "BITCAST"}
    proto = tflite_to_onnx(data, ops=("ATAN2", "BITCAST"))
    assert sorted(n.op_type for n in proto.graph.node if n.domain == "tflite") == [
        "ATAN2",
        "BITCAST",
    ]


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 64, b"\x10\0\0\0TFL3" + b"\xff" * 200])
def test_what_is_no_tflite_file_is_a_read_error(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ReadError):
        graph_to_onnx(path)


def test_mutated_files_give_a_network_or_our_own_error(files: dict[str, bytes]) -> None:
    rng = np.random.default_rng(11)
    start, outcomes = time.monotonic(), {"fine": 0, "refused": 0}
    for round_ in range(150):
        data = bytearray(files["int8" if round_ % 2 else "float"])
        if round_ % 5 == 0:
            del data[int(rng.integers(8, len(data))) :]
        for _ in range(int(rng.integers(1, 12))):
            place = int(rng.integers(8, len(data)))
            data[place] = int(rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.integers(0, 256)]))
        try:
            tflite_to_onnx(bytes(data))
            outcomes["fine"] += 1
        except ConversionError:
            outcomes["refused"] += 1
    assert outcomes["refused"] > 20
    assert time.monotonic() - start < 60


def test_damaged_labels_do_not_matter(files: dict[str, bytes]) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("labels.txt", "a\nb")
    proto = tflite_to_onnx(files["float"] + archive.getvalue())
    assert "converters.labels" not in {entry.key for entry in proto.metadata_props}


def test_uint8_input_says_how_pixels_are_scaled(files: dict[str, bytes]) -> None:
    """The network takes pixels: its own scale is the preprocessing, (pixel - mean) / std."""
    proto = tflite_to_onnx(files["uint8"])
    said = json.loads({e.key: e.value for e in proto.metadata_props}["converters.preprocessing"])
    detail = read_network(files["uint8"]).tensors[read_network(files["uint8"]).inputs[0]]
    assert detail.quantisation is not None
    pixel = 200.0
    real = (pixel - detail.quantisation.zero_points[0]) * detail.quantisation.scales[0]
    assert len(said["mean"]) == len(said["std"]) == 3
    assert (pixel - said["mean"][0]) / said["std"][0] == pytest.approx(real, rel=1e-5)
