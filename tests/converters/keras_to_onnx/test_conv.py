"""Convolutions and pooling against ONNX Runtime: every padding, stride and rank."""

from pathlib import Path
from typing import Any

import pytest
from keras import layers

from tests.converters.keras_to_onnx.nets import PICTURE, network, nodes_of, written

SPACES = {1: (11, 4), 2: PICTURE, 3: (7, 8, 9, 2)}
PADDINGS = ["same", "valid"]


def kind(name: str, rank: int) -> Any:
    return getattr(layers, name.format(rank))


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("strides", "dilation"), [(1, 1), (2, 1), (1, 2)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv(tmp_path: Path, rank: int, strides: int, dilation: int, padding: str) -> None:
    if rank == 3 and dilation > 1:
        pytest.skip("TensorFlow has no dilated grouped convolution of volumes on the CPU")
    layer = kind("Conv{}D", rank)(
        6, 3, strides=strides, dilation_rate=dilation, padding=padding, groups=2
    )
    assert nodes_of(written(network(SPACES[rank], layer), tmp_path / "a.onnx"))["Conv"] == 1


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize(("size", "strides", "extra"), [(3, 2, None), (2, 3, None), (3, 2, 1)])
@pytest.mark.parametrize("rank", [1, 2, 3])
def test_conv_transpose(
    tmp_path: Path, rank: int, size: int, strides: int, extra: int | None, padding: str
) -> None:
    layer = kind("Conv{}DTranspose", rank)(
        5, size, strides=strides, padding=padding, output_padding=extra
    )
    proto = written(network(SPACES[rank], layer), tmp_path / "a.onnx")
    assert nodes_of(proto)["ConvTranspose"] == 1


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("rank", [1, 2])
@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("DepthwiseConv{}D", {"depth_multiplier": 2, "strides": 2, "activation": "relu"}),
        ("SeparableConv{}D", {"filters": 5, "depth_multiplier": 2}),
    ],
)
def test_depthwise(
    tmp_path: Path, name: str, settings: dict[str, Any], rank: int, padding: str
) -> None:
    layer = kind(name, rank)(kernel_size=3, padding=padding, **settings)
    written(network(SPACES[rank], layer), tmp_path / "a.onnx")


def test_causal_conv(tmp_path: Path) -> None:
    written(
        network((11, 4), layers.Conv1D(6, 3, padding="causal", dilation_rate=2)),
        tmp_path / "a.onnx",
    )


@pytest.mark.parametrize("padding", PADDINGS)
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", ["MaxPooling{}D", "AveragePooling{}D"])
def test_pooling(tmp_path: Path, name: str, rank: int, padding: str) -> None:
    layer = kind(name, rank)(3, 2, padding=padding)
    written(network(SPACES[rank], layer), tmp_path / "a.onnx")


@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("name", ["GlobalMaxPooling{}D", "GlobalAveragePooling{}D"])
def test_global_pooling(tmp_path: Path, name: str, rank: int, keepdims: bool) -> None:
    pool = kind(name, rank)(keepdims=keepdims)
    conv = kind("Conv{}D", rank)(5, 2)
    proto = written(network(SPACES[rank], lambda x: [pool(x), pool(conv(x))]), tmp_path / "a.onnx")
    reductions = nodes_of(proto)["ReduceMean"] + nodes_of(proto)["ReduceMax"]
    assert reductions == 1  # the one on the input, which would need a transpose otherwise


@pytest.mark.parametrize("sizes", [(4, 3), (5, 2)])
def test_adaptive_pooling(tmp_path: Path, sizes: tuple[int, int]) -> None:
    written(network((12, 9, 3), layers.AdaptiveAveragePooling2D(sizes)), tmp_path / "a.onnx")


def test_adaptive_max_pooling_of_equal_windows(tmp_path: Path) -> None:
    written(network((12, 9, 3), layers.AdaptiveMaxPooling2D((4, 3))), tmp_path / "a.onnx")


@pytest.mark.parametrize("pool", [layers.MaxPooling2D, layers.AveragePooling2D])
def test_zeros_padded_before_a_pool_stay_zeros(tmp_path: Path, pool: Any) -> None:
    """ONNX Runtime takes a Pad with 0 into a MaxPool, where padding is -inf."""

    def body(x: Any) -> Any:
        low = layers.DepthwiseConv2D(1, bias_initializer="zeros")(x) - 9.0
        return pool(3, 2)(layers.ZeroPadding2D(1)(layers.Conv2D(4, 1)(low) - 9.0))

    written(network(PICTURE, body), tmp_path / "a.onnx")


def test_open_picture_sizes(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        y = layers.Conv2D(6, 3, strides=2, padding="same", activation="relu")(x)
        return layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2, padding="same")(y))

    written(network((None, None, 3), body), tmp_path / "a.onnx")
