"""What is staged appears whole or not at all, also after a kill."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from converters.exported import staged
from converters.exported.staging import _place


def left_by_a_dead_process(folder: Path) -> Path:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    left = folder / f".converters-writing-{_place()}-{process.pid}-0123abcd"
    left.mkdir(parents=True)
    return left


def test_file_and_what_lies_beside_it_replace_older_ones(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("old")
    with staged(tmp_path / "a.onnx") as fresh:
        fresh.write_text("new")
        fresh.with_name("a.onnx.data").write_text("more")
        assert (tmp_path / "a.onnx").read_text() == "old"
    assert (tmp_path / "a.onnx").read_text() == "new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt()])
def test_after_an_error_all_is_as_it_was(tmp_path: Path, error: BaseException) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_text("old")

    def write() -> None:
        with staged(tmp_path / "a") as fresh:
            fresh.mkdir()
            raise error

    with pytest.raises(type(error)):
        write()
    assert (tmp_path / "a" / "b").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_folder_replaces_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "old").touch()
    with staged(tmp_path / "a") as fresh:
        fresh.mkdir()
        (fresh / "new").touch()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_folder_that_a_killed_process_had_put_aside_is_back(tmp_path: Path) -> None:
    left = left_by_a_dead_process(tmp_path)
    (left / "a.previous").mkdir()
    (left / "a.previous" / "b").write_text("old")
    with staged(tmp_path / "another") as fresh:
        fresh.touch()
    assert (tmp_path / "a" / "b").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "another"]


def test_folder_that_was_replaced_before_the_kill_stays_replaced(tmp_path: Path) -> None:
    left = left_by_a_dead_process(tmp_path)
    (left / "a.previous").mkdir()
    (tmp_path / "a").write_text("new")
    with staged(tmp_path / "another") as fresh:
        fresh.touch()
    assert (tmp_path / "a").read_text() == "new"
    assert not left.exists()


def test_what_a_living_process_or_another_program_writes_stays(tmp_path: Path) -> None:
    ours = tmp_path / f".converters-writing-{_place()}-{os.getpid()}-0123abcd"
    elsewhere = tmp_path / ".converters-writing-00000000-1-0123abcd"
    other = tmp_path / ".converters-writing-x"
    for path in (ours, elsewhere, other):
        path.mkdir()
    with staged(tmp_path / "a") as fresh:
        fresh.touch()
    assert all(path.exists() for path in (ours, elsewhere, other))
    os.utime(elsewhere, (1e9, 1e9))
    with staged(tmp_path / "a") as fresh:
        fresh.touch()
    assert not elsewhere.exists()


def test_full_disk_is_told_with_its_folder(tmp_path: Path) -> None:
    said = f"no space is left in '{tmp_path}': .* MB were free, and more is needed"
    with pytest.raises(OSError, match=said) as caught, staged(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []
