import errno
import mmap
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np
import pytest

from tlkeras import disk
from tlkeras.errors import TlkerasError
from tlkeras.features.table import Table, blocks, joined, release


@pytest.fixture
def always_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path))
    monkeypatch.setattr("tlkeras.features.table.BYTES_IN_MEMORY", 0)


def is_mapped(array: np.ndarray) -> bool:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return isinstance(array.base, memoryview) and isinstance(array.base.obj, mmap.mmap)


@pytest.mark.parametrize("where", ["memory", "file"])
def test_rows_written_in_any_order_stand_where_they_belong(
    where: str, request: pytest.FixtureRequest
) -> None:
    if where == "file":
        request.getfixturevalue("always_mapped")
    vectors = np.random.default_rng(0).normal(size=(11, 5)).astype("float32")
    with Table(11, 5) as table:
        for rows in ([3, 4, 5, 9], [10, 0], [8, 7, 6], [], [1]):
            table.write(np.array(rows, np.int64), vectors[rows])
        array = table.array()
    vectors[2] = 0
    assert is_mapped(array) == (where == "file")
    np.testing.assert_array_equal(array, vectors)


def test_file_of_a_table_has_no_name(always_mapped: None, tmp_path: Path) -> None:
    with Table(3, 2) as table:
        table.write(np.arange(3), np.ones((3, 2), "float32"))
        array = table.array()
    assert not list(tmp_path.iterdir())
    assert array.sum() == 6


def test_table_of_no_rows_is_an_array_of_no_rows(tmp_path: Path) -> None:
    with Table(0, 4) as table:
        assert table.array().shape == (0, 4)


def test_joined_tables_are_one_below_the_other(always_mapped: None) -> None:
    parts = [np.full((rows, 3), rows, "float32") for rows in (2, 5, 1)]
    both = joined(parts)
    assert is_mapped(both)
    np.testing.assert_array_equal(both, np.concatenate(parts))
    assert joined(parts[:1]) is parts[0]


def test_released_pages_read_the_same_again(always_mapped: None) -> None:
    with Table(1000, 64) as table:
        table.write(np.arange(1000), np.random.default_rng(1).random((1000, 64), "float32"))
        array = table.array()
    before = array.sum()
    release(array)
    assert array.sum() == before


def test_blocks_cover_every_row_once() -> None:
    vectors = np.empty((5000, 1000), "float32")
    rows = [row for piece in blocks(vectors) for row in range(piece.start, piece.stop)]
    assert rows == list(range(5000))
    assert len(list(blocks(vectors))) > 3


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak memory of a process in kB")
def test_large_table_is_filled_and_read_without_being_in_memory(tmp_path: Path) -> None:
    code = r"""
import re
from pathlib import Path
from typing import IO
import numpy as np
from tlkeras.features.features import Features, Ids
from tlkeras.features.table import Table
def peak():
    # Not getrusage: that begins with the peak of the process this one was cloned from.
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
with Table(400_000, 128) as table:  # 205 MB
    for start in range(0, 400_000, 1000):
        table.write(np.arange(start, start + 1000), np.full((1000, 128), start, "float32"))
    vectors = table.array()
features = Features(vectors, np.zeros(400_000, "int8"), Ids(np.zeros((400_000, 1), "uint8")))
assert features.vectors[399_999, 127] == 399_000
print(peak() - before)
"""
    told = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "TLKERAS_CACHE": str(tmp_path), "PYTHONPATH": os.getcwd()},
    )
    assert int(told.stdout) < 25_000


def test_full_cache_folder_is_left_for_the_folder_of_temporary_files(
    always_mapped: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_room, tried = disk.take_room, []

    def full_at_first(file: IO[bytes], size: int) -> None:
        tried.append(size)
        if len(tried) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        take_room(file, size)

    monkeypatch.setattr("tlkeras.features.table.take_room", full_at_first)
    with Table(3, 2) as table:
        table.write(np.array([1]), np.ones((1, 2), np.float32))
        assert table.array().tolist() == [[0, 0], [1, 1], [0, 0]]
    assert tried == [24, 24]


def test_disk_without_room_is_told_before_the_work(
    always_mapped: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(file: IO[bytes], size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("tlkeras.features.table.take_room", full)
    with pytest.raises(TlkerasError, match=r"wait in a file.*no space is left in") as caught:
        Table(3, 2)
    assert disk.is_refusal(caught.value)
