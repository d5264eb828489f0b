import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest

from tlkeras.features.cache import FeatureCache

VECTORS = np.random.default_rng(0).normal(size=(3, 7)).astype("float32")


def test_what_was_put_comes_back_bit_for_bit(tmp_path: Path) -> None:
    FeatureCache(tmp_path, "net").put(["a", "b", "c"], VECTORS)
    found = FeatureCache(tmp_path, "net").get(["c", "missing", "a"])
    assert found.keys() == {"a", "c"}
    np.testing.assert_array_equal(found["c"], VECTORS[2])
    assert found["a"].dtype == np.float32


def test_another_backbone_shares_nothing(tmp_path: Path) -> None:
    FeatureCache(tmp_path, "net").put(["a"], VECTORS[:1])
    assert FeatureCache(tmp_path, "other").get(["a"]) == {}


def test_thousands_of_keys_are_asked_for_in_pieces(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, "net")
    keys = [f"k{number}" for number in range(2500)]
    cache.put(keys, np.arange(2500, dtype="float32")[:, None])
    found = cache.get(keys)
    assert [float(found[key][0]) for key in keys] == list(range(2500))


def test_folder_that_cannot_be_written_only_warns(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("not a folder")
    cache = FeatureCache(tmp_path / "file", "net")
    with caplog.at_level(logging.WARNING):
        cache.put(["a"], VECTORS[:1])
    assert "TLKERAS_CACHE" in caplog.text
    assert cache.get(["a"]) == {}


def test_damaged_file_only_warns(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = FeatureCache(tmp_path, "net")
    cache.path.write_bytes(b"this is no database, whatever its name says" * 100)
    with caplog.at_level(logging.WARNING):
        assert cache.get(["a"]) == {}
        cache.put(["a"], VECTORS[:1])
    assert caplog.text.count("can't be used") == 1


def test_a_failed_write_leaves_no_part_of_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path, "net")
    cache.put(["a"], VECTORS[:1])
    with pytest.raises(ValueError, match="shorter"):
        cache.put(["b", "c"], VECTORS[:1])
    with sqlite3.connect(cache.path) as store:
        assert store.execute("SELECT count(*) FROM vectors").fetchone() == (1,)
    store.close()
