"""The door of the importer: names, reports, errors, operators of the user's own."""

import keras
import numpy as np
import pytest

import converters
from converters.onnx_to_keras import names

from .graphs import model, node, normal


def _small(**options):
    return model(
        [
            node("Conv", ["x", "layer1.0.conv1.weight"], ["c"], name="/layer1/layer1.0/conv1/Conv"),
            node("BatchNormalization", ["c", "bn.weight", "bn.bias", "bn.m", "bn.v"], ["b"]),
            node("Relu", ["b"], ["r"], name="/act/Relu"),
            node("GlobalAveragePool", ["r"], ["p"], name="/pool/GlobalAveragePool"),
            node("Flatten", ["p"], ["f"]),
            node("Gemm", ["f", "fc.weight", "fc.bias"], ["logits"], transB=1),
        ],
        {"x": ["N", 3, 9, 7]},
        ["logits"],
        {
            "layer1.0.conv1.weight": normal(4, 3, 3, 3),
            **{
                f"bn.{n}": np.abs(normal(4, seed=i))
                for i, n in enumerate(["weight", "bias", "m", "v"])
            },
            "fc.weight": normal(5, 4, seed=5),
            "fc.bias": normal(5, seed=6),
        },
        **options,
    )


@pytest.fixture(scope="module")
def imported():
    return converters.onnx_to_keras(_small())


def test_layers_are_named_after_the_weights_and_modules_of_the_source(imported):
    assert [layer.name for layer in imported.layers] == [
        "x", "layer1_0_conv1", "bn", "act", "pool", "fc",
    ]  # fmt: skip


def test_every_weight_trains_and_statistics_do_not(imported):
    report = converters.import_report(imported)
    assert (report.counts.trainable, report.counts.statistics) == (5, 2)
    assert report.without_gradient == ()
    assert report.parity.passed


def test_the_report_leads_from_layers_to_nodes(imported):
    rows = {row.layer: row for row in converters.import_report(imported).layers}
    assert rows["layer1_0_conv1"].weights == ("layer1.0.conv1.weight",)
    assert rows["layer1_0_conv1"].node == "/layer1/layer1.0/conv1/Conv"
    assert rows["fc"].op == "Dense"


def test_saved_and_loaded_it_answers_exactly_the_same(imported, tmp_path):
    imported.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras")
    x = normal(3, 9, 7, 3, seed=8)
    a, b = (np.asarray(m(x, training=False)) for m in (imported, loaded))
    assert np.ptp(a, axis=0).max() > 0.1
    np.testing.assert_array_equal(a, b)


def test_batch_norm_keeps_epsilon_and_momentum():
    proto = _small()
    proto.graph.node[1].attribute.extend(
        [node("_", [], [], epsilon=0.02).attribute[0], node("_", [], [], momentum=0.7).attribute[0]]
    )
    layer = converters.onnx_to_keras(proto).get_layer("bn")
    assert (layer.epsilon, layer.momentum) == pytest.approx((0.02, 0.7))


def test_labels_and_preprocessing_of_the_file_are_found():
    metadata = {"names": "{0: 'cat', 1: 'dog', 10: 'emu'}", "mean": "[0.5]", "author": "me"}
    report = converters.import_report(converters.onnx_to_keras(_small(metadata=metadata)))
    assert report.labels == ("cat", "dog", "emu")
    assert report.preprocessing == {"mean": "[0.5]"}


def _unknown(domain=""):
    return model(
        [
            node("Wobble", ["x"], ["a"], name="w1", domain="my.ops", depth=2.0),
            node("Wobble", ["a"], ["b"], name="w2", domain="my.ops", depth=3.0),
            node("Frobnicate", ["b"], ["y"], name="f1", domain="my.ops"),
        ],
        {"x": ["N", 3, 4]},
        ["y"],
    )


def test_all_unsupported_operators_are_told_at_once():
    with pytest.raises(converters.UnsupportedError) as caught:
        converters.onnx_to_keras(_unknown())
    assert caught.value.operators == {"my.ops.Frobnicate": ["f1"], "my.ops.Wobble": ["w1", "w2"]}
    for part in ("2x", "'w1'", "ops={'Frobnicate': function}"):
        assert part in str(caught.value)


def test_operators_of_the_user_are_called_with_inputs_and_attributes():
    ops = {
        "Wobble": lambda x, depth: keras.ops.sin(x) * depth,
        "Frobnicate": lambda x: keras.ops.sum(x, axis=1),
    }
    imported = converters.onnx_to_keras(_unknown(), ops=ops)
    x = normal(2, 3, 4)
    expected = (np.sin(np.sin(x) * 2) * 3).sum(axis=1)
    np.testing.assert_allclose(imported(x, training=False), expected, rtol=1e-5, atol=1e-6)


def test_an_operator_of_the_user_that_fails_is_named():
    def wobble(x):
        return x

    with pytest.raises(converters.NodeError, match=r"function given for 'Wobble'.*depth"):
        converters.onnx_to_keras(_unknown(), ops={"Wobble": wobble, "Frobnicate": wobble})


def test_placeholders_stand_where_operators_are_missing():
    imported = converters.onnx_to_keras(_unknown(), placeholders=True)
    assert [layer.name for layer in imported.layers[1:]] == [
        "placeholder_Wobble", "placeholder_Wobble_2", "placeholder_Frobnicate",
    ]  # fmt: skip
    assert converters.import_report(imported).parity is None


def test_a_weight_that_no_layer_has_becomes_one_that_loads_anywhere(tmp_path):
    proto = model(
        [node("Concat", ["c", "x"], ["j"], axis=1), node("Add", ["j", "pos"], ["y"])],
        {"x": [1, 4, 3]},
        ["y"],
        {"c": normal(1, 1, 3), "pos": normal(1, 5, 3, seed=1)},
    )
    imported = converters.onnx_to_keras(proto)
    report = converters.import_report(imported)
    assert report.counts.trainable == 2
    assert report.counts.custom_layers == ()
    assert imported.output_shape == (None, 5, 3)
    imported.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    x = normal(2, 4, 3, seed=3)
    np.testing.assert_array_equal(imported(x, training=False), again(x, training=False))


def test_one_matrix_used_twice_is_one_layer():
    proto = model(
        [
            node("MatMul", ["x", "w"], ["a"]),
            node("Tanh", ["a"], ["t"]),
            node("MatMul", ["t", "w"], ["y"]),
        ],
        {"x": ["N", 4]},
        ["y"],
        {"w": normal(4, 4)},
    )
    assert len(converters.onnx_to_keras(proto).trainable_weights) == 1


def test_names_say_what_the_source_said():
    taken: set[str] = set()
    pick = [names.choose(taken, w, s, n, "Conv") for w, s, n in (
        (["a.b.weight"], "", ""), (["a.b.weight"], "", ""), (["onnx::Conv_7"], "", "/c/Conv"),
        ([], "stage.0.conv", "node_9"), ([], "", ""),
    )]  # fmt: skip
    assert pick == ["a_b", "a_b_2", "c", "stage_0_conv", "conv"]


def test_a_number_that_a_module_owns_trains_and_one_of_the_code_does_not():
    proto = model(
        [node("Mul", ["x", "block.0.scale"], ["m"]), node("Add", ["m", "one"], ["y"])],
        {"x": ["N", 4]},
        ["y"],
        {"block.0.scale": np.float32([1.5]), "one": np.float32(1)},
    )
    imported = converters.onnx_to_keras(proto)
    assert [layer.name for layer in imported.layers if layer.weights] == ["block_0"]
    assert converters.import_report(imported).without_gradient == ()


def test_numbers_that_are_no_weights_of_the_file_stay_frozen():
    import onnx

    proto = model(
        [node("MatMul", ["x", "fixed"], ["m"]), node("MatMul", ["m", "fc.weight"], ["y"])],
        {"x": ["N", 4]},
        ["y"],
        {"fc.weight": normal(3, 5)},
    )
    table = onnx.numpy_helper.from_array(normal(4, 3, seed=1))
    proto.graph.node.insert(0, node("Constant", [], ["fixed"], value=table))
    imported = converters.onnx_to_keras(proto)
    assert [w.path for w in imported.trainable_weights] == ["fc/kernel"]


def test_a_slope_of_one_number_trains_whatever_it_is_called():
    proto = model(
        [node("PRelu", ["x", "val_2"], ["y"])],
        {"x": ["N", 3, 4, 5]},
        ["y"],
        {"val_2": np.full((1, 1, 1), 0.3, np.float32)},
    )
    imported = converters.onnx_to_keras(proto)
    assert converters.import_report(imported).counts.trainable == 1
