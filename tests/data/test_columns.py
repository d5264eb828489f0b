import os
import pickle
from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.columns.paths import Paths
from tlkeras.data.columns.records import FACTS, RECORD, Scanned, Thumbnails
from tlkeras.data.picture import Part, Picture, Pictures, SetAside

NAMES = ["a/1.jpg", "a/2.jpg", "/r/b/ñandú 🌸.png", "3.jpg", "a/deep/4.jpg", "../up/5.jpg"]


def paths() -> list[Path]:
    odd = os.fsdecode(b"a/caf\xe9.jpg")
    return [Path(name) for name in [*NAMES, odd]]


def test_paths_come_back_as_they_were():  # D8
    assert list(Paths(paths())) == paths()
    assert Paths(paths())[-1] == paths()[-1]
    assert Paths(paths()) == tuple(paths())
    assert Paths(paths()) != paths()[::-1]
    assert Paths() == ()


def test_selection_of_a_selection_keeps_its_order():
    chosen = Paths(paths()).take(np.array([4, 0, 2]))
    assert list(chosen) == [paths()[row] for row in (4, 0, 2)]
    assert list(chosen[1:]) == [paths()[0], paths()[2]]
    assert list(chosen.take(np.array([2, 0]))) == [paths()[2], paths()[4]]
    with pytest.raises(IndexError):
        chosen[3]
    with pytest.raises(IndexError):
        chosen[-4]


def test_paths_survive_pickling():
    chosen = Paths(paths()).take(np.array([4, 0]))
    assert pickle.loads(pickle.dumps(chosen)) == chosen


def test_hundred_thousand_paths_take_little_memory():
    many = Paths(Path(f"/photos/class{n % 10}/{n:06}.jpg") for n in range(10_000))
    assert len(pickle.dumps(many)) < 30 * len(many)


@pytest.fixture
def pictures():
    digests = np.arange(7 * 32, dtype=np.uint8).reshape(7, 32)
    return Pictures(Paths(paths()), np.array([3, 1, 4, 1, 5, 9, 2]), digests)


def test_picture_is_made_from_its_columns(pictures):
    expected = Picture(Path("a/2.jpg"), 1, bytes(range(32, 64)).hex())
    assert pictures[1] == expected
    assert pictures[-6] == expected
    assert list(pictures[1:3]) == [pictures[1], pictures[2]]
    assert pictures == list(pictures)
    assert [*pictures, pictures[0]][-1].label == 3


def test_part_of_columns_says_the_same_as_one_of_pictures(pictures):
    names = tuple("abcdefghij")
    columns, objects = Part("test", pictures, names), Part("test", tuple(pictures), names)
    assert columns.paths == objects.paths
    assert columns.sha256 == objects.sha256
    assert columns.labels.tolist() == objects.labels.tolist()
    assert columns.labels.dtype == np.int64
    assert columns.counts() == objects.counts()
    assert columns == objects


def test_pixels_stay_with_their_picture():
    pixels = [np.full((2, 3, 3), level, np.uint8) for level in range(3)]
    some = Pictures(Paths(paths()[:3]), np.zeros(3, int), np.zeros((3, 32), np.uint8), pixels)
    assert some[::-2][1].source is pixels[0]


@pytest.mark.parametrize("in_memory", [1 << 21, 1000])
def test_thumbnails_come_back_by_row_from_memory_and_from_disk(in_memory, monkeypatch):
    monkeypatch.setattr("tlkeras.data.columns.records._IN_MEMORY_BYTES", in_memory)
    given = np.random.default_rng(0).integers(0, 256, (9, 16, 16, 3), dtype=np.uint8)
    kept = Thumbnails()
    kept.put([5, 6, 8], given[[5, 6, 8]])
    kept.put(np.array([0, 1, 2, 3, 4, 7]), given[[0, 1, 2, 3, 4, 7]])
    np.testing.assert_array_equal(kept[np.array([8, 3, 4, 0])], given[[8, 3, 4, 0]])
    kept.close()


def test_thumbnails_stay_in_memory_where_there_is_no_disk(monkeypatch):
    def full() -> None:
        raise OSError("no space left")

    monkeypatch.setattr("tlkeras.data.columns.records._IN_MEMORY_BYTES", 0)
    monkeypatch.setattr("tlkeras.data.columns.records.tempfile.TemporaryFile", full)
    kept = Thumbnails()
    kept.put([1, 2], np.full((2, 16, 16, 3), 7, np.uint8))
    assert kept[np.array([2])].min() == 7


def test_record_takes_little_memory_beside_its_thumbnail():
    assert FACTS.itemsize <= 48
    assert RECORD.itemsize == FACTS.itemsize + 32 + 768


def test_scanned_picture_that_cannot_be_read_keeps_its_reason():
    scanned = Scanned([Path("a.jpg"), Path("b.jpg")])
    scanned.reasons[1] = "broken"
    record = np.zeros(1, RECORD)
    record["facts"]["mode"] = b"RGB"
    scanned.put([0], record)
    assert scanned[-1] == SetAside(Path("b.jpg"), "broken")
    assert [one.path.name for one in scanned.set_aside([1])] == ["b.jpg"]
    assert scanned[:1][0].mode == "RGB"


def test_few_paths_are_found_among_many_and_in_a_selection():
    many = Paths(Path(f"f{number % 7}/{number}.png") for number in range(100))
    wanted = [Path("f3/10.png"), Path("f3/11.png"), Path("g/1.png"), Path("f1/99.png")]
    assert many.rows_of(wanted) == {Path("f3/10.png"): 10, Path("f1/99.png"): 99}
    some = many.take(np.array([50, 99, 10]))
    assert some.rows_of(wanted) == {Path("f1/99.png"): 1, Path("f3/10.png"): 2}
    assert Paths().rows_of(wanted) == {}
