"""The traps of importing, one after the other: right, or a clear message."""

import os
import pickle
import random
import re
import zipfile
from functools import cache
from pathlib import Path

import keras
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import converters

RNG = np.random.default_rng(11)


def network(
    nodes: list[onnx.NodeProto],
    weights: dict[str, np.ndarray],
    shape: tuple[int | str, ...] = ("n", 3, 9, 13),
    **metadata: str,
) -> onnx.ModelProto:
    """x → y through these nodes."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(v, np.float32), name) for name, v in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    return model


def classifier(**metadata: str) -> onnx.ModelProto:
    """conv → BatchNorm → relu → padded max-pool → conv → flatten → dense, nothing square."""
    node = helper.make_node
    weights = {
        "stem.conv.weight": RNG.normal(size=(6, 3, 3, 3)),
        "stem.bn.weight": RNG.uniform(0.5, 1.5, 6),
        "stem.bn.bias": RNG.normal(size=6),
        "stem.bn.running_mean": RNG.normal(size=6),
        "stem.bn.running_var": RNG.uniform(0.5, 1.5, 6),
        "body.weight": RNG.normal(size=(4, 6, 3, 1)),
        "body.bias": RNG.normal(size=4),
        "fc.weight": RNG.normal(size=(5, 4 * 3 * 7)),
        "fc.bias": RNG.normal(size=5),
    }
    nodes = [
        node("Conv", ["x", "stem.conv.weight"], ["a"], name="/stem/conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", ["a", *list(weights)[1:5]], ["b"], name="/stem/bn",
             epsilon=1e-3, momentum=0.97),
        node("Relu", ["b"], ["c"], name="/stem/relu"),
        node("MaxPool", ["c"], ["d"], name="/pool", kernel_shape=[3, 3], strides=[2, 2],
             pads=[1, 1, 1, 1]),
        node("Conv", ["d", "body.weight", "body.bias"], ["e"], name="/body"),
        node("Flatten", ["e"], ["f"], name="/flatten"),
        node("Gemm", ["f", "fc.weight", "fc.bias"], ["y"], name="/fc", transB=1),
    ]  # fmt: skip
    return network(nodes, weights, **metadata)


@cache
def source_of_model() -> onnx.ModelProto:
    return classifier()


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return converters.onnx_to_keras(source_of_model())


def test_i1_every_weight_is_trainable_and_learns(model: keras.Model) -> None:
    report = converters.import_report(model)
    assert report.counts.trainable == report.counts.weights == 7
    assert report.without_gradient == ()
    copy = converters.onnx_to_keras(classifier())
    before = [variable.numpy().copy() for variable in copy.trainable_weights]
    copy.compile(keras.optimizers.SGD(0.05), "mse")
    x = RNG.normal(size=(8, 9, 13, 3)).astype(np.float32)
    copy.fit(x, RNG.normal(size=(8, 5)).astype(np.float32), verbose=0)
    for variable, old in zip(copy.trainable_weights, before, strict=True):
        assert np.abs(variable.numpy() - old).max() > 0, variable.path


def test_i2_a_wrong_import_is_an_error_that_names_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    from converters.onnx_to_keras.registry import known_ops

    right = known_ops()["MaxPool"].function

    def wrong(build: object, x: object, **attributes: object) -> object:
        return right(build, x, **{**attributes, "pads": [0, 0, 2, 2]})  # asymmetric, as in TF

    known = dict(known_ops())
    known["MaxPool"] = type(known["MaxPool"])("MaxPool", wrong, known["MaxPool"].order)
    monkeypatch.setattr("converters.onnx_to_keras.build.known_ops", lambda: known)
    with pytest.raises(converters.MismatchError, match="MaxPool '/pool'") as caught:
        converters.onnx_to_keras(classifier())
    report = caught.value.report
    assert isinstance(report, converters.ImportReport)
    assert not report.passed
    looked_at = converters.onnx_to_keras(classifier(), allow_mismatch=True)
    assert "DIFFERS" in str(converters.import_report(looked_at))


def test_i3_no_transposes_and_names_of_the_weights(model: keras.Model) -> None:
    assert converters.import_report(model).counts.transposes == 0
    kinds = [type(layer).__name__ for layer in model.layers]
    assert "Permute" not in kinds
    names = [layer.name for layer in model.layers]
    assert {"stem_conv", "stem_bn", "body", "fc"} <= set(names)
    assert model.input_shape == (None, 9, 13, 3)


def test_i4_flatten_keeps_the_order_of_the_source(model: keras.Model) -> None:
    source = source_of_model()
    parity = converters.compare(source, model)
    assert parity.passed
    assert model.output_shape == (None, 5)
    # The rows of the dense layer are what makes it right: in another order they are not.
    kernel = model.get_layer("fc").kernel
    right = kernel.numpy()
    kernel.assign(right.reshape(4, 3, 7, 5).transpose(1, 2, 0, 3).reshape(right.shape))
    try:
        assert not converters.compare(source, model).passed
    finally:
        kernel.assign(right)


POOLS = {
    "padding is minus infinity": {"pads": [1, 1, 1, 1]},
    "asymmetric": {"pads": [0, 1, 2, 0]},
    "ceil mode": {"ceil_mode": 1, "strides": [2, 2]},
    "ceil mode and pads": {"ceil_mode": 1, "strides": [2, 2], "pads": [1, 0, 1, 1]},
    "same upper": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "same lower": {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
    "dilated": {"dilations": [2, 3]},
}


@pytest.mark.parametrize("how", POOLS)
def test_i5_pooling_of_negative_numbers(how: str) -> None:
    # All inputs far below zero: padding with zeros would win every maximum.
    nodes = [
        helper.make_node("Add", ["x", "low"], ["a"]),
        helper.make_node("MaxPool", ["a"], ["y"], kernel_shape=[3, 2], **POOLS[how]),
    ]
    source = network(nodes, {"low": np.float32(-50).reshape(1, 1, 1, 1)}, ("n", 3, 10, 13))
    model = converters.onnx_to_keras(source)
    x = RNG.normal(size=(2, 10, 13, 3)).astype(np.float32)
    assert float(np.max(model(x, training=False))) < -40
    assert converters.compare(source, model).passed


@pytest.mark.parametrize("how", [name for name in POOLS if name != "dilated"])
@pytest.mark.parametrize("count_padding", [0, 1])
def test_i5_average_pooling(how: str, count_padding: int) -> None:
    node = helper.make_node(
        "AveragePool", ["x"], ["y"], kernel_shape=[3, 2], count_include_pad=count_padding,
        **POOLS[how],
    )  # fmt: skip
    source = network([node], {}, ("n", 3, 10, 13))
    # ONNX Runtime 1.23 divides by the whole window where ceil_mode lets it stand over the edge
    # of counted padding; ONNX's own reference and torch divide by what is inside.
    evaluator = ReferenceEvaluator(source)
    model = converters.onnx_to_keras(source, verify=False)
    assert converters.compare(lambda x: evaluator.run(None, {"x": x}), model).passed


def test_i6_batch_norm_is_a_layer_with_its_own_numbers(model: keras.Model) -> None:
    norm = model.get_layer("stem_bn")
    assert isinstance(norm, keras.layers.BatchNormalization)
    assert norm.epsilon == pytest.approx(1e-3)
    assert norm.momentum == pytest.approx(0.97)
    report = converters.import_report(model)
    assert report.counts.batch_norms == 1
    assert report.counts.statistics == 2


def test_i6_batch_norm_of_torch_is_not_folded_away() -> None:
    torch = pytest.importorskip("torch")
    net = torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, (3, 2), bias=False),
        torch.nn.BatchNorm2d(4, eps=2e-3, momentum=0.2),
        torch.nn.ReLU(),
    )
    model = converters.torch_to_keras(net.eval(), torch.zeros(2, 3, 7, 9))
    norm = next(la for la in model.layers if isinstance(la, keras.layers.BatchNormalization))
    assert norm.epsilon == pytest.approx(2e-3)
    assert converters.import_report(model).counts.weights == 3


def test_i7_labels_and_preprocessing_of_the_file_are_found() -> None:
    named = "{0: 'cat', 1: 'dog', 2: 'cow', 3: 'hen', 4: 'fly'}"
    source = classifier(names=named, mean="[0.485, 0.456, 0.406]", author="A. Person")
    report = converters.import_report(converters.onnx_to_keras(source))
    assert report.labels == ("cat", "dog", "cow", "hen", "fly")
    assert report.preprocessing["mean"] == "[0.485, 0.456, 0.406]"
    assert report.metadata["author"] == "A. Person"


def test_i8_all_unsupported_operators_at_once() -> None:
    nodes = [
        helper.make_node("Twist", ["x"], ["a"], name="first", domain="own"),
        helper.make_node("Bend", ["a"], ["b"], name="second", domain="own"),
        helper.make_node("Twist", ["b"], ["y"], name="third", domain="own"),
    ]
    source = network(nodes, {})
    source.opset_import.append(helper.make_opsetid("own", 1))
    with pytest.raises(converters.UnsupportedError) as caught:
        converters.onnx_to_keras(source)
    found = {name.rpartition(".")[2]: nodes for name, nodes in caught.value.operators.items()}
    assert found == {"Twist": ["first", "third"], "Bend": ["second"]}
    assert re.search(r"Twist\s+2x", str(caught.value))
    assert "ops={" in str(caught.value)
    own = {"Twist": lambda x: x * 2.0, "Bend": lambda x: keras.ops.abs(x)}
    model = converters.onnx_to_keras(source, ops=own)
    x = RNG.normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(model(x, training=False), np.abs(x) * 4, rtol=1e-6)


def test_i9_an_import_leaves_the_process_and_the_folder_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    onnx.save(classifier(), tmp_path / "models" / "net.onnx")
    np.random.seed(5)

    def state() -> tuple[object, ...]:
        return (
            pickle.dumps(np.random.get_state()),
            keras.config.image_data_format(),
            keras.config.floatx(),
            keras.config.dtype_policy().name,
            keras.config.epsilon(),
            dict(os.environ),
            Path.cwd(),
            sorted(tmp_path.rglob("*")),
        )

    before, drawn = state(), []
    for seed in (5, 6):
        # Every Keras layer draws a seed from Python's generator; setting that would be a fault.
        random.seed(seed)
        converters.onnx_to_keras("models/net.onnx")
        drawn.append(random.random())
    with pytest.raises(converters.ReadError):  # and not SystemExit
        converters.onnx_to_keras("models/none.onnx")
    assert state() == before
    assert drawn[0] != drawn[1]


class _Payload:
    def __init__(self, flag: Path) -> None:
        self.flag = flag

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.flag),)


def test_i10_pickles_are_refused_and_not_opened(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    flag = tmp_path / "it ran"
    (tmp_path / "a.pt").write_bytes(pickle.dumps(_Payload(flag)))
    torch.save({"weights": _Payload(flag)}, tmp_path / "b.pt")
    for name in ("a.pt", "b.pt"):
        with pytest.raises(converters.UnsafeFileError):
            converters.torch_to_keras(tmp_path / name)
        with pytest.raises(converters.ConversionError):
            converters.convert(tmp_path / name, tmp_path / "c.keras")
    assert not flag.exists()


@pytest.mark.filterwarnings("ignore:The `lambda` layer")
def test_i10_a_lambda_layer_is_not_run(tmp_path: Path) -> None:
    image = keras.Input((3,))
    keras.Model(image, keras.layers.Lambda(lambda x: x)(image)).save(tmp_path / "a.keras")
    with pytest.raises(converters.ConversionError, match="Expected"):
        converters.convert(tmp_path / "a.keras", tmp_path / "b.onnx")
    assert not (tmp_path / "b.onnx").exists()
    with zipfile.ZipFile(tmp_path / "a.keras") as archive:
        assert "Lambda" in archive.read("config.json").decode()


def test_i10_a_saved_model_that_writes_files_is_refused(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    flag = str(tmp_path / "it ran")

    class Module(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None, 3], "float32", name="x")])
        def __call__(self, x: object) -> object:
            tf.io.write_file(flag, "x")
            return x * 2.0

    module = Module()
    tf.saved_model.save(module, str(tmp_path / "saved"), signatures=module.__call__)
    Path(flag).unlink(missing_ok=True)
    with pytest.raises(converters.UnsafeFileError, match="WriteFile"):
        converters.tf_to_keras(tmp_path / "saved")
    with pytest.raises(converters.UnsafeFileError, match="WriteFile"):
        converters.compare(tmp_path / "saved", lambda x: x, [np.ones((2, 3), np.float32)])
    assert not Path(flag).exists()


def test_i10_onnx_weights_outside_the_folder_are_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "secret").write_bytes(bytes(4096))
    (tmp_path / "home" / "link").symlink_to(tmp_path / "secret")
    for place in ("../secret", str(tmp_path / "secret"), "link"):
        source = classifier()
        tensor = source.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=place)
        path = tmp_path / "home" / "net.onnx"
        path.write_bytes(source.SerializeToString())
        with pytest.raises(converters.UnsafeFileError, match="outside"):
            converters.onnx_to_keras(path)
        with pytest.raises(converters.UnsafeFileError, match="outside"):
            converters.convert(path, tmp_path / "home" / "net.keras")
