"""Shape arithmetic disappears, and what follows the batch is known as such."""

import numpy as np
import pytest
from onnx import helper

from converters.errors import ConversionError, NodeError
from converters.onnx_to_keras.fold import fold
from converters.onnx_to_keras.normalise import normalise
from converters.onnx_to_keras.parse import parse

from .graphs import model, node, normal


def _int(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def _ops(proto, **options) -> list[str]:
    return [n.op for n in normalise(fold(parse(proto, **options))).nodes]


def test_shape_arithmetic_becomes_a_reshape_with_a_free_batch():
    proto = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Gather", ["s", "zero"], ["n"], axis=0),
            node("Unsqueeze", ["n", "axes"], ["n1"]),
            node("Concat", ["n1", "rest"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["y"]),
        ],
        {"x": ["N", 3, 4, 5]},
        ["y"],
        {"zero": np.array(0, np.int64), "axes": _int(0), "rest": _int(-1, 5)},
    )
    graph = normalise(fold(parse(proto)))
    assert [n.op for n in graph.nodes] == ["Reshape"]
    assert graph.nodes[0].attributes["shape"] == [-1, 12, 5]


def test_a_size_times_the_batch_stays_symbolic():
    proto = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Slice", ["s", "from", "to"], ["n"]),
            node("Mul", ["n", "four"], ["n4"]),
            node("Concat", ["n4", "rest"], ["target"], axis=0),
            node("Reshape", ["x", "target"], ["y"]),
        ],
        {"x": ["N", 8, 6]},
        ["y"],
        {"from": _int(0), "to": _int(1), "four": _int(4), "rest": _int(2, 6)},
    )
    graph = fold(parse(proto))
    assert graph.symbolic["n4"].slope.tolist() == [4]
    assert graph.values["y"].target == (-1, 2, 6)


def test_constants_are_computed_and_weights_keep_their_name():
    weight = normal(5, 7)
    proto = model(
        [node("Transpose", ["fc.weight"], ["w"], perm=[1, 0]), node("MatMul", ["x", "w"], ["y"])],
        {"x": ["N", 7]},
        ["y"],
        {"fc.weight": weight},
    )
    graph = fold(parse(proto))
    assert [n.op for n in graph.nodes] == ["MatMul"]
    folded = graph.constants["w"]
    assert (folded.name, folded.trainable) == ("fc.weight", True)
    np.testing.assert_array_equal(folded.value, weight.T)


@pytest.mark.parametrize(("condition", "expected"), [(True, "Relu"), (False, "Neg")])
def test_an_if_that_is_decided_is_gone(condition, expected):
    branches = {
        key: helper.make_graph(
            [node(op, ["x"], ["b"])], key, [], [helper.make_tensor_value_info("b", 1, None)]
        )
        for key, op in (("then_branch", "Relu"), ("else_branch", "Neg"))
    }
    proto = model(
        [node("If", ["c"], ["z"], **branches), node("Abs", ["z"], ["y"])],
        {"x": ["N", 3]},
        ["y"],
        {"c": np.array(condition)},
    )
    assert _ops(proto) == [expected, "Abs"]


def test_an_export_of_batch_one_gets_a_free_batch():
    proto = model(
        [
            node("Reshape", ["x", "tokens"], ["t"]),
            node("Concat", ["cls", "t"], ["all"], axis=1),
            node("Reshape", ["all", "flat"], ["y"]),
        ],
        {"x": [1, 6, 4, 5]},
        ["y"],
        {"tokens": _int(1, 20, 6), "cls": normal(1, 1, 6), "flat": _int(1, -1)},
    )
    graph = fold(parse(proto))
    assert graph.values["all"].target == (-1, 21, 6)
    assert graph.values["y"].target == (-1, 126)


def test_static_keeps_the_sizes_of_the_file():
    proto = model([node("Relu", ["x"], ["y"])], {"x": [4, 3]}, ["y"])
    assert fold(parse(proto, static=True)).values["y"].target == (4, 3)


def test_an_open_size_that_is_not_the_batch_is_asked_for():
    proto = model([node("Relu", ["x"], ["y"])], {"x": ["N", 3, "H", "W"]}, ["y"])
    with pytest.raises(ConversionError, match=r"input_shapes=\{'x': \(None, 3, 224, 224\)\}"):
        parse(proto)
    assert fold(parse(proto, {"x": (None, 3, 8, 9)})).values["y"].target == (-1, 3, 8, 9)
    with pytest.raises(ConversionError, match="names of inputs"):
        parse(proto, {"image": (None, 3, 8, 9)})


def test_a_node_whose_inputs_do_not_fit_is_named():
    proto = model(
        [node("MatMul", ["x", "w"], ["y"], name="head")],
        {"x": ["N", 7]},
        ["y"],
        {"w": normal(6, 5)},
    )
    with pytest.raises(NodeError, match=r"MatMul 'head' \(opset 17\).*\(-1, 7\).*\(6, 5\)"):
        fold(parse(proto))


def test_a_constant_of_absurd_size_is_refused():
    proto = model(
        [node("ConstantOfShape", ["huge"], ["c"]), node("Add", ["x", "c"], ["y"])],
        {"x": ["N", 7]},
        ["y"],
        {"huge": _int(10**6, 10**6)},
    )
    with pytest.raises(NodeError, match="ConstantOfShape"):
        fold(parse(proto))


def test_half_and_double_precision_become_float32():
    proto = model(
        [node("Cast", ["x"], ["h"], to=10), node("Mul", ["h", "w"], ["y"])],
        {"x": ["N", 7]},
        ["y"],
        {"w": normal(7).astype(np.float16)},
    )
    graph = fold(parse(proto))
    assert graph.values["y"].dtype == np.float32
    assert graph.constants["w"].value.dtype == np.float32


def test_a_state_of_zeros_is_left_out_however_it_is_made():
    proto = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Slice", ["s", "from", "to"], ["n"]),
            node("Concat", ["one", "n", "four"], ["size"], axis=0),
            node("Expand", ["zero", "size"], ["state"]),
            node("Transpose", ["x"], ["t"], perm=[1, 0, 2]),
            node("GRU", ["t", "w", "r", "", "", "state"], ["y"], hidden_size=4),
        ],
        {"x": ["N", 5, 3]},
        ["y"],
        {
            "from": _int(0),
            "to": _int(1),
            "one": _int(1),
            "four": _int(4),
            "zero": np.array(0, np.float32),
            "w": normal(1, 12, 3),
            "r": normal(1, 12, 4),
        },
    )
    graph = fold(parse(proto))
    assert [n.op for n in graph.nodes] == ["Transpose", "GRU"]
    assert graph.nodes[1].inputs[5] == ""


def test_what_is_repeated_along_the_batch_may_lie_on_any_axis():
    import converters

    proto = model(
        [
            node("Shape", ["x"], ["s"]),
            node("Slice", ["s", "from", "to"], ["n"]),
            node("Concat", ["two", "n"], ["size"], axis=0),
            node("Expand", ["row", "size"], ["e"]),
            node("MatMul", ["e", "x"], ["y"]),
        ],
        {"x": ["N", 3]},
        ["y"],
        {"from": _int(0), "to": _int(1), "two": _int(2), "row": np.float32([[1.5], [-2]])},
    )
    converters.onnx_to_keras(proto)  # raises when the answers differ
