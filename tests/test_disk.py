"""Files appear whole or not at all, leftovers of the dead go, a full disk is told in words."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tlkeras import disk
from tlkeras.disk import in_words, is_refusal, leftovers, sweep, unused, write_bytes


def dead_process() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def left_by(process: int, target: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What that process would call an unfinished file."""
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process)
        return unused(target)


def test_leftover_of_a_dead_process_goes_with_the_next_file_written_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = left_by(dead_process(), tmp_path / "a.txt", monkeypatch)
    file.write_bytes(b"half")
    folder = left_by(dead_process(), tmp_path / "run", monkeypatch)
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b").write_bytes(b"half")
    write_bytes(tmp_path / "another.txt", b"whole")
    assert [path.name for path in tmp_path.iterdir()] == ["another.txt"]


def test_what_a_living_process_writes_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        others = left_by(process.pid, tmp_path / "a.txt", monkeypatch)
        ours = unused(tmp_path / "a.txt")
        for path in (others, ours):
            path.touch()
        sweep(tmp_path)
        assert others.exists()
        assert ours.exists()


def test_what_another_machine_writes_stays_for_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(disk, "_machine", lambda: "0123abcd")
        young, old = (left_by(dead_process(), tmp_path / "a", patch) for _ in range(2))
    for path in (young, old):
        path.touch()
    os.utime(old, (1e9, 1e9))
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == [young]


def test_what_was_put_aside_is_not_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        process = dead_process()
        patch.setattr(os, "getpid", lambda: process)
        aside = unused(tmp_path / "run", "previous")
    aside.mkdir()
    sweep(tmp_path)
    assert aside.exists()


@pytest.mark.parametrize("name", ["run", "a\nb", "ünï", "n" * 255, os.fsdecode(b"\xff\xfe")])
def test_leftover_knows_what_it_was_to_become(name: str, tmp_path: Path) -> None:
    path = unused(tmp_path / name)
    path.touch()
    (found,) = leftovers(tmp_path)
    assert found.path == path
    assert disk.is_of(found, tmp_path / name)
    assert not disk.is_of(found, tmp_path / "other")
    assert len(os.fsencode(path.name)) <= 255


def test_files_of_others_are_no_leftovers(tmp_path: Path) -> None:
    for name in (".tlkeras-writing-", ".tlkeras-writing-5", ".git", "tlkeras-writing-x"):
        (tmp_path / name).touch()
    assert list(leftovers(tmp_path)) == []
    sweep(tmp_path)
    assert len(list(tmp_path.iterdir())) == 4


def test_file_that_is_replaced_keeps_its_permissions_and_its_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to(real)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert real.read_bytes() == b"new"
    assert real.stat().st_mode & 0o777 == 0o640


def test_error_of_the_disk_leaves_no_file_and_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=f"no space is left in '{tmp_path}'") as caught:
        write_bytes(tmp_path / "a.txt", b"x" * 1000)
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_full_disk_says_how_much_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 2_000_000)
    fresh = tmp_path / "fresh"
    fresh.write_bytes(bytes(1_000_000))
    error = OSError(errno.ENOSPC, "No space left on device")
    said = str(in_words(error, tmp_path / "new", 10_500_000, fresh))
    assert said == (
        f"no space is left in '{tmp_path}': 3.0 MB were free, 10.5 MB are needed: "
        "7.5 MB are missing"
    )
    assert "more is needed" in str(in_words(error, tmp_path))


def test_full_folder_for_temporary_files_is_told_from_the_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    aside = tmp_path / "tmp"
    aside.mkdir()
    monkeypatch.setattr(disk.tempfile, "gettempdir", lambda: str(aside))
    monkeypatch.setattr(disk, "free_bytes", lambda folder: 0 if folder == aside else 10**9)
    error = OSError(errno.ENOSPC, "No space left on device")
    assert f"'{aside}' for temporary files" in str(in_words(error, tmp_path))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "read-only"),
        (OSError(errno.EFBIG, "File too large"), "ulimit"),
        (OSError("Can't write data (file write failed: errno = 28, error …)"), "no space is left"),
    ],
)
def test_errors_of_the_disk_are_told_in_words_and_are_its_refusal(
    error: OSError, said: str, tmp_path: Path
) -> None:
    words = in_words(error, tmp_path)
    assert said in str(words)
    assert is_refusal(words)
    assert in_words(words, Path("elsewhere")) is words


def test_other_errors_stay_as_they_are(tmp_path: Path) -> None:
    error = FileNotFoundError(errno.ENOENT, "No such file")
    assert in_words(error, tmp_path) is error
    with pytest.raises(FileNotFoundError), disk.explained(tmp_path):
        raise error
    assert not is_refusal(error)


def test_refusal_is_found_behind_the_error_that_tells_of_it() -> None:
    def save() -> None:
        try:
            raise OSError(errno.ENOSPC, "No space left on device")
        except OSError as error:
            raise ValueError("not saved") from error

    with pytest.raises(ValueError, match="not saved") as caught:
        save()
    assert is_refusal(caught.value)
    assert not is_refusal(ValueError("not saved"))
    assert not is_refusal(None)
