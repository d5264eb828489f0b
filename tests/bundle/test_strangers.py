"""Run folders of strangers: their hashes are right, and yet they do no harm."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tlkeras.bundle.bundle import Bundle
from tlkeras.bundle.index import is_run, sha256
from tlkeras.bundle.read import MOST_TEXT, load
from tlkeras.bundle.unknown import to_npy
from tlkeras.bundle.write import save
from tlkeras.errors import BundleError
from tlkeras.heads.unknown import UnknownScore


@pytest.fixture
def run(bundle: Bundle, tmp_path: Path) -> Path:
    return save(bundle, tmp_path / "run")


def reindexed(run: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    index = json.loads((run / "bundle.json").read_text())
    change(index)
    (run / "bundle.json").write_text(json.dumps(index))
    return run


def rewritten(run: Path, name: str, content: bytes) -> Path:
    """The run with another file, and its hash put right."""
    (run / name).write_bytes(content)
    return reindexed(run, lambda index: index["sha256"].update({name: sha256(run / name)}))


def refused(run: Path) -> str:
    with pytest.raises(BundleError) as caught:
        load(run)
    return str(caught.value)


def told(validation: dict[str, object], **parts: object) -> bytes:
    """metrics.json with some entries of its own."""
    unknown = {"false_alarms": 0.05, "rows": 40}
    figures = {"accuracy": 1.0, "loss": 0.1, "decisions": [], "unknown": unknown}
    return json.dumps({"validation": {**figures, **validation}, **parts}).encode()


def test_deep_json_is_refused_and_no_run(run: Path) -> None:
    deep = b"[" * 100_000
    assert "lists and objects deep" in refused(rewritten(run, "metrics.json", deep))
    (run / "bundle.json").write_bytes(deep)
    assert not is_run(run)
    assert "lists and objects deep" in refused(run)


@pytest.mark.parametrize("target", ["/dev/zero", "../secret.txt", "/etc/passwd"])
def test_link_out_of_the_folder_is_refused(run: Path, target: str) -> None:
    (run.parent / "secret.txt").write_text("secret")
    (run / "labels.txt").unlink()
    (run / "labels.txt").symlink_to(target)
    message = refused(run)
    assert "a link to" in message
    assert "Copy the file into the folder" in message


def test_pipe_is_not_waited_for(run: Path) -> None:
    (run / "labels.txt").unlink()
    os.mkfifo(run / "labels.txt")
    assert "no regular file" in refused(run)


def test_table_of_gigabytes_is_refused_before_it_is_read(run: Path) -> None:
    with (run / "data.csv").open("wb") as file:
        file.truncate(MOST_TEXT + 1)  # takes no room on the disk
    assert f"at most {MOST_TEXT:,} bytes" in refused(run)


def test_head_of_foreign_functions_is_not_built(run: Path) -> None:
    call = {"module": "os", "class_name": "function", "config": "system"}
    layer = {"module": "keras.layers", "class_name": "Dense", "config": {"activation": call}}
    index = reindexed(run, lambda index: index["head"].update(kind="layers", layers=[layer]))
    assert "function system of os" in refused(index)


@pytest.mark.parametrize(
    ("entry", "value"),
    [("backbone", []), ("head", "linear"), ("class_names", [1, 2]), ("sha256", []),
     ("backbone", {"name": "x", "size_px": "224"}), ("head", {"layers": [], "chosen": {}})],
)  # fmt: skip
def test_entries_of_other_kinds_are_told(run: Path, entry: str, value: object) -> None:
    assert "bundle.json" in refused(reindexed(run, lambda index: index.update({entry: value})))


@pytest.mark.parametrize("side", [0, -1, 10**30])
def test_pictures_of_an_impossible_size_are_told(run: Path, side: int) -> None:
    assert "bundle.json" in refused(reindexed(run, lambda i: i["backbone"].update(size_px=side)))


@pytest.mark.parametrize(
    "told", [None, {}, {"false_alarms": "\ud83d", "rows": 40}, {"false_alarms": 0.05, "rows": []}]
)
def test_an_unknown_score_that_is_told_otherwise_is_refused(run: Path, told: object) -> None:
    table = to_npy(UnknownScore(np.ones((4, 2), "float32"), 0.5, 0.05, 40))
    metrics = json.loads((run / "metrics.json").read_text())
    metrics["validation"] |= {"unknown": {"false_alarms": 0.05, "rows": 40}}
    rewritten(run, "metrics.json", json.dumps(metrics).encode())
    assert load(rewritten(run, "unknown.npy", table)).network.unknown is not None
    metrics["validation"]["unknown"] = told
    assert "unknown.npy" in refused(rewritten(run, "metrics.json", json.dumps(metrics).encode()))


@pytest.mark.parametrize("name", ["a\0b", "half \ud83d"])
def test_no_file_has_a_name_that_is_no_path(name: str) -> None:
    with pytest.raises(OSError, match="is no path"):
        sha256(Path(name))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", b"[]"),
        ("metrics.json", b'{"validation": {"accuracy": "much"}}'),
        ("metrics.json", told({"decisions": [None]})),
        ("metrics.json", told({"temperature": 0})),
        ("metrics.json", told({"temperature": "warm"})),
        ("metrics.json", told({"cost": {"head": {"seconds": []}}})),
        ("metrics.json", told({}, test={"accuracy": 1, "interval": None, "n": 6})),
        ("recipe.json", b"7"),
        ("data.csv", b"path,label\na.jpg,zebra\n"),
        ("data.csv", b"path,sha256,label,part\na.jpg,0,thief,test\n"),
        ("history.csv", b"a,b\n1,2,3,4\n"),
    ],
)
def test_tables_of_another_form_are_told(run: Path, name: str, content: bytes) -> None:
    assert "run folder" in refused(rewritten(run, name, content))


def test_figures_of_every_kind_that_save_writes_are_read(run: Path) -> None:
    cost = {"head": {"seconds": 3, "peak_mb": 9.5}}
    test = {"accuracy": 1, "interval": [0.5, 1], "n": 6, "per_class": []}
    content = told({"temperature": 2, "cost": cost}, test=test)
    bundle = load(rewritten(run, "metrics.json", content))
    assert bundle.validation["temperature"] == 2.0
    assert bundle.validation["cost"] == cost
    assert bundle.metrics == {"test": test}


def test_onnx_file_that_names_others_is_not_given_to_a_runtime(run: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(run / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    message = refused(rewritten(run, "model.onnx", model.SerializeToString()))
    assert "weights in another file" in message
