"""A slice of the kills, and that what they look for would be found."""

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.torture import cache, disk
from tests.torture.__main__ import main
from tests.torture.images import Found
from tests.torture.kills import run
from tests.torture.kills.same import differences, results
from tests.torture.kills.whole import left_over, problems
from tests.torture.kills.zygote import Asked, _Changes
from tests.torture.rows import Row, as_text, read, write
from tlkeras.data.columns.kept import KeptRecords
from tlkeras.disk import unused, write_bytes
from tlkeras.features.store import FeatureStore


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A place with one file of each kind, all whole."""
    out, kept = tmp_path / "out", tmp_path / "cache"
    out.mkdir()
    with FeatureStore(kept / "features", "net", 7) as store:
        store.put(np.array([b"k" * 16]), np.ones((1, 7), np.float32))
    records = KeptRecords(kept / "scan.sqlite", "1", np.dtype("u1"))
    records.put([(b"a.jpg", 1, 2)], np.zeros(1, "u1"))
    records.close()
    write_bytes(kept / "engine.json", json.dumps({"name": "onnxruntime"}).encode())
    write_bytes(out / "page.html", b"<html>x</html>\n")
    np.savez(out / "epoch.npz", weights=np.arange(100))
    with h5py.File(out / "weights.h5", "w") as file:
        file["kernel"] = np.arange(1000)
    with zipfile.ZipFile(out / "model.keras", "w") as archive:
        archive.write(out / "weights.h5", "model.weights.h5")
        archive.writestr("config.json", "{}")
    return tmp_path


def test_whole_files_are_whole(place: Path) -> None:
    assert problems(place) == (7, [])


@pytest.mark.parametrize("suffix", [".chunk", ".sqlite", ".json", ".html", ".npz", ".h5", ".keras"])
def test_file_that_was_cut_is_found(place: Path, suffix: str) -> None:
    (path,) = (path for path in place.rglob(f"*{suffix}"))
    size = path.stat().st_size
    os.truncate(path, size - size // 3)
    files, found = problems(place)
    assert files == 7
    assert len(found) == 1
    assert path.name in found[0]


def test_unfinished_files_are_not_looked_at_but_counted(place: Path) -> None:
    write_bytes(place / "cut.json", b"{")
    os.rename(place / "cut.json", unused(place / "out" / "cut.json"))
    assert problems(place) == (7, [])
    assert len(left_over(place / "out")) == 1


def test_dates_make_no_difference_and_numbers_do(tmp_path: Path) -> None:
    outs = []
    for number, (date, weights) in enumerate([("1", 0), ("2", 0), ("2", 1)]):
        out = tmp_path / str(number) / "out"
        out.mkdir(parents=True)
        (out / "bundle.json").write_text(json.dumps({"created": date, "where": str(out)}))
        np.savez(out / "epoch.npz", weights=np.arange(9) + weights)
        outs.append(results(out))
    assert differences(outs[0], outs[1]) == []
    assert differences(outs[0], outs[2]) == ["epoch.npz"]
    assert differences(outs[0], {}) == [f"{name} is in one only" for name in sorted(outs[0])]


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("new"),
        lambda file: os.rename(file.with_name("old"), file),
        lambda file: os.unlink(file.with_name("old")),
        lambda file: file.mkdir(),
    ],
)
def test_changes_of_files_are_counted_where_they_are_ours(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    import sys

    (tmp_path / "place").mkdir()
    (tmp_path / "place" / "old").touch()
    (tmp_path / "old").touch()
    counted = _Changes(tmp_path / "place", kill_before=None)
    counting = True

    def hook(event: str, arguments: tuple) -> None:
        if counting:  # an audit hook stays for ever
            counted(event, arguments)

    sys.addaudithook(hook)
    (tmp_path / "place" / "old").read_text()
    change(tmp_path / "new")
    assert counted.number == 0
    change(tmp_path / "place" / "new")
    counting = False
    assert counted.number == 1


def test_rows_come_back_and_make_a_table(tmp_path: Path) -> None:
    rows = [Row("kills", "killed save", 9, 1, "2 s", "a | b"), Row("disk", "filled", 0, 0)]
    write(rows, tmp_path / "rows.json")
    assert read(tmp_path / "rows.json") == rows
    table = as_text(rows).splitlines()
    assert len({len(line) for line in table[:4]}) == 1
    assert table[4:] == ["", "- killed save: a | b"]


def test_what_was_not_done_is_not_well(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert Row("disk", "filled", 1, 0).ok
    assert not Row("disk", "filled", 1, 1).ok
    assert not any(row.ok for row in Found().rows())
    monkeypatch.setenv("PATH", "")  # without the program that would mount the disk
    assert main(["disk"]) == 1
    said = capfd.readouterr()
    assert "1 of 1 rows not done" in said.err
    assert "well" not in said.err
    assert "at each stage: not done: mounting a small disk takes root" in said.out


def test_asked_is_plain_json() -> None:
    asked = Asked("save", "root", "place", after_s=0.5)
    assert Asked(**json.loads(json.dumps(vars(asked)))) == asked


@pytest.mark.slow
def test_work_that_is_killed_ends_with_the_same_bits() -> None:
    rows = run(200, seed=11, kills=8, works=("check", "extraction", "training", "save"))
    assert all(row.ok for row in rows), as_text(rows)
    assert sum(row.done for row in rows) == 8
    assert all(row.done for row in rows)


@pytest.mark.slow
def test_two_processes_share_a_cache() -> None:
    rows = cache.run(150, seed=3, rounds=3)
    assert all(row.ok for row in rows), as_text(rows)
    assert len(rows) == 3


@pytest.mark.slow
def test_full_and_read_only_disks_are_told_in_words() -> None:
    if disk.way_to_mount() is None:
        pytest.skip("mounting a small disk takes root or name spaces")
    rows = disk.run(300, seed=0)
    assert all(row.ok for row in rows), as_text(rows)
    assert len(rows) > 8
