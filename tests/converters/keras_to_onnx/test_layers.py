"""Every other built-in layer against ONNX Runtime."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from tests.converters.keras_to_onnx.nets import PICTURE, network, nodes_of, written

Body = Callable[..., Any]


def behind_a_conv(layer: Any) -> Body:
    """So that the layer's input is stored channels-first."""
    return lambda x: layer(layers.Conv2D(4, 2)(x))


NORMALISED: dict[str, tuple[Any, Body]] = {
    "batch, no scale": (PICTURE, layers.BatchNormalization(scale=False, center=False)),
    "batch, rows": ((6,), layers.BatchNormalization()),
    "batch, axis 1": (PICTURE, layers.BatchNormalization(axis=1)),
    "layer": (PICTURE, layers.LayerNormalization()),
    "layer, channels-first": (PICTURE, behind_a_conv(layers.LayerNormalization())),
    "layer, axes": (PICTURE, layers.LayerNormalization(axis=[1, 2])),
    "layer, axis 1": (PICTURE, behind_a_conv(layers.LayerNormalization(axis=1))),
    "rms": (PICTURE, layers.RMSNormalization()),
    "unit": (PICTURE, behind_a_conv(layers.UnitNormalization())),
    "group": (PICTURE, behind_a_conv(layers.GroupNormalization(2))),
    "group, rows": ((8,), layers.GroupNormalization(2)),
    "instance": (PICTURE, layers.GroupNormalization(-1)),
    "spectral": (PICTURE, layers.SpectralNormalization(layers.Conv2D(3, 2))),
    "normalization": (
        PICTURE,
        layers.Normalization(mean=[1.0, 2, 3, 4], variance=[1.0, 2, 3, 4]),
    ),
}
SHAPED: dict[str, tuple[Any, Body]] = {
    "reshape": (PICTURE, behind_a_conv(layers.Reshape((12, -1)))),
    "permute": (PICTURE, behind_a_conv(layers.Permute((3, 1, 2)))),
    "repeat": ((6,), layers.RepeatVector(3)),
    "flatten": (PICTURE, behind_a_conv(layers.Flatten())),
    "flatten, channels_first": (PICTURE, layers.Flatten(data_format="channels_first")),
    "pad 1": ((7, 4), layers.ZeroPadding1D((1, 2))),
    "pad 2": (PICTURE, behind_a_conv(layers.ZeroPadding2D(((1, 2), (0, 3))))),
    "pad 3": ((5, 6, 7, 2), layers.ZeroPadding3D(((1, 2), (0, 3), (1, 1)))),
    "crop 1": ((7, 4), layers.Cropping1D((1, 2))),
    "crop 2": (PICTURE, behind_a_conv(layers.Cropping2D(((1, 2), (0, 3))))),
    "crop 3": ((5, 6, 7, 2), layers.Cropping3D(((1, 2), (0, 3), (1, 1)))),
    "up 1": ((7, 4), layers.UpSampling1D(3)),
    "up 3": ((3, 4, 5, 2), layers.UpSampling3D((2, 1, 3))),
    "center crop": (PICTURE, layers.CenterCrop(4, 5)),
    "time distributed": ((5, 7, 9, 3), layers.TimeDistributed(layers.Conv2D(4, 3))),
    "rescaling": (PICTURE, behind_a_conv(layers.Rescaling([0.1, 2, 3, 4], [1, 2, 3, 4]))),
    "discretization": ((5,), layers.Discretization([0.0, 0.5])),
    "encoding": ((3, "int32"), layers.CategoryEncoding(11, "multi_hot")),
    "identity": ((6,), layers.Identity()),
    "dropout": ((6,), lambda x: layers.GaussianNoise(0.1)(layers.Dropout(0.5)(x))),
    "softmax, axes": (PICTURE, behind_a_conv(layers.Softmax(axis=[1, 2]))),
    "prelu": (PICTURE, behind_a_conv(layers.PReLU())),
    "prelu, shared": (PICTURE, behind_a_conv(layers.PReLU(shared_axes=[1, 2]))),
    "dense on pictures": (PICTURE, behind_a_conv(layers.Dense(3, activation="gelu"))),
    "embedding": ((6, "int32"), layers.Embedding(11, 4)),
}
EINSUMS: dict[str, tuple[Any, Body]] = {
    "projection": (
        (5, 6),
        layers.EinsumDense("abc,cd->abd", output_shape=(None, 7), bias_axes="d", activation="tanh"),
    ),
    "heads": (
        (5, 6),
        layers.EinsumDense("abc,cde->abde", output_shape=(None, 2, 7), bias_axes="de"),
    ),
    "merge": ((5, 2, 6), layers.EinsumDense("abcd,cde->abe", output_shape=(None, 3))),
    "odd": ((5, 6), layers.EinsumDense("abc,bd->acd", output_shape=(6, 3), bias_axes="d")),
}


@pytest.mark.parametrize("name", NORMALISED)
def test_normalisation(tmp_path: Path, name: str) -> None:
    written(network(*NORMALISED[name]), tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["layer", "layer, axis 1"])
def test_layer_normalisation_before_opset_17(tmp_path: Path, name: str) -> None:
    proto = written(network(*NORMALISED[name]), tmp_path / "a.onnx", opset=13)
    assert not nodes_of(proto)["LayerNormalization"]


@pytest.mark.parametrize("name", SHAPED)
def test_shape(tmp_path: Path, name: str) -> None:
    written(network(*SHAPED[name]), tmp_path / "a.onnx")


@pytest.mark.parametrize("name", EINSUMS)
def test_einsum_dense(tmp_path: Path, name: str) -> None:
    proto = written(network(*EINSUMS[name]), tmp_path / "a.onnx")
    assert nodes_of(proto)["Einsum"] == (name == "odd")


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos3"])
@pytest.mark.parametrize("antialias", [False, True])
@pytest.mark.parametrize("opset", [13, 18])
def test_resizing(tmp_path: Path, interpolation: str, antialias: bool, opset: int) -> None:
    layer = layers.Resizing(5, 13, interpolation=interpolation, antialias=antialias)
    written(network(PICTURE, layer), tmp_path / "a.onnx", opset=opset)


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear"])
def test_up_sampling(tmp_path: Path, interpolation: str) -> None:
    layer = layers.UpSampling2D((2, 3), interpolation=interpolation)
    written(network(PICTURE, layer), tmp_path / "a.onnx")


@pytest.mark.parametrize(
    "name", ["Add", "Multiply", "Average", "Maximum", "Minimum", "Subtract", "Concatenate"]
)
def test_merge(tmp_path: Path, name: str) -> None:
    merge = getattr(layers, name)()
    model = network([PICTURE, PICTURE], lambda a, b: merge([layers.Conv2D(4, 1)(a), b]))
    written(model, tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["Add", "Multiply", "Average", "Maximum"])
def test_merge_of_unequal_ranks_puts_new_axes_behind_the_batch(tmp_path: Path, name: str) -> None:
    merge = getattr(layers, name)()
    model = network([PICTURE, (4,)], lambda a, b: merge([layers.Conv2D(4, 1)(a), b]))
    written(model, tmp_path / "a.onnx")


def test_dot(tmp_path: Path) -> None:
    model = network([(5, 6), (7, 6)], lambda a, b: layers.Dot(2, normalize=True)([a, b]))
    written(model, tmp_path / "a.onnx")


def test_nested_and_shared_models(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(4, "relu", name="d")], name="inner")
    model = network([(6,), (6,)], lambda a, b: layers.Concatenate()([inner(a), inner(b)]))
    proto = written(model, tmp_path / "a.onnx")
    assert [w.name for w in proto.graph.initializer] == ["inner.d.bias", "inner.d.weight"]


def test_nested_model_built_for_open_sizes(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((None, None, 3)), layers.Conv2D(4, 3, strides=2)])
    written(
        network((9, 11, 3), lambda x: layers.Dense(2)(layers.Flatten()(inner(x)))),
        tmp_path / "a.onnx",
    )


def test_layer_of_ones_own_is_taken_apart(tmp_path: Path) -> None:
    class Mixed(layers.Layer):
        def build(self, shape: Any) -> None:
            self.mixing = self.add_weight(shape=(shape[-1], 3), name="mixing")
            self.inner = layers.Dense(4, activation="tanh")
            self.inner.build((None, 3))

        def call(self, x: Any) -> Any:
            return self.inner(keras.ops.matmul(x, self.mixing)) * 2 + 1

    layer = Mixed(name="mixed")
    model = network((5, 6), layer)
    proto = written(model, tmp_path / "a.onnx")
    assert "mixed.mixing" in {w.name for w in proto.graph.initializer}
    assert len(layer.inner._inbound_nodes) == 0  # no trace is left in the user's model


def test_subclassed_model_with_example_inputs(tmp_path: Path) -> None:
    import numpy as np

    from converters.keras_to_onnx import keras_to_onnx

    class Code(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = layers.Dense(3, activation="relu"), layers.Dense(2)

        def call(self, x: Any) -> Any:
            return self.second(self.first(x) * 2)

    model, example = Code(), np.random.default_rng(0).normal(size=(2, 5)).astype(np.float32)
    model(example)
    assert keras_to_onnx(model, tmp_path / "a.onnx", inputs=[example], fallback=False).exists()
