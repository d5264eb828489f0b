"""Transposes are written only where an order has to change, and Flatten finds its Dense."""

from pathlib import Path
from typing import Any

import numpy as np
from keras import layers

from tests.converters.keras_to_onnx.nets import PICTURE, network, nodes_of, weights_of, written


def cnn(x: Any) -> Any:
    y = layers.Conv2D(6, 3, padding="same", use_bias=False, name="conv1")(x)
    y = layers.MaxPooling2D()(layers.ReLU()(layers.BatchNormalization(name="bn1")(y)))
    return layers.Dense(3, name="fc")(layers.Dropout(0.2)(layers.Flatten()(y)))


def test_plain_cnn_has_one_transpose_at_its_input(tmp_path: Path) -> None:
    assert nodes_of(written(network(PICTURE, cnn), tmp_path / "a.onnx"))["Transpose"] == 1


def test_channels_first_input_leaves_none(tmp_path: Path) -> None:
    proto = written(network(PICTURE, cnn), tmp_path / "a.onnx", channels_first_input=True)
    assert nodes_of(proto)["Transpose"] == 0
    sizes = [d.dim_param or d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]
    assert sizes == ["batch", 4, 7, 9]


def test_dense_behind_flatten_has_its_rows_permuted(tmp_path: Path) -> None:
    model = network(PICTURE, cnn)
    weight = weights_of(written(model, tmp_path / "a.onnx"))["fc.weight"]
    kernel = np.asarray(model.get_layer("fc").kernel).reshape(3, 4, 6, 3)
    np.testing.assert_array_equal(weight, kernel.transpose(2, 0, 1, 3).reshape(-1, 3))


def test_two_dense_layers_on_one_flatten_in_both_orders(tmp_path: Path) -> None:
    dense = layers.Dense(3)

    def body(a: Any, b: Any) -> Any:
        return dense(layers.Flatten()(layers.Conv2D(4, 1)(a))), dense(layers.Flatten()(b))

    proto = written(network([PICTURE, PICTURE], body), tmp_path / "a.onnx")
    assert len([name for name in weights_of(proto) if name.startswith("dense")]) == 3


def test_anything_but_a_dense_behind_flatten_gets_keras_order(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        flat = layers.Flatten()(layers.Conv2D(5, 2)(x))
        return [layers.Dense(2)(layers.BatchNormalization()(flat)), flat]

    written(network(PICTURE, body), tmp_path / "a.onnx")


def test_squeeze_and_excite_needs_no_transpose(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        y = layers.Conv2D(5, 2)(x)
        gate = layers.Reshape((1, 1, 5))(layers.GlobalAveragePooling2D()(y))
        y = layers.Multiply()([y, layers.Conv2D(5, 1, activation="sigmoid")(gate)])
        return layers.GlobalMaxPooling2D()(y)

    nodes = nodes_of(written(network(PICTURE, body), tmp_path / "a.onnx"))
    assert nodes["Transpose"] == 1
    assert nodes["Reshape"] == 0  # the pooling's own axes are taken


def test_affine_einsum_keeps_the_stored_order(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        y = layers.Conv2D(4, 1)(x)
        y = layers.EinsumDense("abcd,d->abcd", (None, None, 4), bias_axes="d")(y)
        return layers.GlobalMaxPooling2D()(layers.Conv2D(3, 1)(y))

    assert nodes_of(written(network(PICTURE, body), tmp_path / "a.onnx"))["Transpose"] == 1


def test_a_permuted_value_is_turned_once_for_each_order(tmp_path: Path) -> None:
    from keras import ops

    def body(x: Any) -> Any:
        y = layers.Conv2D(5, 2)(x)
        return ops.matmul(y, ops.swapaxes(y, -1, -2)), ops.matmul(y, ops.ones((5, 2)))

    assert nodes_of(written(network(PICTURE, body), tmp_path / "a.onnx"))["Transpose"] == 3
