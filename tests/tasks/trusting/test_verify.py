"""`verify`: a whole run is right; each kind of change is found, and told from what is gone."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

import tlkeras as tl
from tests.conftest import write_flowers
from tlkeras.errors import BundleError
from tlkeras.tasks.trusting import exports as records
from tlkeras.tasks.trusting.exports import FILE, exports, tree_hash
from tlkeras.tasks.trusting.verification import Verification


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures/ and run/, which no test changes."""
    folder = tmp_path_factory.mktemp("verified")
    data = tl.ImageFolder(write_flowers(folder / "pictures", per_class=12))
    clf = tl.ImageClassifier("TinyResNet", weights="builtin").fit(data)
    clf.save(folder / "run")
    return folder


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return shutil.copytree(trained / "run", tmp_path / "run")


def states(verification: Verification) -> dict[str, str]:
    return {check.what: check.state for check in verification}


def test_run_as_it_was_saved_is_right(run: Path) -> None:
    verification = tl.verify(run)
    assert verification.ok
    assert states(verification) == {
        "files": "right", "data": "right", "outputs": "right", "licence": "right"
    }  # fmt: skip
    outputs = next(check for check in verification if check.what == "outputs")
    assert "5 of 5 pictures" in outputs.found or "6 of 6 pictures" in outputs.found
    assert str(verification).startswith(f"{run}: as it was saved")


def test_every_file_is_hashed_once_and_the_network_again_when_it_runs(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    digest = hashlib.file_digest

    def counted(file: BinaryIO, name: str) -> object:
        hashed.append(name)
        return digest(file, name)

    monkeypatch.setattr(hashlib, "file_digest", counted)
    assert tl.verify(run).ok
    files = json.loads((run / "bundle.json").read_text())["sha256"]
    assert len(hashed) == 36 + len(files) + 1


def test_deep_looks_at_the_keras_model_too(run: Path) -> None:
    verification = tl.verify(run, deep=True)
    assert verification.ok
    assert [check.what for check in verification].count("outputs") == 2
    assert "the pretrained ones" in str(verification)


@pytest.mark.parametrize("name", ["model.keras", "model.onnx", "labels.txt", "outputs.json"])
def test_changed_file_is_found_by_name(run: Path, name: str) -> None:
    content = bytearray((run / name).read_bytes())
    content[len(content) // 2] ^= 1
    (run / name).write_bytes(content)
    verification = tl.verify(run)
    assert not verification.ok
    assert states(verification) == {"files": "wrong", "outputs": "unknown", "licence": "right"}
    assert f"{name} has other bytes" in verification[0].found


def test_a_file_that_is_a_link_out_of_the_folder_is_not_read(run: Path) -> None:
    (run / "model.onnx").unlink()
    (run / "model.onnx").symlink_to("/dev/zero")
    verification = tl.verify(run)
    assert states(verification)["files"] == "wrong"
    assert "model.onnx is a link to elsewhere" in verification[0].found


def test_a_table_of_gigabytes_is_not_read(run: Path) -> None:
    os.truncate(run / "labels.txt", 1 << 40)  # takes no room on the disk
    assert "labels.txt has more than 268,435,456 bytes" in tl.verify(run)[0].found


@pytest.mark.parametrize("path", ["nowhere/a\0b", "half \ud83d"])
def test_names_that_are_no_paths_are_told(run: Path, path: str) -> None:
    row = {"path": path, "format": "onnx", "sha256": "0", "model": "0", "date": "2026-11-22"}
    (run / FILE).write_text(json.dumps([row]))
    verification = tl.verify(run)
    assert states(verification)["export"] == "unknown"
    str(verification).encode()


def test_a_record_that_names_half_a_disk_is_not_followed(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_FILES", 3)
    for number in range(4):
        (tmp_path / "disk" / str(number)).mkdir(parents=True)
    row = {"path": "../disk", "format": "c", "sha256": "0", "model": "0", "date": "2026-11-22"}
    (run / FILE).write_text(json.dumps([row]))
    (export,) = [check for check in tl.verify(run) if check.what == "export"]
    assert export.state == "unknown"
    assert "over 3 files" in export.found


def test_missing_file_is_found_by_name(run: Path) -> None:
    (run / "history.csv").unlink()
    assert "history.csv is missing" in tl.verify(run)[0].found


def test_edited_card_is_allowed_and_told(run: Path) -> None:
    (run / "README.md").write_text("mine")
    verification = tl.verify(run)
    assert verification.ok
    assert "README.md was edited" in verification[0].found


def test_folder_without_its_pictures_is_no_fault(run: Path, trained: Path, tmp_path: Path) -> None:
    aside = tmp_path / "aside"
    os.rename(trained / "pictures", aside)
    try:
        verification = tl.verify(run)
    finally:
        os.rename(aside, trained / "pictures")
    assert verification.ok
    assert states(verification)["data"] == states(verification)["outputs"] == "unknown"
    assert "36 are not there" in verification[1].found


def test_changed_picture_is_found(run: Path, trained: Path) -> None:
    picture = sorted((trained / "pictures").rglob("*.jpg"))[0]
    before = picture.read_bytes()
    picture.write_bytes(before + b"\0")
    try:
        verification = tl.verify(run)
    finally:
        picture.write_bytes(before)
    assert states(verification)["data"] == "wrong"
    assert "1 changed since" in verification[1].found
    assert picture.name in verification[1].found


def test_other_answers_than_were_kept_are_found(run: Path) -> None:
    from tlkeras.bundle.index import sha256

    told = json.loads((run / "outputs.json").read_text())
    told["pictures"][1]["probabilities"].reverse()
    (run / "outputs.json").write_text(json.dumps(told))
    index = json.loads((run / "bundle.json").read_text())
    index["sha256"]["outputs.json"] = sha256(run / "outputs.json")
    (run / "bundle.json").write_text(json.dumps(index))
    verification = tl.verify(run)
    assert states(verification)["outputs"] == "wrong"
    assert "more than 0.0001" in str(verification)


def test_saved_again_keeps_the_first_answers(run: Path, tmp_path: Path) -> None:
    again = tl.ImageClassifier.load(run).save(tmp_path / "again")
    assert (again / "outputs.json").read_bytes() == (run / "outputs.json").read_bytes()


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="Name the folder"):
        tl.verify(tmp_path)


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """run/ and the ONNX file that was made of it."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained / "run", folder / "run")
    tl.ImageClassifier.load(folder / "run").export(folder / "flowers.onnx", "onnx")
    return folder


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    return shutil.copytree(exported, tmp_path / "exported")


def test_export_is_noted_and_right(copy: Path) -> None:
    (noted,) = exports(copy / "run")
    assert (noted.path, noted.format) == ("../flowers.onnx", "onnx")
    verification = tl.verify(copy / "run")
    assert states(verification)["export"] == "right"
    assert str(copy) in verification[-1].found


@pytest.mark.parametrize(
    ("spoil", "state", "words"),
    [
        (lambda file: file.write_bytes(file.read_bytes() + b"x"), "wrong", "other bytes"),
        (lambda file: file.unlink(), "unknown", "no longer there"),
    ],
)
def test_export_that_changed_is_told_from_one_that_is_gone(
    copy: Path, spoil: Callable[[Path], object], state: str, words: str
) -> None:
    spoil(copy / "flowers.onnx")
    found = tl.verify(copy / "run")[-1]
    assert (found.what, found.state) == ("export", state)
    assert words in found.found


def test_export_of_an_earlier_model_is_found(copy: Path) -> None:
    noted = json.loads((copy / "run" / FILE).read_text())
    noted[0]["model"] = "0" * 64
    (copy / "run" / FILE).write_text(json.dumps(noted))
    assert "of an earlier model" in tl.verify(copy / "run")[-1].found


@pytest.mark.parametrize("content", ["{", "[1]", '[{"path": "x"}]', "[" * 9999])
def test_damaged_notes_are_told_and_cost_nothing_else(copy: Path, content: str) -> None:
    (copy / "run" / FILE).write_text(content)
    verification = tl.verify(copy / "run")
    assert verification.ok
    assert "nothing else needs it" in verification[-1].found


def test_hash_of_a_folder_sees_names_and_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    (folder / "variables").mkdir(parents=True)
    (folder / "a").write_bytes(b"1")
    (folder / "variables" / "b").write_bytes(b"2")
    first = tree_hash(folder)
    (folder / "a").write_bytes(b"3")
    second = tree_hash(folder)
    (folder / "a").write_bytes(b"1")
    (folder / "variables" / "b").rename(folder / "b")
    assert len({first, second, tree_hash(folder)}) == 3
