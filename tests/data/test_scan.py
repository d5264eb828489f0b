import hashlib
import logging
import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

import tlkeras.data.scan as module
from tlkeras.cache import cache_folder
from tlkeras.data.decode import decode_bytes
from tlkeras.data.duplicates import clusters, difference_hash, thumbnail
from tlkeras.data.picture import SetAside
from tlkeras.data.scan import scan


@pytest.fixture
def paths(tmp_path, draw, encode):
    made = [tmp_path / f"{index}.png" for index in range(5)]
    for index, path in enumerate(made):
        path.write_bytes(encode(draw(index), "PNG"))
        os.utime(path, (1_000_000_000, 1_000_000_000))
    return made


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were really decoded, as they are."""
    names = []

    def counted(data, name, at_least_px=None):
        names.append(name)
        return decode_bytes(data, name, at_least_px)

    monkeypatch.setattr(module, "decode_bytes", counted)
    return names


def test_record_says_what_the_file_holds(paths):
    record = scan(paths, paths)[2]
    assert record.sha256 == hashlib.sha256(paths[2].read_bytes()).hexdigest()
    assert (record.width, record.height, record.mode, record.rotated) == (67, 41, "RGB", False)
    assert record.thumbnail.shape == (16, 16, 3)
    assert record.dhash.shape == (32,)


def test_sides_are_those_of_the_upright_picture(tmp_path, draw, encode, portrait_exif):  # D3
    path = tmp_path / "turned.jpg"
    path.write_bytes(encode(draw(), "JPEG", exif=portrait_exif))
    (record,) = scan([path], [path])
    assert (record.width, record.height, record.rotated) == (41, 67, True)


def test_broken_picture_keeps_its_place_and_says_why(paths):  # D2
    paths[1].write_bytes(paths[1].read_bytes()[:300])
    results = scan(paths, paths)
    assert [isinstance(result, SetAside) for result in results] == [False, True] + [False] * 3
    assert results[1].path == paths[1]
    assert "broken picture" in results[1].reason


@pytest.fixture
def photo(tmp_path, draw):
    """(a path to write to, pixels of a photograph that is decoded at a reduced size)."""
    return tmp_path / "photo.jpg", draw(7, 391, 517)


@pytest.mark.parametrize("progressive", [False, True])
def test_cut_photograph_is_found_though_it_is_read_reduced(photo, encode, progressive):  # D2
    path, pixels = photo
    data = encode(pixels, "JPEG", quality=90, progressive=progressive)
    path.write_bytes(data[: int(0.9 * len(data))])
    (reason,) = scan([path], [path])
    assert isinstance(reason, SetAside)
    assert "broken picture" in reason.reason


def test_reduced_photograph_keeps_its_sides_and_small_version(photo, encode, portrait_exif):  # D3
    path, pixels = photo
    path.write_bytes(encode(pixels, "JPEG", quality=90, exif=portrait_exif))
    (record,) = scan([path], [path])
    assert (record.width, record.height, record.rotated) == (391, 517, True)
    whole = decode_bytes(path.read_bytes(), "photo").pixels
    assert whole.shape == (517, 391, 3)
    assert np.abs(record.thumbnail.astype(int) - thumbnail(whole)).mean() < 1
    assert np.unpackbits(record.dhash ^ difference_hash(whole)).sum() <= 10


@pytest.mark.parametrize("name", ["cats_dogs", "clothing_small"])
def test_copies_of_real_photographs_are_found_by_the_scan(name, shared_data, tmp_path):
    originals = sorted((shared_data / "datasets" / name).rglob("*.jpg"))[::12]
    copies = [tmp_path / f"{index}.jpg" for index in range(len(originals))]
    for index, (original, copy) in enumerate(zip(originals, copies, strict=True)):
        with Image.open(original) as image:
            size = (image.width // 2, image.height // 2) if index % 2 else image.size
            image.convert("RGB").resize(size).save(copy, quality=(40, 90)[index // 2 % 2])
    both = [*originals, *copies]
    with scan(both, both) as scanned:
        numbers = clusters(scanned.facts["sha256"], scanned.dhash, scanned.thumbnails)
    found = numbers[: len(originals)] == numbers[len(originals) :]
    assert found.mean() > 0.97
    assert len(set(numbers[: len(originals)].tolist())) >= len(originals) - 1


def test_second_scan_decodes_nothing_and_says_the_same(paths, decoded):
    first = scan(paths, paths)
    assert len(decoded) == 5
    second = scan(paths, paths)
    assert len(decoded) == 5
    for cold, warm in zip(first, second, strict=True):
        assert cold.sha256 == warm.sha256
        assert (cold.width, cold.height, cold.mode) == (warm.width, warm.height, warm.mode)
        np.testing.assert_array_equal(cold.thumbnail, warm.thumbnail)
        np.testing.assert_array_equal(cold.dhash, warm.dhash)


def test_changed_file_is_read_again(paths, draw, encode):
    before = scan(paths, paths)
    paths[3].write_bytes(encode(draw(99), "PNG"))
    after = scan(paths, paths)
    changed = [a.sha256 != b.sha256 for a, b in zip(before, after, strict=True)]
    assert changed == [False, False, False, True, False]


def test_file_changed_just_now_is_not_cached(paths, decoded):
    os.utime(paths[0])
    scan(paths, paths)
    scan(paths, paths)
    assert decoded.count(str(paths[0])) == 2
    assert decoded.count(str(paths[1])) == 1


def test_other_version_of_the_decoder_reads_again(paths, decoded, monkeypatch):
    scan(paths, paths)
    monkeypatch.setattr(module, "_VERSION", "another")
    scan(paths, paths)
    assert len(decoded) == 10


def test_unusable_cache_folder_is_done_without(paths, tmp_path, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TLKERAS_CACHE", str(tmp_path / "file"))
    with caplog.at_level(logging.INFO):
        assert len(scan(paths, paths)) == 5
    assert "without the scan cache" in caplog.text
    assert all(record.levelno == logging.INFO for record in caplog.records)


def test_broken_cache_file_is_done_without(paths):
    cache_folder().mkdir(parents=True, exist_ok=True)
    (cache_folder() / "scan.sqlite").write_bytes(b"no database" * 100)
    assert len(scan(paths, paths)) == 5


def test_broken_cache_row_is_done_without(paths):
    first = scan(paths, paths)
    with sqlite3.connect(cache_folder() / "scan.sqlite") as database:
        database.execute("UPDATE records SET record = x'00'")
    database.close()
    assert [r.sha256 for r in scan(paths, paths)] == [r.sha256 for r in first]


def test_arrays_are_hashed_with_their_shape(draw):
    flat = np.zeros((4, 6, 3), np.uint8)
    names = [module.Path(f"array/{index}") for index in range(3)]
    first, other, same = scan([flat, flat.reshape(6, 4, 3), flat.copy()], names)
    assert first.sha256 == same.sha256 != other.sha256


def test_long_scan_reports_how_far_it_is(paths, monkeypatch, caplog):
    monkeypatch.setattr("tlkeras.data.columns.each._SECONDS_BETWEEN_LINES", 0.0)
    with caplog.at_level(logging.INFO, logger="tlkeras.data.columns.each"):
        scan(paths, paths)
    assert "read 5 of 5 pictures" in caplog.messages


def test_damaged_cache_file_begins_anew_and_is_used_the_next_time(paths, decoded, caplog):
    cache_folder().mkdir(parents=True, exist_ok=True)
    file = cache_folder() / "scan.sqlite"
    file.write_bytes(b"no database" * 1000)
    file.with_name("scan.sqlite-journal").write_bytes(b"of the damaged one")
    first = scan(paths, paths)
    assert "is damaged" in caplog.text
    decoded.clear()
    assert [record.sha256 for record in scan(paths, paths)] == [one.sha256 for one in first]
    assert decoded == []


def test_wrong_bit_in_a_record_is_noticed(paths, decoded):
    first = scan(paths, paths)
    database = sqlite3.connect(cache_folder() / "scan.sqlite")
    rows = database.execute("SELECT path, record FROM records").fetchall()
    for path, record in rows:
        damaged = bytes([record[0] ^ 4]) + record[1:]
        database.execute("UPDATE records SET record = ? WHERE path = ?", (damaged, path))
    database.commit()
    database.close()
    decoded.clear()
    assert [record.sha256 for record in scan(paths, paths)] == [one.sha256 for one in first]
    assert len(decoded) == 5
