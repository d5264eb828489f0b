"""JSON files are read to a bounded size and depth, by one door."""

import os
from pathlib import Path

import pytest

from tlkeras.backbones.foreign.doors import parse_json, read_json
from tlkeras.errors import WeightsError


def test_what_a_file_says_is_read(tmp_path: Path) -> None:
    (tmp_path / "facts.json").write_text('{"name": "Löwenzahn", "rows": [1, 2]}', "utf-8")
    assert read_json(tmp_path / "facts.json") == {"name": "Löwenzahn", "rows": [1, 2]}


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000])
def test_damage_is_told_with_the_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "facts.json").write_bytes(content)
    with pytest.raises(WeightsError, match=r"facts\.json"):
        read_json(tmp_path / "facts.json")
    with pytest.raises(WeightsError, match="the facts"):
        parse_json(content, "the facts")


def test_a_file_too_large_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "facts.json").touch()
    os.truncate(tmp_path / "facts.json", 1 << 40)
    with pytest.raises(WeightsError, match="at most 67,108,864 bytes"):
        read_json(tmp_path / "facts.json")


def test_a_file_that_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.json"):
        read_json(tmp_path / "none.json")
