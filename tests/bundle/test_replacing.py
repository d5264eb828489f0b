"""A run folder appears complete or not at all, and nothing of anybody else's is lost."""

import os
import resource
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import keras
import pytest

from tlkeras import disk
from tlkeras.bundle import atomic
from tlkeras.bundle.atomic import fresh_folder, heal
from tlkeras.bundle.bundle import Bundle
from tlkeras.bundle.read import load
from tlkeras.bundle.write import save
from tlkeras.disk import write_bytes
from tlkeras.errors import BundleError


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_an_earlier_run_is_replaced_and_nothing_else_is_left(
    bundle: Bundle, tmp_path: Path
) -> None:
    folder = save(bundle, tmp_path / "run")
    before = (folder / "bundle.json").stat().st_ino
    save(bundle, folder)
    assert (folder / "bundle.json").stat().st_ino != before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    load(folder)


def test_what_somebody_added_to_the_run_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    folder = save(bundle, tmp_path / "run")
    (folder / "report.html").write_text("mine")
    (folder / "export").mkdir()
    (folder / "export" / "1").write_text("mine too")
    save(bundle, folder)
    assert (folder / "report.html").read_text() == "mine"
    assert (folder / "export" / "1").read_text() == "mine too"
    load(folder)


@pytest.mark.parametrize("error", [OSError("No space left on device"), KeyboardInterrupt()])
def test_a_writer_that_stops_half_way_leaves_the_old_run(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """F7."""
    folder = save(bundle, tmp_path / "run")
    before = state(tmp_path)

    def half(self: keras.Model, path: Path) -> None:
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(keras.Model, "save", half)
    expected = BundleError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        save(bundle, folder)
    assert state(tmp_path) == before


def test_a_full_disk_leaves_the_old_run(bundle: Bundle, tmp_path: Path) -> None:
    """A real limit on the size of files: Keras itself would destroy the old model."""
    folder = save(bundle, tmp_path / "run")
    before = state(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
    try:
        with pytest.raises(BundleError, match=r"(?s)is written to.*Make room"):
            save(bundle, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert state(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_rename_that_fails_brings_the_old_run_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run"
    target.mkdir()
    (target / "a").write_text("old")
    rename = os.rename

    def second_fails(source: Path, to: Path) -> None:
        if "writing" in Path(source).name:
            raise PermissionError("no")
        rename(source, to)

    monkeypatch.setattr(atomic.os, "rename", second_fails)
    with (
        pytest.raises(PermissionError),
        fresh_folder(target, kept=lambda old: []) as fresh,
    ):
        (fresh / "a").write_text("new")
    assert state(tmp_path) == {"run/a": b"old"}


def test_an_old_folder_that_cannot_be_deleted_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "run").mkdir()

    def refuse(path: Path) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(shutil, "rmtree", refuse)
    with fresh_folder(tmp_path / "run", kept=lambda old: []) as fresh:
        (fresh / "a").write_text("new")
    assert (tmp_path / "run" / "a").read_text() == "new"
    assert ".tlkeras-previous-" in caplog.text


@pytest.mark.parametrize("marker", [None, "{}", '{"format": "webpack"}', "not json"])
def test_a_folder_of_something_else_is_refused_and_untouched(
    bundle: Bundle, tmp_path: Path, marker: str | None
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "README.md").write_text("precious")
    if marker is not None:
        (folder / "bundle.json").write_text(marker)
    before = state(tmp_path)
    with pytest.raises(BundleError, match="a folder of something else"):
        save(bundle, folder)
    assert state(tmp_path) == before


def test_a_file_is_refused_and_untouched(bundle: Bundle, tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.write_text("precious")
    with pytest.raises(BundleError, match="which is a file"):
        save(bundle, path)
    assert path.read_text() == "precious"


def test_an_empty_folder_is_taken(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    load(save(bundle, tmp_path / "run"))


def test_a_link_to_a_run_stays_a_link(bundle: Bundle, tmp_path: Path) -> None:
    folder = save(bundle, tmp_path / "run")
    link = tmp_path / "latest"
    link.symlink_to(folder)
    save(bundle, link)
    assert link.is_symlink()
    load(link)


def test_a_run_folder_has_the_usual_permissions(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()
    folder = save(bundle, tmp_path / "run")
    assert folder.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_write_bytes_leaves_the_old_file_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_bytes(tmp_path / "deep" / "a.txt", b"old")

    def fail(source: Path, to: Path) -> None:
        raise OSError("no")

    monkeypatch.setattr(atomic.os, "replace", fail)
    with pytest.raises(OSError, match="no"):
        write_bytes(path, b"new")
    assert state(tmp_path) == {"deep/a.txt": b"old"}


def replaced_by(process: int, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The name under which that process would have put the target aside."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process)
        return disk.unused(target, "previous")


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_killed_between_two_renames_the_run_is_back_when_it_is_read(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(bundle, tmp_path / "run")
    (folder / "report.html").write_text("mine")
    os.rename(folder, replaced_by(dead_process(), folder, monkeypatch))
    load(folder)
    assert (folder / "report.html").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_killed_after_the_swap_nothing_of_somebody_else_is_lost(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save(bundle, tmp_path / "run")
    (folder / "report.html").write_text("mine")
    os.rename(folder, replaced_by(dead_process(), folder, monkeypatch))
    aside = next(tmp_path.iterdir())
    (tmp_path / "fresh").mkdir()
    shutil.copytree(aside, folder)
    (folder / "report.html").unlink()
    save(bundle, folder)
    assert (folder / "report.html").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fresh", "run"]


def test_what_a_living_process_has_put_aside_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = replaced_by(os.getpid(), tmp_path / "run", monkeypatch)
    aside.mkdir()
    heal(tmp_path / "run", kept=lambda old: [])
    assert aside.exists()


def test_another_folder_is_not_healed_with_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = replaced_by(dead_process(), tmp_path / "run", monkeypatch)
    aside.mkdir()
    with fresh_folder(tmp_path / "run2", kept=lambda old: []) as fresh:
        (fresh / "a").write_text("new")
    assert aside.exists()
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("in_one_step", [True, False])
def test_a_folder_is_replaced_with_and_without_a_swap_in_one_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_one_step: bool
) -> None:
    if not in_one_step:
        monkeypatch.setattr(atomic, "_exchange", lambda one, other: False)
    target = tmp_path / "run"
    target.mkdir()
    (target / "a").write_text("old")
    (target / "mine").write_text("mine")
    with fresh_folder(target, kept=lambda old: ["mine"]) as fresh:
        (fresh / "a").write_text("new")
    assert state(tmp_path) == {"run/a": b"new", "run/mine": b"mine"}


def test_second_of_two_writers_of_a_new_folder_replaces_the_first(tmp_path: Path) -> None:
    target = tmp_path / "run"
    with fresh_folder(target, kept=lambda old: []) as one:
        (one / "a").write_text("one")
        with fresh_folder(target, kept=lambda old: []) as two:
            (two / "a").write_text("two")
    assert state(tmp_path) == {"run/a": b"one"}


@pytest.mark.skipif(sys.platform != "linux", reason="other systems rename in two steps")
def test_reader_finds_a_folder_at_any_moment_while_it_is_replaced(tmp_path: Path) -> None:
    target = tmp_path / "run"
    target.mkdir()
    (target / "a").write_text("0")
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with fresh_folder(target, kept=lambda old: []) as fresh:
                (fresh / "a").write_text(str(number))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        missing = sum(not (target / "a").exists() for _ in range(20_000))
    finally:
        stop.set()
        writer.join()
    assert int((target / "a").read_text()) > 0
    assert missing == 0
