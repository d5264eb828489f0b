import os
from pathlib import Path

import pytest

from converters import ReadError
from converters.doors.json_text import depth, first_bytes, read_json


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b'{"a": [1, {"b": 2}]}', 3),
        (b'{"a": "[[[["}', 1),
        (rb'{"a": "\"[[["}', 1),
        (rb'["\\", [1]]', 2),
    ],
)
def test_depth_counts_lists_and_objects_outside_strings(text: bytes, levels: int) -> None:
    assert depth(text) == levels


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000, b"[" * 201 + b"]" * 201]
)
def test_deep_json_is_refused_before_python_reads_it(text: bytes) -> None:
    with pytest.raises(ReadError, match="lists and objects deep in it"):
        read_json(text, "it")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe{\0}\0", b"\xff", b"1" * 5000, b'{"a" 1}'])
def test_no_json_is_told(text: bytes) -> None:
    with pytest.raises(ReadError, match="Expected JSON in it"):
        read_json(text, "it")


def test_long_json_is_refused() -> None:
    with pytest.raises(ReadError, match="at most 10 bytes of JSON in it, got 12"):
        read_json(b'"0123456789"', "it", most_bytes=10)


def test_text_of_any_script_is_read() -> None:
    assert read_json('{"猫": ["ä", "\\ud83d"]}', "it") == {"猫": ["ä", "\ud83d"]}


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ReadError, match="no regular file"):
        first_bytes(tmp_path / "pipe", 3)
