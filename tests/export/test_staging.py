"""Where SavedModels are put: whole or not at all, over nothing that is no SavedModel."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tlkeras.errors import ExportError
from tlkeras.export.staging import put, staged


def old_saved_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"old")
    (folder / "variables").mkdir()
    return folder


def test_folder_appears_complete(tmp_path: Path) -> None:
    with staged(tmp_path / "deep" / "1") as folder:
        (folder / "saved_model.pb").write_bytes(b"new")
        assert not (tmp_path / "deep" / "1").exists()
    assert (tmp_path / "deep" / "1" / "saved_model.pb").read_bytes() == b"new"
    assert [entry.name for entry in (tmp_path / "deep").iterdir()] == ["1"]


def test_old_saved_model_gives_way(tmp_path: Path) -> None:
    target = old_saved_model(tmp_path / "1")
    with staged(target) as folder:
        (folder / "saved_model.pb").write_bytes(b"new")
        assert (target / "saved_model.pb").read_bytes() == b"old"
    assert sorted(entry.name for entry in target.iterdir()) == ["saved_model.pb"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_error_leaves_the_old_one_and_nothing_new(
    tmp_path: Path, error: type[BaseException]
) -> None:
    target = old_saved_model(tmp_path / "1")

    def write_half() -> None:
        with staged(target) as folder:
            (folder / "half").write_bytes(b"written")
            raise error

    with pytest.raises(error):
        write_half()
    assert (target / "saved_model.pb").read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["1"]


def test_full_disk_is_an_export_error(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="room on the disk"), staged(tmp_path / "1"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["thesis.docx", "1"])
def test_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    target = tmp_path / "flowers"
    target.mkdir()
    (target / name).mkdir()
    with pytest.raises(ExportError, match=f"holds {name}"), staged(target):
        pytest.fail("the block must not run")
    assert (target / name).exists()


def test_saved_model_with_a_foreign_file_inside_is_refused(tmp_path: Path) -> None:
    target = old_saved_model(tmp_path / "1")
    (target / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match=r"notes\.txt"), staged(target):
        pytest.fail("the block must not run")


def test_file_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "model.bin"
    target.write_bytes(b"mine")
    with pytest.raises(ExportError, match="Expected"), staged(target):
        pytest.fail("the block must not run")
    assert target.read_bytes() == b"mine"


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    with staged(tmp_path) as folder:
        (folder / "saved_model.pb").write_bytes(b"new")
    assert (tmp_path / "saved_model.pb").exists()


def write_new(folder: Path) -> None:
    (folder / "saved_model.pb").write_bytes(b"new")


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_folder_of_a_model_takes_the_next_version(tmp_path: Path) -> None:
    model = tmp_path / "serve" / "flowers"
    assert [put(model, write_new) for _ in range(3)] == [model / "1", model / "2", model / "3"]
    assert names(model) == ["1", "2", "3"]
    assert (model / "3" / "saved_model.pb").read_bytes() == b"new"


def test_next_version_is_above_the_highest_whatever_lies_beside_it(tmp_path: Path) -> None:
    for name in ("2", "10", "7", "old", ".tlkeras-writing-5"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").write_text("mine")
    assert put(tmp_path, write_new) == tmp_path / "11"
    assert len(names(tmp_path)) == 7


def test_relative_folder_gives_a_relative_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert put("flowers", write_new) == Path("flowers/1")
    assert put("./flowers/", write_new) == Path("flowers/2")


def test_version_that_is_named_is_that_one(tmp_path: Path) -> None:
    assert put(tmp_path / "7", write_new) == tmp_path / "7"
    (tmp_path / "7" / "saved_model.pb").write_bytes(b"old")
    assert put(tmp_path / "7", write_new) == tmp_path / "7"
    assert (tmp_path / "7" / "saved_model.pb").read_bytes() == b"new"
    assert names(tmp_path) == ["7"]


def test_saved_model_at_a_name_is_replaced_there(tmp_path: Path) -> None:
    target = old_saved_model(tmp_path / "exported")
    assert put(target, write_new) == target
    assert names(target) == ["saved_model.pb"]


def test_versions_written_at_once_get_a_number_each(tmp_path: Path) -> None:
    together = threading.Barrier(6)

    def write(number: int) -> Path:
        def fill(folder: Path) -> None:
            (folder / "saved_model.pb").write_bytes(bytes([number]))
            together.wait(timeout=20)

        return put(tmp_path / "model", fill)

    with ThreadPoolExecutor(6) as pool:
        written = list(pool.map(write, range(6)))
    assert sorted(path.name for path in written) == list("123456")
    for number, path in enumerate(written):
        assert (path / "saved_model.pb").read_bytes() == bytes([number])
    assert names(tmp_path / "model") == list("123456")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_error_leaves_no_version_and_no_new_folder(
    tmp_path: Path, error: type[BaseException]
) -> None:
    def write_half(folder: Path) -> None:
        (folder / "half").write_bytes(b"written")
        raise error

    with pytest.raises(error):
        put(tmp_path / "flowers", write_half)
    assert names(tmp_path) == []
    put(tmp_path / "flowers", write_new)
    with pytest.raises(error):
        put(tmp_path / "flowers", write_half)
    assert names(tmp_path / "flowers") == ["1"]


def test_folder_that_is_no_models_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").touch()
    with pytest.raises(ExportError, match=r"holds thesis\.docx.*or the version itself"):
        put(tmp_path, lambda folder: pytest.fail("it must not be written"))
    with pytest.raises(ExportError, match="folder of a model"):
        put(tmp_path / "thesis.docx", lambda folder: pytest.fail("it must not be written"))
    assert names(tmp_path) == ["thesis.docx"]


def test_full_disk_below_a_models_folder_is_an_export_error(tmp_path: Path) -> None:
    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(ExportError, match="room on the disk"):
        put(tmp_path / "flowers", full)
    assert names(tmp_path) == []


def test_what_a_killed_export_left_is_swept_by_the_next(tmp_path: Path) -> None:
    killed = """
import os, sys
from tlkeras.export.staging import put
put(sys.argv[1], lambda folder: ((folder / "half").touch(), os._exit(9)))
"""
    words = [sys.executable, "-c", killed, str(tmp_path / "model")]
    assert subprocess.run(words, check=False).returncode == 9
    (left,) = names(tmp_path / "model")
    assert left.startswith(".tlkeras-writing-")
    put(tmp_path / "model", write_new)
    assert names(tmp_path / "model") == ["1"]
