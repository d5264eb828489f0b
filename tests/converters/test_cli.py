"""`python -m converters` and `tlkeras convert`: words, JSON, reports, exit status."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import converters
from converters import cli


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ONNX file: x (n, 3, 6, 8) → conv → y."""
    kernel = np.random.default_rng(0).normal(size=(4, 3, 2, 3)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["y"], name="conv")],
        "net",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 6, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(kernel, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path = tmp_path_factory.mktemp("nets") / "net.onnx"
    onnx.save(model, path)
    return path


def test_file_is_converted_and_the_certificate_shown(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert cli.main([str(net), str(tmp_path / "net.keras")]) == 0
    out = capsys.readouterr().out
    assert "agrees with its source" in out
    assert "1 of 1 trainable" in out
    assert (tmp_path / "net.keras").is_file()


def test_json_is_one_object_and_the_report_a_file(
    net: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    words = [str(net), str(tmp_path / "net.keras"), "--json", "--report", str(tmp_path / "r.json")]
    assert cli.main(words) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["kind"] == "onnx"
    assert found["report"]["passed"] is True
    assert "layers" not in found["report"]
    assert converters.ImportReport.from_json(tmp_path / "r.json").layers
    assert (
        cli.main([str(net), str(tmp_path / "b.keras"), "--report", str(tmp_path / "r.html")]) == 0
    )
    assert "conv" in (tmp_path / "r.html").read_text("utf-8")


@pytest.mark.parametrize(
    "words",
    [[], ["IN"], ["nothing.onnx", "b.keras"], ["IN", "b.doc"],
     ["IN", "b.keras", "--report", "r.x"], ["IN", "b.keras", "--input-shape", "x=1,b"],
     ["IN", "b.keras", "--architecture", "no.where:f"]],
)  # fmt: skip
def test_wrong_words_end_with_two_and_write_nothing(
    words: list[str], net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.main([str(net) if word == "IN" else word for word in words]) == 2
    err = capsys.readouterr().err
    assert "xpected" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_unknown_option_is_wrong_usage(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["--colour"])
    assert end.value.code == 2


def test_routes_are_shown_without_a_framework() -> None:
    script = "import sys; from converters.cli import main; main(['--routes'])\n" + (
        "assert not {'tensorflow', 'keras', 'torch', 'onnx'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "| ONNX |" in done.stdout


def _faulty(*args: object, **options: object) -> object:
    """As onnx_to_keras, but the model that it makes answers differently."""
    from converters.onnx_to_keras import onnx_to_keras
    from converters.parity import certify

    model = onnx_to_keras(*args, verify=False)  # type: ignore[arg-type]
    model.set_weights([value * 1.01 for value in model.get_weights()])
    certify(
        model,
        args[0],
        converters.ImportReport("net.onnx", "ONNX"),
        allow_mismatch=bool(options.get("allow_mismatch")),
    )
    return model


def test_a_mismatch_ends_with_one_and_still_has_its_report(
    net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(converters, "onnx_to_keras", _faulty)
    report = tmp_path / "r.json"
    words = [str(net), str(tmp_path / "net.keras"), "--report", str(report)]
    assert cli.main(words) == 1
    assert not (tmp_path / "net.keras").exists()
    assert not converters.ImportReport.from_json(report).passed
    assert "allow_mismatch" in capsys.readouterr().err
    assert cli.main([*words, "--allow-mismatch"]) == 1
    assert (tmp_path / "net.keras").is_file()
    assert "DIFFERS" in capsys.readouterr().out


@pytest.fixture
def tlkeras(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> object:
    """Run a tlkeras command line; gives (exit status, standard output, standard error)."""
    from tlkeras.cli import main

    def call(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["tlkeras", *map(str, words)])
        with pytest.raises(SystemExit) as end:
            main.run()
        out, err = capfd.readouterr()
        return int(end.value.code or 0), out, err

    return call


def test_tlkeras_converts_with_the_same_words(tlkeras: object, net: Path, tmp_path: Path) -> None:
    status, out, _ = tlkeras("convert", net, tmp_path / "a.keras", "--json")
    assert status == 0
    assert json.loads(out)["report"]["passed"] is True
    status, out, _ = tlkeras("convert", net, tmp_path / "b.keras", "--report", tmp_path / "r.html")
    assert status == 0
    assert "agrees with its source" in out
    assert (tmp_path / "r.html").is_file()


def test_tlkeras_tells_wrong_input_in_words(tlkeras: object, net: Path, tmp_path: Path) -> None:
    for words in ((tmp_path / "none.onnx", "b.keras"), (net, tmp_path / "b.doc")):
        status, out, err = tlkeras("convert", *words)
        assert status == 2
        assert out == ""
        assert "Expected" in err
        assert "Traceback" not in err


def test_tlkeras_tells_a_mismatch_with_one(
    tlkeras: object, net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(converters, "onnx_to_keras", _faulty)
    assert tlkeras("convert", net, tmp_path / "b.keras")[0] == 1
    assert tlkeras("convert", net, tmp_path / "b.keras", "--allow-mismatch")[0] == 1
