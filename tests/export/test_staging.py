from pathlib import Path

import pytest

from tlkeras.errors import ExportError
from tlkeras.export.staging import staged


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
