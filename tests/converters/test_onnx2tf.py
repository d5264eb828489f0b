"""onnx2tf runs beside us: what it writes is checked, and what it does to a process is its own."""

import os
import random
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import converters
from converters import onnx2tf_process as process
from converters.errors import ConversionError, MismatchError, MissingExtraError

pytest.importorskip("onnx2tf")


def network(batch: int | str = "n", operator: str = "Relu") -> onnx.ModelProto:
    """x (n, 3, 10, 14) → conv → an activation → mean → y (n, 4)."""
    kernel = np.random.default_rng(0).normal(size=(4, 3, 3, 5)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], name="conv"),
        helper.make_node(operator, ["a"], ["b"], name="act"),
        helper.make_node("ReduceMean", ["b"], ["y"], name="mean", axes=[2, 3], keepdims=0),
    ]
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 3, 10, 14])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 4])],
        [numpy_helper.from_array(kernel, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def test_version_is_found_without_importing_it() -> None:
    assert process.installed() >= (1, 29)


def test_a_missing_package_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise process.PackageNotFoundError(name)

    monkeypatch.setattr(process, "version", missing)
    with pytest.raises(MissingExtraError, match="pip install"):
        process.onnx2tf_process(b"", "a.tflite")


def _stub(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(
        process, "command", lambda *_: [process.sys.executable, "-c", code, process._QUICK]
    )


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise SystemExit('it hurts')", "it hurts"),
        ("import time; time.sleep(60)", "within 1 s"),
        ("import os; os.mkdir('out')", "got nothing"),
    ],
)
def test_failure_is_told_and_nothing_is_written(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _stub(monkeypatch, code)
    with pytest.raises(ConversionError, match=message):
        process.onnx2tf_process(network().SerializeToString(), tmp_path / "a.tflite", timeout_s=1)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_result_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import os; os.mkdir('out'); open('out/a_float32.tflite', 'wb').write(b'no TFL3')"
    _stub(monkeypatch, code)
    with pytest.raises(MismatchError):
        process.onnx2tf_process(network().SerializeToString(), tmp_path / "a.tflite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("batch", ["n", 1])  # a fixed batch makes it ask for its pictures
def test_saved_model_and_tflite_answer_as_the_source(batch: int | str, tmp_path: Path) -> None:
    source = network(batch)
    random.seed(3)
    before = (random.getstate(), dict(os.environ), Path.cwd())
    for name in ("a.tflite", "saved"):
        path = process.onnx2tf_process(source.SerializeToString(), tmp_path / name)
        assert converters.compare(source, path, tolerance=1e-4).passed
    assert (random.getstate(), dict(os.environ), Path.cwd()) == before
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a.tflite", "saved"]


@pytest.mark.slow
def test_convert_goes_this_way_where_an_operator_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*args: object, **options: object) -> object:
        raise converters.UnsupportedError("Expected operators, got others.", {"Relu": ["act"]})

    monkeypatch.setattr(converters, "onnx_to_keras", refuse)
    (tmp_path / "net.onnx").write_bytes(network().SerializeToString())
    done = converters.convert(tmp_path / "net.onnx", tmp_path / "net.tflite")
    assert done.route == ("onnx2tf",)
    assert "not trainable" in caplog.text
    with pytest.raises(converters.UnsupportedError):
        converters.convert(tmp_path / "net.onnx", tmp_path / "net.keras")
