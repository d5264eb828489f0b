"""Operators of TensorFlow Lite: each written as ONNX, against TensorFlow Lite's interpreter."""

from collections.abc import Callable

import numpy as np
import onnx
import pytest
import tensorflow as tf

from converters.tf_to_keras.tflite.convert import tflite_to_onnx
from converters.tf_to_keras.tflite.read import read_network

litert = pytest.importorskip("ai_edge_litert.interpreter")
onnxruntime = pytest.importorskip("onnxruntime")

SEED = np.random.default_rng(5)
KERNEL = SEED.normal(size=(3, 2, 4, 6)).astype("f")
DEPTHWISE = SEED.normal(size=(3, 2, 4, 2)).astype("f")
VOLUME = SEED.normal(size=(2, 3, 2, 3, 5)).astype("f")
TABLE = SEED.normal(size=(9, 4)).astype("f")
PICTURE, ROWS, VECTOR = (1, 7, 5, 4), (1, 5, 4), (1, 6)

Function = Callable[..., tf.Tensor]


def to_file(function: Function, *shapes: tuple[int, ...], dtype: tf.DType = tf.float32) -> bytes:
    """The .tflite bytes of a function of arrays of these shapes."""
    traced = tf.function(function).get_concrete_function(
        *[tf.TensorSpec(shape, dtype, name=f"x{number}") for number, shape in enumerate(shapes)]
    )
    converter = tf.lite.TFLiteConverter.from_concrete_functions([traced], tf.Module())
    return converter.convert()


def by_interpreter(data: bytes, *arrays: np.ndarray) -> list[np.ndarray]:
    """Answers of the file's own runtime, one example after the other."""
    found = []
    for example in range(len(arrays[0])):
        interpreter = litert.Interpreter(model_content=data)
        interpreter.allocate_tensors()
        details = sorted(interpreter.get_input_details(), key=lambda detail: detail["name"])
        for detail, array in zip(details, arrays, strict=True):
            interpreter.set_tensor(detail["index"], array[example : example + 1])
        interpreter.invoke()
        found.append([interpreter.get_tensor(d["index"]) for d in interpreter.get_output_details()])
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


def by_onnx(proto: onnx.ModelProto, *arrays: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    names = sorted(value.name for value in session.get_inputs())
    return session.run(None, dict(zip(names, arrays, strict=True)))


def same(x: np.ndarray, y: np.ndarray, tolerance: float = 1e-5) -> None:
    assert x.shape == y.shape
    assert np.allclose(x, y, rtol=tolerance, atol=tolerance), float(np.abs(x - y).max())


CASES: dict[str, tuple[Function, tuple[tuple[int, ...], ...]]] = {
    "conv_same_stride": (lambda x: tf.nn.conv2d(x, KERNEL, (2, 3), "SAME"), (PICTURE,)),
    "conv_valid_relu": (lambda x: tf.nn.relu(tf.nn.conv2d(x, KERNEL, 1, "VALID")), (PICTURE,)),
    "conv_dilated": (lambda x: tf.nn.conv2d(x, KERNEL, 1, "SAME", dilations=(2, 3)), (PICTURE,)),
    "conv_bias_relu6": (
        lambda x: tf.nn.relu6(tf.nn.conv2d(x, KERNEL, 1, "SAME") + np.arange(6, dtype="f")),
        (PICTURE,),
    ),
    "depthwise": (lambda x: tf.nn.depthwise_conv2d(x, DEPTHWISE, [1, 2, 2, 1], "SAME"), (PICTURE,)),
    "conv_transpose_same": (
        lambda x: tf.nn.conv2d_transpose(
            x, KERNEL.transpose(0, 1, 3, 2), (1, 13, 10, 6), (2, 2), "SAME"
        ),
        (PICTURE,),
    ),
    "conv_transpose_valid": (
        lambda x: tf.nn.conv2d_transpose(
            x, KERNEL.transpose(0, 1, 3, 2), (1, 21, 15, 6), (3, 3), "VALID"
        ),
        (PICTURE,),
    ),
    "conv_3d": (lambda x: tf.nn.conv3d(x, VOLUME, [1, 1, 2, 1, 1], "SAME"), ((1, 4, 6, 5, 3),)),
    "average_pool": (lambda x: tf.nn.avg_pool2d(x, (3, 2), (2, 2), "SAME"), (PICTURE,)),
    "max_pool": (lambda x: tf.nn.max_pool2d(x, (3, 2), (2, 1), "SAME"), (PICTURE,)),
    "resize_bilinear": (
        lambda x: tf.compat.v1.image.resize_bilinear(x, (11, 8), half_pixel_centers=True),
        (PICTURE,),
    ),
    "resize_aligned": (
        lambda x: tf.compat.v1.image.resize_bilinear(x, (11, 8), align_corners=True),
        (PICTURE,),
    ),
    "resize_nearest": (
        lambda x: tf.compat.v1.image.resize_nearest_neighbor(x, (11, 8), half_pixel_centers=True),
        (PICTURE,),
    ),
    "depth_to_space": (lambda x: tf.nn.depth_to_space(x, 2), (PICTURE,)),
    "space_to_depth": (lambda x: tf.nn.space_to_depth(x, 2), ((1, 6, 4, 3),)),
    "space_to_batch_and_back": (
        lambda x: tf.batch_to_space(
            tf.sin(tf.space_to_batch(x, (2, 3), [[1, 0], [0, 1]])), (2, 3), [[0, 1], [1, 0]]
        ),
        (PICTURE,),
    ),
    "lrn": (lambda x: tf.nn.local_response_normalization(x, 1, 1.5, 0.3, 0.6), (PICTURE,)),
    "prelu": (lambda x: tf.maximum(x, 0) + TABLE[:1] * tf.minimum(x, 0), (PICTURE,)),
    "leaky_relu": (lambda x: tf.nn.leaky_relu(x, 0.3), (PICTURE,)),
    "gelu": (lambda x: tf.nn.gelu(x), (ROWS,)),
    "gelu_tanh": (lambda x: tf.nn.gelu(x, approximate=True), (ROWS,)),
    "hard_swish": (lambda x: x * tf.nn.relu6(x + 3) / 6, (PICTURE,)),
    "elu_softplus": (lambda x: tf.nn.elu(x) + tf.math.log(tf.exp(x) + 1), (ROWS,)),
    "rsqrt_square": (lambda x: tf.math.rsqrt(x * x + 1) - tf.square(x), (ROWS,)),
    "floor_division": (lambda x: tf.math.floordiv(x, 0.7) + tf.math.floormod(x, 0.7), (ROWS,)),
    "select": (lambda x: tf.where(x > 0.2, x, -x * 3), (ROWS,)),
    "l2_normalise": (lambda x: tf.math.l2_normalize(x, -1), (VECTOR,)),
    "softmax": (lambda x: tf.nn.softmax(x) + tf.nn.log_softmax(x), (ROWS,)),
    "mean_of_axes": (lambda x: tf.reduce_mean(x, [1, 2]) + tf.reduce_max(x, [1, 2]), (PICTURE,)),
    "sum_keeping": (lambda x: tf.reduce_sum(x, [2], keepdims=True), (PICTURE,)),
    "argmax": (lambda x: tf.cast(tf.argmax(x, 2), tf.float32), (ROWS,)),
    "top_k": (lambda x: tf.math.top_k(x, 2)[0], (ROWS,)),
    "cumsum": (lambda x: tf.cumsum(x, 1, exclusive=True, reverse=True), (ROWS,)),
    "transposed": (lambda x: tf.transpose(x, [0, 3, 1, 2]) * 2, (PICTURE,)),
    "batch_moves": (lambda x: tf.transpose(tf.sin(tf.transpose(x, [1, 0, 2])), [1, 0, 2]), (ROWS,)),
    "merged_rows": (lambda x: tf.reshape(tf.reshape(x, (5, 4)) @ TABLE.T, (1, 45)), (ROWS,)),
    "constant_on_rows": (
        lambda x: tf.reshape(tf.reshape(x, (5, 4)) + TABLE[:5], (1, 20)),
        (ROWS,),
    ),
    "pack_unpack": (lambda x: tf.stack(tf.unstack(x, axis=1)[::-1], axis=2), (ROWS,)),
    "concat_constant": (lambda x: tf.concat([x, TABLE[None, :3]], 1), (ROWS,)),
    "split": (lambda x: tf.split(x, [1, 3], 2)[1] * 2, (ROWS,)),
    "strided_slice": (lambda x: x[:, 1:6:2, ::-1, 2], (PICTURE,)),
    "slice": (lambda x: tf.slice(x, [0, 1, 0, 1], [-1, 4, -1, 2]), (PICTURE,)),
    "gather": (lambda x: tf.gather(x, [3, 0, 0], axis=1), (ROWS,)),
    "pad": (lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3], [0, 0]]), (PICTURE,)),
    "pad_value": (lambda x: tf.pad(x, [[0, 0], [1, 2], [0, 3]], constant_values=1.5), (ROWS,)),
    "pad_reflect": (lambda x: tf.pad(x, [[0, 0], [1, 2], [2, 0]], mode="REFLECT"), (ROWS,)),
    "tile": (lambda x: tf.tile(x, [1, 2, 3]), (ROWS,)),
    "broadcast": (lambda x: tf.broadcast_to(x[:, :, :1], (1, 5, 6)) * TABLE[:5, :1], (ROWS,)),
    "reverse": (lambda x: tf.reverse(x, [1]), (ROWS,)),
    "matmul_both": (lambda x, y: tf.matmul(x, y, transpose_b=True), (ROWS, (1, 3, 4))),
    "matmul_flat": (lambda x: x @ SEED_MATRIX + np.arange(3, dtype="f"), (VECTOR,)),
    "dense_on_rows": (lambda x: tf.tensordot(x, TABLE.T, 1) + np.arange(9, dtype="f"), (ROWS,)),
    "spectrum": (lambda x: tf.abs(tf.signal.rfft(x)), ((1, 3, 16),)),
    "squared_difference": (lambda x, y: tf.math.squared_difference(x, y), (ROWS, (1, 1, 4))),
}  # fmt: skip
SEED_MATRIX = SEED.normal(size=(6, 3)).astype("f")


@pytest.mark.parametrize("case", CASES)
def test_operator_agrees_with_the_interpreter(case: str) -> None:
    function, shapes = CASES[case]
    data = to_file(function, *shapes)
    rng = np.random.default_rng(8)
    arrays = [rng.normal(size=(3, *shape[1:])).astype("f") for shape in shapes]
    proto = tflite_to_onnx(data)
    onnx.checker.check_model(proto, full_check=True)
    for expected, found in zip(by_interpreter(data, *arrays), by_onnx(proto, *arrays), strict=True):
        assert np.ptp(expected) > 0
        same(expected, found)


def test_integers_stay_integers() -> None:
    data = to_file(lambda x: tf.gather(TABLE, x) * 2, (1, 5), dtype=tf.int32)
    ids = np.array([[1, 4, 0, 8, 2], [3, 3, 7, 1, 0]], np.int32)
    same(by_interpreter(data, ids)[0], by_onnx(tflite_to_onnx(data), ids)[0])


def test_recording_without_a_batch_gets_one() -> None:
    """(16,) in the file → (n, 16), each row on its own."""
    traced = tf.function(lambda x: tf.reduce_max(tf.reshape(x[2:14] * 2, (4, 3)), 1))
    spec = traced.get_concrete_function(tf.TensorSpec((16,), tf.float32, name="wave"))
    data = tf.lite.TFLiteConverter.from_concrete_functions([spec], tf.Module()).convert()
    waves = np.random.default_rng(2).normal(size=(3, 16)).astype("f")
    expected = np.max((waves[:, 2:14] * 2).reshape(3, 4, 3), 2)
    same(expected, by_onnx(tflite_to_onnx(data), waves)[0])


@pytest.mark.slow
def test_recurrent_layer_agrees_with_the_interpreter() -> None:
    tf_keras = pytest.importorskip("tf_keras")
    tf_keras.utils.set_random_seed(1)
    layer = tf_keras.layers.LSTM(
        5, return_sequences=True, bias_initializer=tf_keras.initializers.RandomNormal(seed=4)
    )
    model = tf_keras.Sequential([tf_keras.Input(batch_shape=(1, 6, 3)), layer])
    data = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    assert [one.op for one in read_network(data).operators] == ["UNIDIRECTIONAL_SEQUENCE_LSTM"]
    x = np.random.default_rng(3).normal(size=(2, 6, 3)).astype("f")
    same(by_interpreter(data, x)[0], by_onnx(tflite_to_onnx(data), x)[0])
