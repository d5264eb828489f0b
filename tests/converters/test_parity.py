"""Comparison finds what differs, passes what does not, and says where it begins."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import converters
from converters.errors import ConversionError, MismatchError
from converters.parity import certify
from converters.parity.inputs import InputSpec, onnx_inputs, random_inputs
from converters.parity.onnx_runs import onnx_network
from converters.report import ImportReport, LayerRow, record

RNG = np.random.default_rng(5)
KERNEL = RNG.normal(0, 0.3, (6, 3, 3, 5)).astype(np.float32)
DENSE = RNG.normal(0, 0.3, (6, 4)).astype(np.float32)
BIAS = RNG.normal(0, 0.3, 4).astype(np.float32)
LAST, SAME = (0, 2, 3, 1), (0, 1)


def conv_net(batch: int | str = "n", dtype: int = TensorProto.FLOAT) -> onnx.ModelProto:
    """x (n, 3, 10, 14) → conv → relu → mean → dense (n, 4), with the constants above."""
    half = dtype == TensorProto.FLOAT16
    kind = np.float16 if half else np.float32
    arrays = {"conv.weight": KERNEL, "fc.weight": DENSE, "fc.bias": BIAS}
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "conv.weight"], ["a"], name="conv"),
            helper.make_node("Relu", ["a"], ["b"], name="relu"),
            helper.make_node("ReduceMean", ["b"], ["c"], name="mean", axes=[2, 3], keepdims=0),
            helper.make_node("Gemm", ["c", "fc.weight", "fc.bias"], ["y"], name="fc"),
        ],
        "net",
        [helper.make_tensor_value_info("x", dtype, [batch, 3, 10, 14])],
        [helper.make_tensor_value_info("y", dtype, [batch, 4])],
        [numpy_helper.from_array(value.astype(kind), name) for name, value in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def twin(fault: str = "") -> keras.Model:
    """The same network in Keras, channels last, with one deliberate fault."""
    image = keras.Input((10, 14, 3), name="x")
    conv = keras.layers.Conv2D(6, (3, 5), use_bias=False, name="conv")
    relu = keras.layers.LeakyReLU(negative_slope=0.01, name="relu")
    if fault != "relu":
        relu = keras.layers.ReLU(name="relu")
    dense = keras.layers.Dense(4, name="fc")
    pooled = keras.layers.GlobalAveragePooling2D(name="mean")(relu(conv(image)))
    model = keras.Model(image, dense(pooled))
    kernel = KERNEL[..., ::-1] if fault == "conv" else KERNEL
    conv.set_weights([kernel.transpose(2, 3, 1, 0)])
    dense.set_weights([DENSE, BIAS + (1e-3 if fault == "bias" else 0)])
    return model


def rows() -> tuple[LayerRow, ...]:
    return (
        LayerRow("conv", "Conv", "conv", ("a",), ("conv.weight",), (LAST,)),
        LayerRow("relu", "Relu", "relu", ("b",), (), (LAST,)),
        LayerRow("mean", "ReduceMean", "mean", ("c",), (), (SAME,)),
        LayerRow("fc", "Gemm", "fc", ("y",), ("fc.weight", "fc.bias"), (SAME,)),
    )


def facts() -> ImportReport:
    return ImportReport(
        "net.onnx", "ONNX", layers=rows(), input_orders={"x": LAST}, output_orders={"y": SAME}
    )


@pytest.fixture(scope="module")
def good() -> keras.Model:
    return twin()


def test_same_network_agrees_at_two_batch_sizes(good: keras.Model) -> None:
    parity = converters.compare(conv_net(), good)
    assert parity.passed
    assert [row.shape for row in parity.outputs] == [(2, 4), (3, 4)]
    assert parity.max_rel < 1e-6
    assert all(row.varies and row.name == "y" for row in parity.outputs)
    assert onnxruntime.__version__ in parity.reference


def test_every_kind_of_source_is_taken(good: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(conv_net().SerializeToString())
    session = onnxruntime.InferenceSession(path.read_bytes())

    def function(x: np.ndarray) -> np.ndarray:
        return session.run(None, {"x": np.ascontiguousarray(x.transpose(0, 3, 1, 2))})[0]

    for source in (path, str(path), path.read_bytes(), function, twin()):
        assert converters.compare(source, good).passed, source
    assert converters.compare(good, path).passed, "the other way round"


def test_torch_module_keeps_its_mode_and_agrees(good: keras.Model) -> None:
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 6, (3, 5), bias=False)
            self.drop = torch.nn.Dropout(0.5)
            self.fc = torch.nn.Linear(6, 4)

        def forward(self, x: object) -> object:
            return self.fc(self.drop(torch.relu(self.conv(x)).mean((2, 3))))

    net = Net()
    with torch.no_grad():
        net.conv.weight.copy_(torch.from_numpy(KERNEL))
        net.fc.weight.copy_(torch.from_numpy(DENSE.T.copy()))
        net.fc.bias.copy_(torch.from_numpy(BIAS))
    assert converters.compare(net, good).passed
    assert net.training
    assert net.drop.training


def test_tflite_and_saved_model_agree(good: keras.Model, tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    good.export(tmp_path / "saved", verbose=False)
    assert converters.compare(tmp_path / "saved", good).passed
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "net.tflite").write_bytes(converter.convert())
    assert converters.compare(tmp_path / "net.tflite", good).passed


@pytest.mark.parametrize("fault", ["conv", "relu", "bias"])
def test_a_fault_is_found(fault: str) -> None:
    parity = converters.compare(conv_net(), twin(fault))
    assert not parity.passed
    assert "DIFFERS" in str(parity)


def test_given_inputs_are_used_in_the_sources_order(good: keras.Model) -> None:
    x = RNG.normal(size=(5, 3, 10, 14)).astype(np.float32)
    for inputs in (x, [x], {"x": x}):
        parity = converters.compare(conv_net(), good, inputs)
        assert parity.passed
        assert [row.shape for row in parity.outputs] == [(5, 4)]
    with pytest.raises(ConversionError, match="x"):
        converters.compare(conv_net(), good, {"z": x})


def test_a_fixed_batch_is_kept_or_repeated(good: keras.Model) -> None:
    parity = converters.compare(conv_net(1), good)
    assert parity.passed
    assert [row.batch for row in parity.outputs] == [2, 3]
    assert [row.batch for row in converters.compare(conv_net(4), good).outputs] == [8, 12]


def test_half_precision_is_compared_as_what_its_numbers_mean() -> None:
    model = twin()
    model.set_weights([w.astype(np.float16).astype(np.float32) for w in model.get_weights()])
    parity = converters.compare(conv_net(dtype=TensorProto.FLOAT16), model)
    assert parity.passed
    assert parity.max_rel < 1e-6


def test_answers_that_are_no_numbers_prove_nothing() -> None:
    parity = converters.compare(lambda x: x * np.nan, twin())
    assert not parity.passed
    parity = converters.compare(twin(), lambda x: [np.full((len(x), 4), np.nan)])
    assert parity.max_abs == np.inf


def test_whole_numbers_have_to_be_equal() -> None:
    from converters.parity.comparison import row

    counts = np.arange(10**6, 10**6 + 6).reshape(2, 3)
    assert row("top", counts, counts, 1e-3).passed
    assert not row("top", counts, counts + np.eye(2, 3, dtype=int), 1e-3).passed


def test_an_answer_that_does_not_depend_on_the_input_is_said() -> None:
    constant = converters.compare(lambda x: np.ones((len(x), 4)), twin())
    assert not any(row.varies for row in constant.outputs)


@pytest.mark.parametrize(("fault", "node"), [("conv", "conv"), ("relu", "relu"), ("bias", "fc")])
def test_first_node_that_differs_is_named_and_written(
    fault: str, node: str, tmp_path: Path
) -> None:
    model = twin(fault)
    record(model, facts())
    parity = converters.compare(conv_net(), model, bisect=True)
    first = parity.first_divergence
    assert first is not None
    assert (first.node, first.layer) == (node, node)
    path = parity.write_operator(tmp_path / "operator.onnx")
    assert [n.name for n in onnx.load(path).graph.node] == [node]
    onnx.checker.check_model(str(path))
    with np.load(tmp_path / "operator.npz") as arrays:
        feeds = {k.split("/")[1]: v for k, v in arrays.items() if k.startswith("inputs/")}
        wanted = next(v for k, v in arrays.items() if k.startswith("outputs/"))
    answer = onnxruntime.InferenceSession(str(path)).run(None, feeds)[0]
    np.testing.assert_allclose(answer, wanted, rtol=1e-5, atol=1e-6)


def test_bisecting_without_a_record_says_what_to_do() -> None:
    with pytest.raises(ConversionError, match="from_json"):
        converters.compare(conv_net(), twin("bias"), bisect=True)


def test_certificate_counts_weights_and_gradients(good: keras.Model) -> None:
    report = certify(good, conv_net(), facts())
    assert report.passed
    assert (report.counts.trainable, report.counts.weights) == (3, 3)
    assert report.without_gradient == ()
    assert report.counts.transposes == 0
    assert converters.import_report(good) == report


def test_certificate_names_weights_that_no_gradient_reaches() -> None:
    image = keras.Input((10, 14, 3), name="x")
    hidden = keras.layers.Conv2D(6, (3, 5), use_bias=False, name="conv")(image)
    rounded = keras.ops.cast(keras.ops.argmax(hidden, axis=-1), "float32")
    pooled = keras.ops.mean(rounded, axis=2)
    model = keras.Model(image, keras.layers.Dense(4, name="fc")(pooled))
    report = certify(model, model, ImportReport("m", "Keras"))
    assert report.without_gradient == ("conv/kernel",)
    assert not report.passed


def test_certificate_of_a_wrong_model_is_an_error() -> None:
    model = twin("relu")
    with pytest.raises(MismatchError, match="Relu 'relu'") as caught:
        certify(model, conv_net(), facts())
    report = caught.value.report
    assert isinstance(report, ImportReport)
    assert report.parity is not None
    allowed = certify(model, conv_net(), facts(), allow_mismatch=True)
    assert replace(allowed.parity, first_divergence=None) == replace(
        report.parity, first_divergence=None
    )


def test_random_inputs_differ_in_every_sample_and_know_ids_and_masks() -> None:
    specs = (
        InputSpec("image", ("n", 3, None, None)),
        InputSpec("ids", ("n", "t"), "int64", ids=5),
        InputSpec("attention_mask", ("n", "t"), "int64"),
        InputSpec("flag", ("n",), "bool"),
    )
    image, ids, mask, _ = random_inputs(specs, 3, seed=0)
    assert image.shape == (3, 3, 64, 96)
    assert ids.max() < 5
    assert ids.shape == mask.shape
    assert mask.sum(1).tolist() == [12, 11, 10]
    assert len({sample.tobytes() for sample in image}) == 3
    np.testing.assert_array_equal(image, random_inputs(specs, 3, seed=0)[0])


def test_ids_stay_within_the_table_they_are_looked_up_in() -> None:
    table = numpy_helper.from_array(RNG.normal(size=(7, 2)).astype(np.float32), "table")
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "ids"], ["y"])],
        "g",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", 40])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [table],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    assert onnx_inputs(model)[0].ids == 7
    network = onnx_network(model)
    network.run(random_inputs(network.inputs or (), 2, seed=0))


def test_a_sources_external_data_is_not_followed_out_of_its_folder(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "secret.bin").write_bytes(KERNEL.tobytes())
    model = conv_net()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    path = tmp_path / "home" / "net.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(converters.UnsafeFileError):
        converters.compare(path, twin())
