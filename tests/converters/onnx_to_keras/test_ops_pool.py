"""Pools against ONNX Runtime: pads, ceil mode, dilations, what counts in a mean."""

import keras
import numpy as np
import pytest

from tests.converters.onnx_to_keras.one_node import imported, one_node

TOLERANCE = 2e-6
WINDOWS = [
    ((13,), {"kernel_shape": [3], "strides": [2]}),
    ((13,), {"kernel_shape": [3], "strides": [2], "pads": [1, 1], "ceil_mode": 1}),
    ((13, 10), {"kernel_shape": [2, 2], "strides": [2, 2]}),
    ((13, 10), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ((13, 10), {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ((14, 11), {"kernel_shape": [3, 2], "strides": [2, 3], "ceil_mode": 1}),
    ((14, 11), {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [0, 0, 1, 1], "ceil_mode": 1}),
    ((14, 11), {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 1, 1, 0]}),
    ((13, 10), {"kernel_shape": [4, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
    ((13, 10), {"kernel_shape": [4, 3], "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    ((13, 10), {"kernel_shape": [4, 3], "strides": [2, 2], "auto_pad": "VALID"}),
    ((7, 6, 5), {"kernel_shape": [3, 2, 3], "strides": [2, 1, 2], "pads": [1, 0, 1, 1, 1, 1]}),
]
DILATED = [
    ((13, 10), {"kernel_shape": [3, 2], "dilations": [2, 3], "pads": [1, 1, 2, 0]}),
    ((13, 10), {"kernel_shape": [2, 2], "dilations": [2, 1], "strides": [2, 2], "ceil_mode": 1}),
]


@pytest.mark.parametrize(("space", "attributes"), WINDOWS + DILATED)
def test_maximum(space: tuple[int, ...], attributes: dict[str, object]) -> None:
    """All inputs are negative, so that a pad of zero would win."""
    proto = one_node("MaxPool", [("N", 4, *space)], **attributes)
    assert imported(proto, {"x0": (-9.0, -1.0)}).difference == 0


def test_a_pool_without_odd_edges_is_one_layer() -> None:
    proto = one_node("MaxPool", [("N", 4, 13, 10)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    found = imported(proto)
    assert [type(o).__name__ for o in found.model.operations] == ["InputLayer", "MaxPooling2D"]
    assert found.layers(keras.layers.MaxPooling2D)[0].padding == "same"


@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize(("space", "attributes"), WINDOWS + DILATED)
def test_mean(
    space: tuple[int, ...], attributes: dict[str, object], count_include_pad: int
) -> None:
    """ONNX Runtime miscounts the pads at the end, so ONNX itself judges where pads count."""
    dilated = "dilations" in attributes
    proto = one_node(
        "AveragePool",
        [("N", 4, *space)],
        opset=19 if dilated else 18,
        count_include_pad=count_include_pad,
        **attributes,
    )
    judge = "reference" if dilated or count_include_pad else "runtime"
    assert imported(proto, {"x0": (1.0, 9.0)}, judge=judge).difference < TOLERANCE


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize(("space", "attributes"), [WINDOWS[1], WINDOWS[6], WINDOWS[8], *DILATED])
def test_norm(space: tuple[int, ...], attributes: dict[str, object], p: int) -> None:
    proto = one_node("LpPool", [("N", 4, *space)], p=p, **attributes)
    assert imported(proto).difference < 2e-5


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
@pytest.mark.parametrize("space", [(9,), (9, 7), (4, 5, 6)])
def test_whole_maps(op: str, space: tuple[int, ...]) -> None:
    found = imported(one_node(op, [("N", 4, *space)]))
    assert found.difference < TOLERANCE
    layers = [type(layer).__name__ for layer in found.model.layers[1:]]
    named = op.replace("Pool", f"Pooling{len(space)}D")
    assert layers == ([] if op == "GlobalLpPool" else [named])


def test_whole_numbers_have_maxima_too() -> None:
    proto = one_node("MaxPool", [("N", 4, 9, 7)], kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    proto.graph.input[0].type.tensor_type.elem_type = 2  # uint8
    assert imported(proto, {"x0": (0, 256)}, whole=False).difference == 0


def test_places_of_maxima_are_refused() -> None:
    from converters.errors import NodeError

    proto = one_node("MaxPool", [("N", 4, 9, 7)], outputs=2, kernel_shape=[2, 2])
    with pytest.raises(NodeError, match="second output"):
        imported(proto)


def test_neighbouring_channels() -> None:
    proto = one_node("LRN", [("N", 7, 5, 6)], size=5, alpha=0.3, beta=0.6, bias=1.5)
    assert imported(proto).difference < TOLERANCE


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
def test_depth_to_space(mode: str) -> None:
    proto = one_node("DepthToSpace", [("N", 12, 3, 5)], blocksize=2, mode=mode)
    assert imported(proto).difference == 0


def test_space_to_depth() -> None:
    proto = one_node("SpaceToDepth", [("N", 3, 6, 9)], blocksize=3)
    assert imported(proto).difference == 0


def test_overlapping_blocks_added_up() -> None:
    sizes = {"image": np.array([7, 9]), "block": np.array([3, 2])}
    proto = one_node(
        "Col2Im",
        [("N", 24, 28), *sizes],
        sizes,
        strides=[1, 2],
        pads=[0, 0, 1, 0],
        dilations=[1, 2],
    )
    rows = (7 + 0 + 1 - 2 - 1) // 1 + 1
    columns = (9 - 2 - 1) // 2 + 1
    proto.graph.input[0].type.tensor_type.shape.dim[2].dim_value = rows * columns
    assert imported(proto).difference < TOLERANCE
