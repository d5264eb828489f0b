"""A choice is found again on the same machine only, and damage is no memory."""

import json
from pathlib import Path

import pytest

from tlkeras.features.engines import memory
from tlkeras.features.engines.choice import Choice
from tlkeras.features.engines.hardware import Hardware
from tlkeras.features.engines.memory import remember, remembered, trial_key

CHOICE = Choice("openvino", "float32", {"openvino": 337.2, "tensorflow": 91.0}, 4e-7, {"a": "why"})


def test_a_choice_comes_back_as_it_was(tmp_path: Path) -> None:
    key = trial_key("3fa9", ["openvino", "tensorflow"])

    remember(tmp_path / "engines", key, CHOICE)

    assert remembered(tmp_path / "engines", key) == CHOICE
    assert remembered(tmp_path / "engines", key).line == CHOICE.line  # type: ignore[union-attr]
    assert [file.suffix for file in (tmp_path / "engines").iterdir()] == [".json"]


def test_nothing_kept_is_no_choice(tmp_path: Path) -> None:
    assert remembered(tmp_path / "none", "key") is None


@pytest.mark.parametrize(
    "machine",
    [
        Hardware("Other", 2, ("avx2",)),
        Hardware("Mine", 4, ("avx2",)),
        Hardware("Mine", 2, ("avx2", "amx_bf16")),
    ],
)
def test_another_machine_is_tried_again(machine: Hardware) -> None:
    mine = Hardware("Mine", 2, ("avx2",))

    assert trial_key("3fa9", ["a"], machine) != trial_key("3fa9", ["a"], mine)


def test_another_version_backbone_or_candidate_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = trial_key("3fa9", ["a", "b"])

    assert trial_key("3fa9", ["b", "a"]) == before
    assert trial_key("3faa", ["a", "b"]) != before
    assert trial_key("3fa9", ["a"]) != before
    monkeypatch.setattr(memory, "version", lambda package: "99.0")
    assert trial_key("3fa9", ["a", "b"]) != before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "[" * 100_000,
        '{"format": 1}',
        '{"format": 1, "key": "other", "choice": {}}',
        '{"format": 2, "key": "KEY", "choice": {}}',
        '{"format": 1, "key": "KEY", "choice": null}',
        '{"format": 1, "key": "KEY", "choice": {"name": "x", "precision": "float32",'
        ' "rates": {}, "difference": 0, "dropped": {}}}',
        '{"format": 1, "key": "KEY", "choice": {"name": "x", "precision": "float8",'
        ' "rates": {"x": 1}, "difference": 0, "dropped": {}}}',
        '{"format": 1, "key": "KEY", "choice": {"name": ["x"], "precision": "float32",'
        ' "rates": {"x": "fast"}, "difference": 0, "dropped": []}}',
    ],
)
def test_damaged_or_foreign_memory_is_none(tmp_path: Path, text: str) -> None:
    remember(tmp_path, "KEY", CHOICE)
    (file,) = tmp_path.iterdir()

    file.write_text(text)

    assert remembered(tmp_path, "KEY") is None


def test_bytes_that_are_no_text_are_no_memory(tmp_path: Path) -> None:
    remember(tmp_path, "KEY", CHOICE)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff\xfe\x00\x81")

    assert remembered(tmp_path, "KEY") is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    remember(tmp_path / "file", "KEY", CHOICE)

    assert remembered(tmp_path / "file", "KEY") is None


def test_the_file_says_what_it_is_for(tmp_path: Path) -> None:
    key = trial_key("3fa9", ["openvino"])
    remember(tmp_path, key, CHOICE)
    (file,) = tmp_path.iterdir()

    assert json.loads(json.loads(file.read_text())["key"])["backbone"] == "3fa9"
