import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from tlkeras.disk import leftovers, unused
from tlkeras.features.store import FeatureStore, allowed_bytes, make_room
from tlkeras.features.table import Table

LONG_AGO = 1_000_000.0


def keys_of(*numbers: int) -> np.ndarray:
    # Zero bytes at the end are part of a key.
    return np.array([f"{number:08}".encode() + bytes(8) for number in numbers], "S16")


def vectors_of(*numbers: int, width: int = 7) -> np.ndarray:
    rng = [np.random.default_rng(number).normal(size=width) for number in numbers]
    return np.array(rng, np.float32).reshape(len(numbers), width)


def keep(folder: Path, *numbers: int, name: str = "net") -> None:
    with FeatureStore(folder, name, 7) as store:
        store.put(keys_of(*numbers), vectors_of(*numbers))


def found_in(folder: Path, *numbers: int, name: str = "net") -> tuple[list[bool], np.ndarray]:
    with Table(len(numbers), 7) as table:
        found = FeatureStore(folder, name, 7).fill(keys_of(*numbers), table)
        return found.tolist(), table.array()


def chunks(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*.chunk"))


def test_what_was_put_comes_back_bit_for_bit_where_it_is_wanted(tmp_path: Path) -> None:
    keep(tmp_path, 1, 2, 3)
    found, table = found_in(tmp_path, 3, 99, 1, 3)
    assert found == [True, False, True, True]
    np.testing.assert_array_equal(table[[0, 2, 3]], vectors_of(3, 1, 3))
    assert not table[1].any()


def test_another_backbone_shares_nothing(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    assert found_in(tmp_path, 1, name="other")[0] == [False]


def test_rows_of_several_chunks_are_found(tmp_path: Path) -> None:
    for numbers in ((1, 2), (2, 3), (4,)):
        keep(tmp_path, *numbers)
    found, table = found_in(tmp_path, 4, 3, 2, 1)
    assert all(found)
    np.testing.assert_array_equal(table, vectors_of(4, 3, 2, 1))


def test_what_was_put_is_found_before_the_store_is_closed(tmp_path: Path) -> None:
    with FeatureStore(tmp_path, "net", 7) as store, Table(1, 7) as table:
        store.put(keys_of(5), vectors_of(5))
        assert store.fill(keys_of(5), table).all()
        np.testing.assert_array_equal(table.array(), vectors_of(5))


@pytest.mark.parametrize("place", [0, 10, 30, -1])
def test_one_wrong_byte_is_found_and_the_rows_are_not_known(
    place: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, 1, 2)
    keep(tmp_path, 3)
    first = chunks(tmp_path)[0]
    content = bytearray(first.read_bytes())
    content[place] ^= 1
    first.write_bytes(content)
    with caplog.at_level(logging.INFO):
        found, _ = found_in(tmp_path, 1, 2, 3)
    assert found[1:] == [False, True]
    assert found[0] is False
    assert first.name in caplog.text or place == 30  # a wrong key only is never asked for


@pytest.mark.parametrize("kept", [0, 10, 24, 60, -1])
def test_cut_chunk_is_told_once_and_computed_again(
    kept: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keep(tmp_path, 1, 2)
    path = chunks(tmp_path)[0]
    path.write_bytes(path.read_bytes()[:kept])
    with caplog.at_level(logging.WARNING):
        assert found_in(tmp_path, 1, 2)[0] == [False, False]
        assert found_in(tmp_path, 1, 2)[0] == [False, False]
    assert caplog.text.count("damaged") == 1
    keep(tmp_path, 1, 2)
    assert found_in(tmp_path, 1, 2)[0] == [True, True]


def test_chunk_of_another_version_is_left_alone(tmp_path: Path) -> None:
    keep(tmp_path, 1)
    path = chunks(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[8] += 1
    path.write_bytes(content)
    assert found_in(tmp_path, 1)[0] == [False]
    assert path.read_bytes() == content


def test_folder_that_cannot_be_written_warns_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    with caplog.at_level(logging.WARNING), FeatureStore(tmp_path / "file", "net", 7) as store:
        for number in (1, 2):
            store.put(keys_of(number), vectors_of(number))
            store.flush()
    assert caplog.text.count("TLKERAS_CACHE") == 1


def test_no_folder_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with FeatureStore(None, "", 7) as store, Table(1, 7) as table:
        store.put(keys_of(1), vectors_of(1))
        assert not store.fill(keys_of(1), table).any()
    assert not list(tmp_path.iterdir())


def test_rows_are_on_disk_soon_although_the_store_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tlkeras.features.store.SECONDS_TO_LOSE", 0.05)
    store = FeatureStore(tmp_path, "net", 7)
    store.put(keys_of(1), vectors_of(1))
    assert not chunks(tmp_path)
    time.sleep(0.06)
    store.put(keys_of(2), vectors_of(2))
    assert found_in(tmp_path, 1, 2)[0] == [True, True]


def test_rows_are_kept_when_the_work_is_interrupted(tmp_path: Path) -> None:
    def interrupted() -> None:
        with FeatureStore(tmp_path, "net", 7) as store:
            store.put(keys_of(1), vectors_of(1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert found_in(tmp_path, 1)[0] == [True]


def test_rows_are_kept_when_ctrl_c_comes_while_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = os.replace

    def interrupted(*names: Path) -> None:
        monkeypatch.setattr(os, "replace", replace)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)

    def work() -> None:
        with FeatureStore(tmp_path, "net", 7) as store:
            store.put(keys_of(1), vectors_of(1))
            store.flush()

    with pytest.raises(KeyboardInterrupt):
        work()
    assert found_in(tmp_path, 1)[0] == [True]
    assert not list(leftovers(tmp_path / "net"))


def test_many_small_chunks_become_few_with_the_same_rows(tmp_path: Path) -> None:
    numbers = range(50)
    for number in numbers:
        keep(tmp_path, number)
    assert len(chunks(tmp_path)) < 20
    found, table = found_in(tmp_path, *numbers)
    assert all(found)
    np.testing.assert_array_equal(table, vectors_of(*numbers))


def test_full_chunks_are_written_and_stay(tmp_path: Path) -> None:
    numbers = range(20_000)
    with FeatureStore(tmp_path, "net", 7) as store:
        for start in range(0, 20_000, 50):
            some = numbers[start : start + 50]
            store.put(keys_of(*some), vectors_of(*some))
    assert len(chunks(tmp_path)) >= 3
    found, table = found_in(tmp_path, *numbers)
    assert all(found)
    np.testing.assert_array_equal(table[[0, 9000, 19_999]], vectors_of(0, 9000, 19_999))


def test_damaged_small_chunk_does_not_spoil_the_others(tmp_path: Path) -> None:
    for number in range(15):
        keep(tmp_path, number)
    content = bytearray(chunks(tmp_path)[4].read_bytes())
    content[-1] ^= 1
    chunks(tmp_path)[4].write_bytes(content)
    keep(tmp_path, 15)
    found, _ = found_in(tmp_path, *range(16))
    assert found == [number != 4 for number in range(16)]


def test_two_processes_write_to_one_store_at_once(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from tests.features.test_store import keep
for number in range(int(sys.argv[2]), int(sys.argv[2]) + 60):
    keep(Path(sys.argv[1]), number)
"""
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), str(start)])
        for start in (0, 60)
    ]
    assert [one.wait(60) for one in running] == [0, 0]
    found, table = found_in(tmp_path, *range(120))
    assert all(found)
    np.testing.assert_array_equal(table, vectors_of(*range(120)))


def test_reader_finds_rows_that_move_while_it_reads(tmp_path: Path) -> None:
    """Small chunks are put together by another writer between the listing and the opening."""
    numbers = range(40)
    keep(tmp_path, *numbers)
    stop = threading.Event()

    def churn() -> None:
        extra = 1000
        while not stop.is_set():
            extra += 1
            keep(tmp_path, extra)

    writer = threading.Thread(target=churn)
    writer.start()
    try:
        for _ in range(100):
            assert all(found_in(tmp_path, *numbers)[0])
    finally:
        stop.set()
        writer.join()


def test_room_is_made_by_what_was_used_longest_ago(tmp_path: Path) -> None:
    for age, name in ((3, "old"), (1, "young"), (2, "middle")):
        keep(tmp_path, 1, 2, name=name)
        (path,) = (tmp_path / name).iterdir()
        os.utime(path, (LONG_AGO - age, LONG_AGO - age))
    size = chunks(tmp_path)[0].stat().st_size
    make_room(tmp_path, 2 * size)
    assert [path.parent.name for path in chunks(tmp_path)] == ["middle", "young"]


def test_what_this_process_used_is_not_removed(tmp_path: Path) -> None:
    for name in ("read", "untouched", "written"):
        keep(tmp_path, 1, name=name)
    for name in ("read", "untouched"):
        (path,) = (tmp_path / name).iterdir()
        os.utime(path, (LONG_AGO, LONG_AGO))
    found_in(tmp_path, 1, name="read")
    make_room(tmp_path, 0)
    assert [path.parent.name for path in chunks(tmp_path)] == ["read", "written"]


def test_files_of_earlier_versions_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "3fa9.sqlite"
    old.write_bytes(b"embeddings as they were kept before")
    os.utime(old, (LONG_AGO, LONG_AGO))
    monkeypatch.setenv("TLKERAS_CACHE_GB", "0")
    keep(tmp_path, 1)
    assert old.exists()
    assert found_in(tmp_path, 1)[0] == [True]


def test_unfinished_file_of_a_dead_process_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(tmp_path, 1)
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: process.pid)
        stale = unused(tmp_path / "net" / "000002-aa")
    ours = unused(tmp_path / "net" / "000003-bb")
    for path in (stale, ours):
        path.write_bytes(b"")
    keep(tmp_path, 2)
    assert not stale.exists()
    assert ours.exists()


def test_limit_is_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TLKERAS_CACHE_GB", "0.5")
    assert allowed_bytes() == 500_000_000
    monkeypatch.setenv("TLKERAS_CACHE_GB", "plenty")
    with caplog.at_level(logging.WARNING):
        assert allowed_bytes() == 20_000_000_000
    assert "plenty" in caplog.text
