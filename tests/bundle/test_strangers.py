"""Run folders of strangers: their hashes are right, and yet they do no harm."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tlkeras.bundle.bundle import Bundle
from tlkeras.bundle.index import is_run, sha256
from tlkeras.bundle.read import MOST_TEXT, load
from tlkeras.bundle.write import save
from tlkeras.errors import BundleError


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
     ("backbone", {"name": "x", "size_px": "224"})],
)  # fmt: skip
def test_entries_of_other_kinds_are_told(run: Path, entry: str, value: object) -> None:
    assert "bundle.json" in refused(reindexed(run, lambda index: index.update({entry: value})))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("metrics.json", b"[]"),
        ("metrics.json", b'{"validation": {"accuracy": "much"}}'),
        ("recipe.json", b"7"),
        ("data.csv", b"path,label\na.jpg,zebra\n"),
        ("data.csv", b"path,sha256,label,part\na.jpg,0,thief,test\n"),
        ("history.csv", b"a,b\n1,2,3,4\n"),
    ],
)
def test_tables_of_another_form_are_told(run: Path, name: str, content: bytes) -> None:
    assert "run folder" in refused(rewritten(run, name, content))


def test_onnx_file_that_names_others_is_not_given_to_a_runtime(run: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load(run / "model.onnx")
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../secret.bin")
    message = refused(rewritten(run, "model.onnx", model.SerializeToString()))
    assert "weights in another file" in message
