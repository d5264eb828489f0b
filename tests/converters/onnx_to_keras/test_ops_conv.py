"""Convolutions and their transposes against ONNX Runtime, each as a built-in layer."""

import keras
import numpy as np
import pytest

from tests.converters.onnx_to_keras.one_node import Imported, imported, one_node

TOLERANCE = 2e-6
SPACE = {1: (13,), 2: (13, 10), 3: (7, 6, 5)}


def conv(op: str, kernel: tuple[int, ...], channels: int, **attributes: object) -> Imported:
    rng = np.random.default_rng(1)
    group = attributes.get("group", 1)
    filters = kernel[0] if op == "Conv" else kernel[1] * group
    weights = {
        "block.conv.weight": rng.normal(size=kernel).astype(np.float32),
        "block.conv.bias": rng.normal(size=filters).astype(np.float32),
    }
    shape = ("N", channels, *SPACE[len(kernel) - 2])
    return imported(one_node(op, [shape, *weights], weights, **attributes))


@pytest.mark.parametrize(
    ("kernel", "channels", "attributes", "kind"),
    [
        ((6, 4, 3), 4, {"pads": [1, 1]}, keras.layers.Conv1D),
        ((6, 4, 3), 4, {"pads": [0, 2], "strides": [2]}, keras.layers.Conv1D),
        ((6, 4, 3, 3), 4, {"pads": [1, 1, 1, 1]}, keras.layers.Conv2D),
        ((6, 4, 3, 3), 4, {"pads": [1, 1, 1, 1], "strides": [2, 2]}, keras.layers.Conv2D),
        ((6, 4, 2, 5), 4, {"pads": [0, 2, 1, 2], "strides": [1, 3]}, keras.layers.Conv2D),
        ((6, 4, 3, 3), 4, {"pads": [2, 2, 2, 2], "dilations": [2, 2]}, keras.layers.Conv2D),
        ((6, 4, 3, 3), 4, {"dilations": [2, 1], "strides": [2, 3]}, keras.layers.Conv2D),
        ((6, 2, 3, 3), 4, {"group": 2, "pads": [1, 1, 1, 1]}, keras.layers.Conv2D),
        ((6, 4, 3, 3), 4, {"auto_pad": "SAME_UPPER", "strides": [2, 3]}, keras.layers.Conv2D),
        ((6, 4, 4, 3), 4, {"auto_pad": "SAME_LOWER", "strides": [2, 2]}, keras.layers.Conv2D),
        ((6, 4, 3, 3), 4, {"auto_pad": "VALID"}, keras.layers.Conv2D),
        ((4, 1, 3), 4, {"group": 4, "pads": [1, 1]}, keras.layers.DepthwiseConv1D),
        ((4, 1, 3, 3), 4, {"group": 4, "pads": [1, 1, 1, 1]}, keras.layers.DepthwiseConv2D),
        ((8, 1, 5, 3), 4, {"group": 4, "strides": [2, 2]}, keras.layers.DepthwiseConv2D),
        ((8, 1, 3, 3), 4, {"group": 4, "dilations": [2, 3]}, keras.layers.DepthwiseConv2D),
        ((8, 1, 3, 3), 4, {"group": 4, "strides": [1, 2]}, keras.layers.Conv2D),
        ((5, 4, 3, 2, 3), 4, {"pads": [1, 0, 1, 1, 1, 1]}, keras.layers.Conv3D),
        ((4, 1, 3, 3, 3), 4, {"group": 4, "strides": [2, 1, 1]}, keras.layers.Conv3D),
        ((4, 4, 1, 1), 4, {}, keras.layers.Conv2D),
    ],
)
def test_conv_is_one_layer(
    kernel: tuple[int, ...], channels: int, attributes: dict[str, object], kind: type
) -> None:
    found = conv("Conv", kernel, channels, **attributes)
    assert found.difference < TOLERANCE
    (layer,) = found.layers(kind)
    assert layer.name == "block_conv"
    assert len(found.model.trainable_weights) == 2


def test_symmetric_pads_of_a_unit_stride_need_no_padding_layer() -> None:
    found = conv("Conv", (6, 4, 3, 3), 4, pads=[1, 1, 1, 1])
    assert [type(layer).__name__ for layer in found.model.layers] == ["InputLayer", "Conv2D"]


def test_strided_pads_are_never_same() -> None:
    found = conv("Conv", (6, 4, 3, 3), 4, pads=[1, 1, 1, 1], strides=[2, 2])
    assert [layer.padding for layer in found.layers(keras.layers.Conv2D)] == ["valid"]
    assert found.layers(keras.layers.ZeroPadding2D)


def test_conv_with_a_kernel_that_the_network_computes() -> None:
    proto = one_node("Conv", [("N", 4, 9, 8), (6, 2, 3, 3)], group=2, strides=[2, 1])
    assert imported(proto).difference < TOLERANCE


@pytest.mark.parametrize(
    ("kernel", "channels", "attributes"),
    [
        ((4, 6, 3), 4, {"strides": [2], "pads": [1, 1], "output_padding": [1]}),
        ((4, 6, 2, 2), 4, {"strides": [2, 2]}),
        ((4, 6, 4, 4), 4, {"strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((4, 6, 3, 3), 4, {"strides": [2, 2], "pads": [1, 1, 1, 1], "output_padding": [1, 1]}),
        ((4, 6, 3, 3), 4, {"pads": [1, 1, 1, 1]}),
        ((4, 6, 2, 3), 4, {"strides": [3, 4], "output_padding": [2, 3]}),
        ((4, 6, 2, 3), 4, {"strides": [3, 2], "pads": [0, 2, 1, 0]}),
        ((4, 6, 3, 3), 4, {"strides": [2, 2], "output_shape": [26, 19]}),
        ((4, 6, 3, 4), 4, {"strides": [2, 3], "auto_pad": "SAME_UPPER"}),
        ((4, 6, 3, 4), 4, {"strides": [2, 3], "auto_pad": "SAME_LOWER"}),
        ((4, 5, 3, 2, 3), 4, {"strides": [2, 1, 2], "pads": [1, 0, 1, 0, 1, 1]}),
    ],
)
def test_transpose_is_one_layer(
    kernel: tuple[int, ...], channels: int, attributes: dict[str, object]
) -> None:
    found = conv("ConvTranspose", kernel, channels, **attributes)
    assert found.difference < TOLERANCE
    kinds = ("Conv1DTranspose", "Conv2DTranspose", "Conv3DTranspose")
    (layer,) = found.layers(getattr(keras.layers, kinds[len(kernel) - 3]))
    assert layer.name == "block_conv"


@pytest.mark.parametrize(
    ("kernel", "attributes"),
    [
        ((4, 3, 3, 3), {"group": 2, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((4, 1, 4, 4), {"group": 4, "strides": [2, 2], "pads": [1, 1, 1, 1]}),
        ((4, 6, 3, 3), {"dilations": [2, 2], "strides": [2, 1], "pads": [2, 0, 1, 2]}),
        ((4, 2, 2, 2), {"group": 2, "strides": [3, 3], "output_padding": [1, 2]}),
        ((4, 2, 3), {"group": 2, "strides": [2], "pads": [3, 4]}),
    ],
)
def test_grouped_and_dilated_transposes_are_convolutions(
    kernel: tuple[int, ...], attributes: dict[str, object]
) -> None:
    found = conv("ConvTranspose", kernel, 4, **attributes)
    assert found.difference < TOLERANCE
    assert len(found.model.trainable_weights) == 2
