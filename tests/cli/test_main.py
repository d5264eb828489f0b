"""The command line as a user meets it: words, JSON, exit status."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest


def test_help_and_version_end_with_zero(tlkeras: object) -> None:
    status, out, _ = tlkeras("--help")
    assert status == 0
    assert all(word in out for word in ("demo", "check", "train", "predict", "export"))
    assert tlkeras("--version")[0] == 0


def test_unknown_command_is_wrong_usage(tlkeras: object) -> None:
    assert tlkeras("trian")[0] == 2


def test_check_finds_nothing_wrong_and_ends_with_zero(tlkeras: object, flower_folder: Path) -> None:
    status, out, _ = tlkeras("check", flower_folder, "--json")
    assert status == 0
    assert json.loads(out)["ok"] is True


def test_check_names_broken_pictures(  # D2
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(flower_folder, tmp_path / "flowers")
    (folder / "rose" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    status, out, _ = tlkeras("check", folder)
    assert status == 0  # it is set aside, and the rest trains
    assert "cut.jpg" in out


def test_check_of_a_picture_with_two_labels_ends_with_one(
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(flower_folder, tmp_path / "flowers")
    shutil.copy(folder / "rose" / "rose_01.jpg", folder / "iris" / "same.jpg")
    status, out, _ = tlkeras("check", folder)
    assert status == 1
    assert "same.jpg" in out


def test_missing_folder_is_wrong_input_said_in_words(tlkeras: object, tmp_path: Path) -> None:
    status, out, err = tlkeras("train", tmp_path / "nothing", "--to", tmp_path / "run")
    assert status == 2
    assert out == ""
    assert "nothing" in err
    assert "Traceback" not in err


def test_wrong_backbone_lists_close_names(
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    status, _, err = tlkeras(
        "train", flower_folder, "--backbone", "MobilNetV2", "--to", tmp_path / "run"
    )
    assert status == 2
    assert "MobileNetV2" in err


def test_existing_run_folder_is_not_overwritten(
    tlkeras: object, flower_folder: Path, run_folder: Path
) -> None:
    before = {path: path.read_bytes() for path in run_folder.iterdir()}
    status, _, err = tlkeras("train", flower_folder, "--to", run_folder)
    assert status == 2
    assert "--force" in err
    assert {path: path.read_bytes() for path in run_folder.iterdir()} == before


def test_train_saves_a_run_and_reports_the_test_part(
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    status, out, _ = tlkeras(
        "train", flower_folder, "--backbone", "TinyResNet", "--weights", "none",
        "--set", "batch_size=8", "--to", tmp_path / "run", "--json",
    )  # fmt: skip
    assert status == 0
    told = json.loads(out)
    assert told["test"]["n"] == 6
    assert (tmp_path / "run" / "model.keras").exists()
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())["batch_size"] == 8


def test_unknown_knob_lists_close_names(
    tlkeras: object, flower_folder: Path, tmp_path: Path
) -> None:
    status, _, err = tlkeras(
        "train", flower_folder, "--set", "batchsize=8", "--to", tmp_path / "run"
    )
    assert status == 2
    assert "'batch_size'" in err


def test_evaluate_uses_the_recorded_test_part(
    tlkeras: object, run_folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    status, out, _ = tlkeras("evaluate", run_folder, "--html", page, "--json")
    assert status == 0
    assert json.loads(out)["n"] == 6
    assert page.read_bytes().startswith(b"<!doctype html>")


def test_evaluate_of_another_folder_takes_all_its_pictures(
    tlkeras: object, run_folder: Path, flower_folder: Path
) -> None:
    status, out, _ = tlkeras("evaluate", run_folder, flower_folder, "--json")
    assert status == 0
    assert json.loads(out)["n"] == 36


def test_predict_names_each_picture_and_marks_the_broken_one(  # D2, D7
    tlkeras: object, run_folder: Path, flower_folder: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    status, out, _ = tlkeras("predict", run_folder, flower_folder / "rose", broken, "--json")
    assert status == 1
    rows = json.loads(out)
    assert len(rows) == 13
    assert rows[-1]["path"] == str(broken)
    assert rows[-1]["label"] is None
    assert all(row["label"] in ("daisy", "iris", "rose") for row in rows[:-1])


def test_predict_with_a_folder_that_is_no_run(tlkeras: object, flower_folder: Path) -> None:
    status, _, err = tlkeras("predict", flower_folder, flower_folder)
    assert status == 2
    assert "run" in err


def test_backbones_lists_names_figures_and_licences(tlkeras: object) -> None:
    status, out, _ = tlkeras("backbones", "mobilenetv2")
    assert status == 0
    assert "MobileNetV2-0.35" in out
    assert "71.3" in out
    rows = json.loads(tlkeras("backbones", "--json")[1])
    assert len(rows) > 50
    assert tlkeras("backbones", "nothing")[0] == 2


@pytest.mark.slow
def test_export_says_where_and_that_it_was_proven(
    tlkeras: object, run_folder: Path, tmp_path: Path
) -> None:
    status, out, _ = tlkeras("export", run_folder, tmp_path / "serve" / "1", "--json")
    assert status == 0
    told = json.loads(out)
    assert (Path(told["path"]) / "saved_model.pb").exists()
    assert told["parity"]["label_mismatches"] == 0


@pytest.mark.parametrize(
    ("number", "said", "status"),
    [
        (errno.ENOSPC, "no space is left in", 1),
        (errno.EROFS, "is on a disk that is read-only", 1),
        (errno.ENAMETOOLONG, "name another file or folder", 2),
    ],
)
def test_disk_that_refuses_ends_a_command_in_words(
    tlkeras: object,
    flower_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    said: str,
    status: int,
) -> None:
    page = tmp_path / "findings.html"
    page.write_text("older")

    def refuse(source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "replace", refuse)
    ended, _, err = tlkeras("check", flower_folder, "--html", page)
    assert ended == status
    assert said in err
    assert "Traceback" not in err
    assert page.read_text() == "older"
