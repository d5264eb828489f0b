"""`tlkeras export` with its formats: where each lies, what is said, what is refused."""

import json
from pathlib import Path

import pytest

from tlkeras.cli import main
from tlkeras.cli.export import Wanted, _place, _told


def tlkeras(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture, *words: object
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["tlkeras", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        main.run()
    out, err = capfd.readouterr()
    return int(end.value.code or 0), out, err


@pytest.fixture(scope="module")
def run_folder(flower_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tlkeras as tl

    clf = tl.ImageClassifier("TinyResNet", weights=None).fit(flower_folder)
    return clf.save(tmp_path_factory.mktemp("runs") / "flowers")


def test_formats_are_listed_without_a_run(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    status, out, _ = tlkeras(monkeypatch, capfd, "export", "--formats")
    assert status == 0
    assert all(name in out for name in ("saved_model", "onnx", "litert-int8", "held to"))
    status, out, _ = tlkeras(monkeypatch, capfd, "export", "--formats", "--json")
    assert [row["name"] for row in json.loads(out)][:2] == ["saved_model", "onnx"]


def test_unknown_format_is_refused_before_the_run_is_read(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    status, out, err = tlkeras(monkeypatch, capfd, "export", "nothing", "--to", "onnx,onxn")
    assert (status, out) == (2, "")
    assert "'onxn'" in err


def test_no_run_is_wrong_usage(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    assert tlkeras(monkeypatch, capfd, "export")[0] == 2


def test_saved_model_alone_takes_the_folder_itself() -> None:
    run, to = Path("runs/flowers"), Path("serve/flowers/1")
    assert _place("saved_model", ("saved_model",), run, to) == to
    assert _place("saved_model", ("saved_model", "onnx"), run, Path("out")) == Path(
        "out/saved_model/1"
    )
    assert _place("onnx", ("onnx",), run, Path("out")) == Path("out/flowers.onnx")
    assert _place("c", ("c",), run, None) == Path("exported/flowers/c")


@pytest.mark.slow
def test_folder_of_a_model_takes_the_next_version_and_says_which(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    run_folder: Path,
    tmp_path: Path,
) -> None:
    model = tmp_path / "serve" / "flowers"
    (model / "1").mkdir(parents=True)
    status, out, _ = tlkeras(monkeypatch, capfd, "export", run_folder, model)
    assert status == 0
    assert f"SavedModel: {model / '2'}\nHow to serve and ask it: {model / 'README.md'}\n" in out
    assert _told("saved_model", model / "2")["readme"] == str(model / "README.md")
    assert sorted(entry.name for entry in model.iterdir()) == ["1", "2", "README.md"]


def test_formats_are_parted_by_commas_and_written_once() -> None:
    assert Wanted.from_text("onnx, c,onnx", 17, 0.02).formats == ("onnx", "c")


@pytest.mark.slow
def test_several_formats_lie_in_one_folder_each_proven(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    run_folder: Path,
    tmp_path: Path,
) -> None:
    words = ("--to", "onnx,litert,litert-int8,c", "--verify", "--json")
    status, out, _ = tlkeras(monkeypatch, capfd, "export", run_folder, tmp_path / "out", *words)
    assert status == 0
    told = json.loads(out)["artefacts"]
    assert [row["format"] for row in told] == ["onnx", "litert", "litert-int8", "c"]
    assert all(row["parity"]["label_mismatches"] == 0 for row in told)
    assert told[2]["quality"][0]["part"] == "validation"
    assert (tmp_path / "out" / "flowers.onnx.parity.json").exists()
    assert sorted(entry.name for entry in (tmp_path / "out" / "c").iterdir()) == [
        "classifier.cc",
        "classifier.h",
        "parity.json",
    ]


@pytest.mark.slow
def test_opset_and_drop_reach_the_writer(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
    run_folder: Path,
    tmp_path: Path,
) -> None:
    import onnx

    words = ("--to", "onnx", "--opset", "15")
    assert tlkeras(monkeypatch, capfd, "export", run_folder, tmp_path, *words)[0] == 0
    proto = onnx.load(tmp_path / "flowers.onnx")
    assert [entry.version for entry in proto.opset_import if entry.domain == ""] == [15]
    words = ("--to", "onnx", "--opset", "9")
    status, _, err = tlkeras(monkeypatch, capfd, "export", run_folder, tmp_path / "b", *words)
    assert status == 2
    assert "13 to 21" in err
