"""Axis orders are labels: transposes vanish, and where they cannot, one is written."""

import itertools

import numpy as np
import pytest

from converters.onnx_to_keras.layout.orders import between, carried, groups, moved

from .graphs import model, node, normal


def _transposes(keras_model) -> int:
    kinds = [type(operation).__name__ for operation in keras_model.operations]
    return sum(kind in ("Transpose", "Permute", "Moveaxis", "Swapaxes") for kind in kinds)


def _imported(proto):
    import converters

    return converters.onnx_to_keras(proto)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("perm", list(itertools.permutations(range(3))))
def test_moved_and_between_agree_with_numpy(order, perm):
    x = normal(2, 3, 4)
    lying = np.transpose(x, order)
    label = moved(order, perm)
    np.testing.assert_array_equal(lying, np.transpose(np.transpose(x, perm), label))
    back = np.transpose(lying, between(order, (0, 1, 2)))
    np.testing.assert_array_equal(back, x)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((13, 8, 14, 15), (13, 8, 210)),
        ((13, 8, 14, 15), (13, 2, 4, 14, 15)),
        ((13, 1, 8, 5), (13, 8, 5)),
        ((13, 40), (13, 1, 8, 5)),
        ((13, 6, 8, 10), (13, 6, 2, 4, 2, 5)),
        ((13, 6, 1, 1), (13, 6)),
    ],
)
def test_a_reshape_is_carried_out_as_the_tensor_lies(before, after):
    x = np.arange(np.prod(before)).reshape(before)
    for order in itertools.permutations(range(len(before))):
        result = carried(order, before, groups(before, after))
        if result is None:
            continue
        lying = np.transpose(x, order).reshape([after[axis] for axis in result])
        np.testing.assert_array_equal(lying, np.transpose(x.reshape(after), result))
    assert carried(tuple(range(len(before))), before, groups(before, after)) is not None


def test_channels_first_layer_norm_between_convolutions_costs_no_transpose():
    proto = model(
        [
            node("Conv", ["x", "a.weight"], ["c"], pads=[1, 1, 1, 1]),
            node("Transpose", ["c"], ["t"], perm=[0, 2, 3, 1]),
            node("LayerNormalization", ["t", "n.weight", "n.bias"], ["l"], axis=-1),
            node("Transpose", ["l"], ["b"], perm=[0, 3, 1, 2]),
            node("Conv", ["b", "d.weight"], ["y"]),
        ],
        {"x": ["N", 3, 7, 9]},
        ["y"],
        {
            "a.weight": normal(6, 3, 3, 3),
            "n.weight": normal(6, seed=1),
            "n.bias": normal(6, seed=2),
            "d.weight": normal(4, 6, 2, 3, seed=3),
        },
    )
    assert _transposes(_imported(proto)) == 0


def test_flatten_before_dense_is_permuted_in_the_weights():
    proto = model(
        [
            node("Conv", ["x", "a.weight"], ["c"]),
            node("Relu", ["c"], ["r"]),
            node("Flatten", ["r"], ["f"]),
            node("Clip", ["f", "", "six"], ["k"]),
            node("Gemm", ["k", "fc.weight", "fc.bias"], ["y"], transB=1),
        ],
        {"x": ["N", 2, 5, 6]},
        ["y"],
        {
            "a.weight": normal(3, 2, 2, 2),
            "fc.weight": normal(7, 60, seed=1),
            "fc.bias": normal(7, seed=2),
            "six": np.array(6, np.float32),
        },
    )
    assert _transposes(_imported(proto)) == 0


def test_a_flattened_map_that_is_an_output_is_in_the_order_of_the_source():
    proto = model(
        [node("Conv", ["x", "a.weight"], ["c"]), node("Flatten", ["c"], ["y"])],
        {"x": ["N", 2, 5, 6]},
        ["y"],
        {"a.weight": normal(3, 2, 2, 2)},
    )
    assert _transposes(_imported(proto)) == 1  # the proof of equal answers is in the import


def test_batch_norm_takes_the_order_of_the_flattened_map_before_it():
    proto = model(
        [
            node("Conv", ["x", "a.weight"], ["c"]),
            node("Flatten", ["c"], ["f"]),
            node("BatchNormalization", ["f", "g", "b", "m", "v"], ["n"]),
            node("Gemm", ["n", "fc.weight"], ["y"]),
        ],
        {"x": ["N", 2, 5, 6]},
        ["y"],
        {
            "a.weight": normal(3, 2, 2, 2),
            "fc.weight": normal(60, 7, seed=1),
            **{name: np.abs(normal(60, seed=n)) for n, name in enumerate("gbmv", 2)},
        },
    )
    assert _transposes(_imported(proto)) == 0


def test_a_product_along_another_axis_is_an_einsum_layer():
    proto = model(
        [
            node("Conv", ["x", "a.weight"], ["c"]),
            node("Reshape", ["c", "tokens"], ["t"]),
            node("MatMul", ["t", "mix.weight"], ["y"]),
        ],
        {"x": ["N", 2, 5, 6]},
        ["y"],
        {
            "a.weight": normal(3, 2, 2, 2),
            "tokens": np.array([0, 0, -1], np.int64),
            "mix.weight": normal(20, 8, seed=1),
        },
    )
    kinds = [type(layer).__name__ for layer in _imported(proto).layers]
    assert "EinsumDense" in kinds


def test_a_channels_last_graph_is_taken_as_it_is():
    proto = model(
        [
            node("Transpose", ["image"], ["t"], perm=[0, 3, 1, 2]),
            node("Conv", ["t", "a.weight"], ["c"], strides=[2, 2]),
            node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
        ],
        {"image": ["N", 8, 9, 2]},
        ["y"],
        {"a.weight": normal(3, 2, 2, 2)},
    )
    imported = _imported(proto)
    assert imported.input_shape == (None, 8, 9, 2)
    assert _transposes(imported) == 0


def test_a_batch_that_is_not_the_first_axis_becomes_it():
    proto = model(
        [node("MatMul", ["x", "w"], ["y"])], {"x": [5, "N", 7]}, ["y"], {"w": normal(7, 3)}
    )
    with pytest.raises(Exception, match="only unknown size is the batch"):
        _imported(proto)
