"""What exporters take apart becomes one layer again, with the same answers."""

import math

import numpy as np
import pytest

from .graphs import model, node, normal

ONE = np.array(1, np.float32)


def _kinds(proto) -> list[str]:
    import converters

    imported = converters.onnx_to_keras(proto)  # raises when the answers differ
    return [type(operation).__name__ for operation in imported.operations[1:]]


def _scalar(number: float) -> np.ndarray:
    return np.array(number, np.float32)


def _single(nodes, weights=None, shape=("N", 6, 5, 7)) -> list[str]:
    return _kinds(model(nodes, {"x": list(shape)}, ["y"], weights))


def test_sigmoid_gate_is_one_activation():
    assert len(_single([node("Sigmoid", ["x"], ["s"]), node("Mul", ["s", "x"], ["y"])])) == 1


def test_hard_swish_in_four_steps_is_one_activation():
    steps = [
        node("Add", ["x", "three"], ["a"]),
        node("Clip", ["a", "zero", "six"], ["c"]),
        node("Mul", ["x", "c"], ["m"]),
        node("Div", ["m", "six"], ["y"]),
    ]
    weights = {"three": _scalar(3), "zero": _scalar(0), "six": _scalar(6)}
    assert len(_single(steps, weights)) == 1


_HALF_LAST = [node("Mul", ["x", "p"], ["q"]), node("Mul", ["q", "half"], ["y"])]
_HALF_FIRST = [node("Mul", ["x", "half"], ["h"]), node("Mul", ["h", "p"], ["y"])]
_HALF_MIDDLE = [node("Mul", ["p", "half"], ["h"]), node("Mul", ["x", "h"], ["y"])]


@pytest.mark.parametrize("end", [_HALF_LAST, _HALF_FIRST, _HALF_MIDDLE])
def test_gelu_is_found_whichever_factor_comes_first(end):
    steps = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["p"]),
        *end,
    ]
    weights = {"root": _scalar(math.sqrt(2)), "one": ONE, "half": _scalar(0.5)}
    assert len(_single(steps, weights)) == 1


def test_gelu_by_tanh_is_found():
    steps = [
        node("Pow", ["x", "three"], ["cube"]),
        node("Mul", ["cube", "c"], ["scaled"]),
        node("Add", ["x", "scaled"], ["sum"]),
        node("Mul", ["sum", "root"], ["inner"]),
        node("Tanh", ["inner"], ["t"]),
        node("Add", ["t", "one"], ["p"]),
        *_HALF_LAST,
    ]
    weights = {
        "three": _scalar(3),
        "c": _scalar(0.044715),
        "root": _scalar(math.sqrt(2 / math.pi)),
        "one": ONE,
        "half": _scalar(0.5),
    }
    assert len(_single(steps, weights)) == 1


def test_something_like_gelu_stays_as_it_is():
    steps = [
        node("Div", ["x", "root"], ["d"]),
        node("Erf", ["d"], ["e"]),
        node("Add", ["e", "one"], ["p"]),
        *_HALF_LAST,
    ]
    weights = {"root": _scalar(1.5), "one": ONE, "half": _scalar(0.5)}
    assert len(_single(steps, weights)) > 1


@pytest.mark.parametrize("square", ["Pow", "Mul"])
def test_layer_norm_in_its_steps_is_one_layer(square):
    steps = [
        node("ReduceMean", ["x"], ["m"], axes=[-1], keepdims=1),
        node("Sub", ["x", "m"], ["c"]),
        node(square, ["c", "two" if square == "Pow" else "c"], ["s"]),
        node("ReduceMean", ["s"], ["v"], axes=[-1], keepdims=1),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["r"]),
        node("Div", ["c", "r"], ["n"]),
        node("Mul", ["n", "norm.weight"], ["g"]),
        node("Add", ["g", "norm.bias"], ["y"]),
    ]
    weights = {
        "two": _scalar(2),
        "eps": _scalar(1e-3),
        "norm.weight": normal(7),
        "norm.bias": normal(7, seed=1),
    }
    assert _single(steps, weights) == ["LayerNormalization"]


def test_group_norm_around_an_instance_norm_is_one_layer():
    steps = [
        node("Reshape", ["x", "fold"], ["f"]),
        node("InstanceNormalization", ["f", "ones", "zeros"], ["i"], epsilon=1e-3),
        node("Reshape", ["i", "back"], ["b"]),
        node("Mul", ["b", "norm.weight"], ["g"]),
        node("Add", ["g", "norm.bias"], ["n"]),
        node("Conv", ["n", "c.weight"], ["y"]),
    ]
    weights = {
        "fold": np.array([0, 3, -1], np.int64),
        "ones": np.ones(3, np.float32),
        "zeros": np.zeros(3, np.float32),
        "back": np.array([0, 6, 5, 7], np.int64),
        "norm.weight": normal(6, 1, 1),
        "norm.bias": normal(6, 1, 1, seed=1),
        "c.weight": normal(4, 6, 2, 2, seed=2),
    }
    assert _single(steps, weights) == ["GroupNormalization", "Conv2D"]


def test_product_and_bias_are_one_dense_layer():
    steps = [node("MatMul", ["x", "fc.weight"], ["m"]), node("Add", ["fc.bias", "m"], ["y"])]
    weights = {"fc.weight": normal(7, 4), "fc.bias": normal(4, seed=1)}
    assert _single(steps, weights, ("N", 5, 7)) == ["Dense"]


def test_bias_of_a_product_that_is_needed_elsewhere_stays_apart():
    steps = [
        node("MatMul", ["x", "fc.weight"], ["m"]),
        node("Add", ["m", "fc.bias"], ["b"]),
        node("Mul", ["b", "m"], ["y"]),
    ]
    weights = {"fc.weight": normal(7, 4), "fc.bias": normal(4, seed=1)}
    assert "Add" in _single(steps, weights, ("N", 5, 7))


def test_of_rounding_pairs_only_the_range_stays():
    steps = [
        node("QuantizeLinear", ["x", "s", "z"], ["q"]),
        node("DequantizeLinear", ["q", "s", "z"], ["d"]),
        node("Relu", ["d"], ["y"]),
    ]
    weights = {"s": _scalar(0.02), "z": np.array(3, np.int8)}
    kinds = _single(steps, weights)
    assert [kind for kind in kinds if kind not in ("Clip", "Maximum", "Minimum")] == ["ReLU"]


def test_local_response_normalisation_is_one_step_without_transposes():
    steps = [
        node("Conv", ["x", "c.weight"], ["c"]),
        node("Mul", ["c", "c"], ["s"]),
        node("Unsqueeze", ["s", "one"], ["u"]),
        node("Pad", ["u", "pads"], ["p"]),
        node("AveragePool", ["p"], ["a"], kernel_shape=[3, 1, 1]),
        node("Squeeze", ["a", "one"], ["q"]),
        node("Mul", ["q", "alpha"], ["m"]),
        node("Add", ["m", "k"], ["d"]),
        node("Pow", ["d", "beta"], ["w"]),
        node("Div", ["c", "w"], ["y"]),
    ]
    weights = {
        "c.weight": normal(5, 6, 2, 2),
        "one": np.array([1], np.int64),
        "pads": np.array([0, 0, 1, 0, 0, 0, 0, 1, 0, 0], np.int64),
        "alpha": _scalar(0.5),
        "k": _scalar(1.5),
        "beta": _scalar(0.75),
    }
    kinds = _single(steps, weights)
    assert not {"Transpose", "AveragePooling3D", "Reshape"}.intersection(kinds)


def test_global_pooling_and_flatten_are_one_layer():
    steps = [
        node("Conv", ["x", "c.weight"], ["c"]),
        node("GlobalAveragePool", ["c"], ["p"]),
        node("Flatten", ["p"], ["y"]),
    ]
    kinds = _single(steps, {"c.weight": normal(4, 6, 2, 2)})
    assert kinds == ["Conv2D", "GlobalAveragePooling2D"]


def _attention(scale_on: str, bias: bool):
    split = np.array([0, 5, 2, 3], np.int64)
    steps = []
    for letter in "qkv":
        steps += [
            node("MatMul", ["x", f"{letter}.weight"], [f"{letter}m"]),
            node("Reshape", [f"{letter}m", "split"], [f"{letter}r"]),
            node(
                "Transpose",
                [f"{letter}r"],
                [f"{letter}t"],
                perm=[0, 2, 3, 1] if letter == "k" else [0, 2, 1, 3],
            ),
        ]
    query, key = "qt", "kt"
    if scale_on == "both":
        steps += [node("Mul", [n, "s"], [f"{n}s"]) for n in ("qt", "kt")]
        query, key = "qts", "kts"
    steps.append(node("MatMul", [query, key], ["scores"]))
    last = "scores"
    if scale_on == "scores":
        steps.append(node("Div", [last, "s"], ["scaled"]))
        last = "scaled"
    if bias:
        steps.append(node("Add", [last, "table"], ["biased"]))
        last = "biased"
    steps += [
        node("Softmax", [last], ["p"], axis=-1),
        node("MatMul", ["p", "vt"], ["o"]),
        node("Transpose", ["o"], ["ot"], perm=[0, 2, 1, 3]),
        node("Reshape", ["ot", "join"], ["y"]),
    ]
    weights = {
        "split": split,
        "join": np.array([0, 5, 6], np.int64),
        "s": _scalar(0.7),
        "table": normal(1, 2, 5, 5, seed=9),
        **{f"{letter}.weight": normal(7, 6, seed=n) for n, letter in enumerate("qkv")},
    }
    return model(steps, {"x": ["N", 5, 7]}, ["y"], weights)


@pytest.mark.parametrize("scale_on", ["scores", "both"])
@pytest.mark.parametrize("bias", [False, True])
def test_attention_is_one_operation_without_transposes(scale_on, bias):
    kinds = _kinds(_attention(scale_on, bias))
    assert "Transpose" not in kinds
    assert "Softmax" not in kinds
    assert kinds.count("Dense") == 3


def test_attention_whose_weights_are_an_output_is_left_whole():
    proto = _attention("scores", bias=False)
    proto.graph.output.append(
        proto.graph.output[0].__class__(name="p", type=proto.graph.output[0].type)
    )
    assert "Softmax" in _kinds(proto)
