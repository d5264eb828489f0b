"""Axes moved, cut, joined, reduced, gathered and scattered, against ONNX Runtime."""

import keras
import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.converters.onnx_to_keras.one_node import imported, one_node

TOLERANCE = 2e-6
SHAPE = ("N", 5, 6)
ENDLESS = 2**63 - 1


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("starts", "ends", "axes", "steps"),
    [
        ((1,), (4,), (1,), (1,)),
        ((-3, 0), (ENDLESS, -1), (1, 2), (1, 1)),
        ((-1,), (-ENDLESS - 1,), (2,), (-1,)),
        ((4, 1), (0, 99), (1, 2), (-2, 2)),
        ((0,), (1,), (0,), (1,)),
        ((1,), (ENDLESS,), (0,), (2,)),
    ],
)
def test_slice(
    starts: tuple[int, ...], ends: tuple[int, ...], axes: tuple[int, ...], steps: tuple[int, ...]
) -> None:
    parameters = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    held = {name: ints(*values) for name, values in parameters.items()}
    proto = one_node("Slice", [SHAPE, *held], held)
    assert imported(proto).difference == 0


@pytest.mark.parametrize(
    ("pads", "mode"),
    [
        ((0, 0, 1, 2, 0, 0, 3, 1), "constant"),
        ((0, 1, 0, 2, 0, 2, 3, 1), "constant"),
        ((0, 0, -1, 2, 0, 0, 1, -2), "constant"),
        ((0, 0, 1, 2, 0, 0, 3, 1), "reflect"),
        ((0, 0, 1, 2, 0, 0, 3, 1), "edge"),
        ((0, 0, 1, 2, 0, 0, 3, 1), "wrap"),
    ],
)
@pytest.mark.parametrize("value", [0.0, -np.inf])
def test_pad(pads: tuple[int, ...], mode: str, value: float) -> None:
    held = {"pads": ints(*pads), "value": np.float32(value)}
    proto = one_node("Pad", [("N", 3, 5, 6), *held], held, opset=19, mode=mode)
    assert imported(proto).difference == 0


def test_zeros_around_a_map_are_a_layer() -> None:
    held = {"pads": ints(0, 0, 1, 2, 0, 0, 3, 1)}
    found = imported(one_node("Pad", [("N", 3, 5, 6), *held], held))
    kinds = {type(o).__name__ for o in found.model.operations}
    assert kinds <= {"InputLayer", "ZeroPadding2D", "Pad", "Permute"}


@pytest.mark.parametrize("axis", [1, -1])
def test_concat_and_split(axis: int) -> None:
    shape = ("N", 4, 6)
    assert imported(one_node("Concat", [shape, shape, shape], axis=axis)).difference == 0
    size = shape[axis]
    held = {"sizes": ints(1, size - 1)}
    assert imported(one_node("Split", [shape, *held], held, 2, axis=axis)).difference == 0
    assert imported(one_node("Split", [shape], None, 2, axis=axis, num_outputs=2)).difference == 0


@pytest.mark.parametrize(
    ("op", "name", "value"),
    [
        ("Reshape", "shape", (-1, 30)),
        ("Reshape", "shape", (0, 3, 2, -1)),
        ("Reshape", "shape", (-1,)),
        ("Unsqueeze", "axes", (1, -1)),
        ("Expand", "shape", (4, 1, 5, 6)),
        ("Tile", "repeats", (1, 2, 3)),
    ],
)
def test_other_shapes(op: str, name: str, value: tuple[int, ...]) -> None:
    held = {name: ints(*value)}
    if op == "Expand":
        held[name] = ints(1, 5, 6)
        assert imported(one_node(op, [("N", 5, 1), *held], held)).difference == 0
        return
    assert imported(one_node(op, [SHAPE, *held], held)).difference == 0


def test_flatten_and_transpose() -> None:
    assert imported(one_node("Flatten", [SHAPE])).difference == 0
    assert imported(one_node("Transpose", [SHAPE], perm=[0, 2, 1])).difference == 0


def test_a_weight_expanded_to_the_batch_stays_a_weight() -> None:
    """A class token."""
    token = np.random.default_rng(0).normal(size=(1, 1, 6)).astype(np.float32)
    proto = one_node("Expand", ["cls_token", "shape"], {"cls_token": token})
    shape = [
        helper.make_node("Shape", ["x"], ["n"], start=0, end=1),
        helper.make_node("Concat", ["n", "rest"], ["shape"], axis=0),
    ]
    proto.graph.node.insert(0, shape[1])
    proto.graph.node.insert(0, shape[0])
    proto.graph.initializer.append(helper.make_tensor("rest", TensorProto.INT64, [2], [1, 6]))
    proto.graph.input.append(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 5]))
    found = imported(proto)
    assert found.difference == 0
    assert [w.shape for w in found.model.trainable_weights] == [(1, 6)]


REDUCTIONS = ["Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare"]


@pytest.mark.parametrize("op", REDUCTIONS)
@pytest.mark.parametrize(("axes", "keepdims"), [((1,), 0), ((1, 2), 1), ((-1,), 0)])
def test_reduction(op: str, axes: tuple[int, ...], keepdims: int) -> None:
    held = {"axes": ints(*axes)}
    proto = one_node(f"Reduce{op}", [SHAPE, *held], held, keepdims=keepdims)
    assert imported(proto, {"x0": (0.2, 2.0)}, whole=False).difference < TOLERANCE


def test_a_mean_over_a_map_is_a_pool() -> None:
    held = {"axes": ints(2, 3)}
    for keepdims in (0, 1):
        proto = one_node("ReduceMean", [("N", 3, 5, 6), *held], held, keepdims=keepdims)
        found = imported(proto)
        assert found.difference < TOLERANCE


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("keepdims", [0, 1])
def test_place_of_the_extreme(op: str, last: int, keepdims: int) -> None:
    proto = one_node(op, [SHAPE], axis=1, select_last_index=last, keepdims=keepdims)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT32
    assert imported(proto, {"x0": (0, 3)}).difference == 0


@pytest.mark.parametrize(("exclusive", "reverse"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_running_sum(exclusive: int, reverse: int) -> None:
    held = {"axis": np.int64(-1)}
    proto = one_node("CumSum", [SHAPE, *held], held, exclusive=exclusive, reverse=reverse)
    assert imported(proto).difference < TOLERANCE


@pytest.mark.parametrize("axis", [1, -1])
@pytest.mark.parametrize("largest", [0, 1])
def test_the_largest(axis: int, largest: int) -> None:
    held = {"k": ints(3)}
    proto = one_node("TopK", [SHAPE, *held], held, 2, axis=axis, largest=largest)
    assert imported(proto).difference == 0


def test_rows_of_a_weight_are_an_embedding() -> None:
    held = {"words.weight": np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)}
    proto = one_node("Gather", ["words.weight", ("N", 6)], held)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
    found = imported(proto, {"x1": (0, 9)})
    assert found.difference == 0
    assert found.layers(keras.layers.Embedding)[0].name == "words"


@pytest.mark.parametrize("places", [ints(3, 0, -1), np.array(2), ints(1, 1, 0, 2).reshape(2, 2)])
@pytest.mark.parametrize("axis", [1, 2])
def test_gather_of_fixed_places(places: np.ndarray, axis: int) -> None:
    proto = one_node("Gather", [SHAPE, "places"], {"places": places}, axis=axis)
    assert imported(proto).difference == 0


def test_gathers_of_computed_places() -> None:
    for op, shape in (("GatherElements", ("N", 3, 6)), ("GatherND", ("N", 4, 1))):
        attributes = {"axis": 1} if op == "GatherElements" else {"batch_dims": 1}
        proto = one_node(op, [SHAPE, shape], **attributes)
        proto.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
        assert imported(proto, {"x1": (-5, 5)}).difference == 0


@pytest.mark.parametrize("reduction", ["none", "add", "max", "min"])
def test_scatter_elements(reduction: str) -> None:
    proto = one_node(
        "ScatterElements", [SHAPE, ("N", 1, 6), ("N", 1, 6)], axis=1, reduction=reduction
    )
    proto.graph.input[1].type.tensor_type.elem_type = TensorProto.INT64
    assert imported(proto, {"x1": (-5, 5)}).difference < TOLERANCE


def test_one_hot() -> None:
    held = {"depth": np.int64(7), "values": np.array([0.5, 2.0], np.float32)}
    for axis in (-1, 1):
        proto = one_node("OneHot", [("N", 4), *held], held, axis=axis)
        proto.graph.input[0].type.tensor_type.elem_type = TensorProto.INT64
        assert imported(proto, {"x0": (-7, 7)}).difference == 0


@pytest.mark.parametrize("upper", [0, 1])
@pytest.mark.parametrize("k", [-1, 0, 2])
def test_triangles(upper: int, k: int) -> None:
    proto = one_node("Trilu", [SHAPE, "k"], {"k": np.int64(k)}, upper=upper)
    assert imported(proto).difference == 0


@pytest.mark.parametrize(
    ("left", "right"), [(SHAPE, ("N", 6, 4)), (("N", 2, 5, 6), ("N", 1, 6, 3)), (SHAPE, (6, 4))]
)
def test_products(left: tuple[int, ...], right: tuple[int, ...]) -> None:
    held, inputs = {}, [left, right]
    if "N" not in right:
        held["fc.weight"] = np.random.default_rng(0).normal(size=right).astype(np.float32)
        inputs = [left, "fc.weight"]
    found = imported(one_node("MatMul", inputs, held))
    assert found.difference < TOLERANCE
    assert len(found.layers(keras.layers.Dense)) == len(held)


@pytest.mark.parametrize("transposed", [0, 1])
def test_gemm_is_a_dense_layer(transposed: int) -> None:
    rng = np.random.default_rng(0)
    held = {
        "fc.weight": rng.normal(size=(4, 6) if transposed else (6, 4)).astype(np.float32),
        "fc.bias": rng.normal(size=4).astype(np.float32),
    }
    found = imported(one_node("Gemm", [("N", 6), *held], held, transB=transposed))
    assert found.difference < TOLERANCE
    assert [layer.name for layer in found.layers(keras.layers.Dense)] == ["fc"]


def test_gemm_of_tensors() -> None:
    held = {"c": np.random.default_rng(0).normal(size=(1, 6)).astype(np.float32)}
    proto = one_node("Gemm", [("N", 5), ("N", 6), *held], held, transA=1, alpha=0.5, beta=2.0)
    assert imported(proto).difference < TOLERANCE


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("bij,bjk->bik", (SHAPE, ("N", 6, 3))),
        ("bij->bji", (SHAPE,)),
        ("...ij,...kj->...ik", (("N", 2, 5, 6), ("N", 2, 4, 6))),
    ],
)
def test_einsum(equation: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    assert imported(one_node("Einsum", list(shapes), equation=equation)).difference < TOLERANCE


@pytest.mark.parametrize("shape", [("N", 6, 6), ("N", 6, 4), ("N", 6, 3, 6)])
def test_a_bias_along_another_axis_than_the_last(shape: tuple[int, ...]) -> None:
    """Token mixing: where the axes are equally long, Keras' own bias would fall on the last one."""
    perm = [0, *range(2, len(shape)), 1]
    back = [perm.index(axis) for axis in range(len(shape))]
    rng = np.random.default_rng(0)
    held = {
        "mix.weight": rng.normal(size=(6, 6)).astype(np.float32),
        "mix.bias": rng.normal(size=6).astype(np.float32),
    }
    proto = one_node("Transpose", [shape], held, perm=perm)
    del proto.graph.node[0].output[:]
    proto.graph.node[0].output.append("turned")
    for op, inputs, output in (
        ("MatMul", ["turned", "mix.weight"], "product"),
        ("Add", ["product", "mix.bias"], "mixed"),
    ):
        proto.graph.node.append(helper.make_node(op, inputs, [output]))
    proto.graph.node.append(helper.make_node("Transpose", ["mixed"], ["y0"], perm=back))
    found = imported(proto)
    assert found.difference < TOLERANCE
    assert len(found.model.trainable_weights) == 2
