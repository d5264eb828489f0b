"""Records kept in a database: those of a damaged one are right or not there."""

from pathlib import Path

import numpy as np
import pytest

from tlkeras.data.columns.kept import KeptRecords, Key

DTYPE = np.dtype([("number", "i8"), ("text", "S40")])
KEYS: list[Key] = [(f"/pictures/{row:04}.jpg".encode(), row, 10 * row) for row in range(600)]


def records() -> np.ndarray:
    table = np.zeros(len(KEYS), DTYPE)
    table["number"] = np.arange(len(KEYS)) ** 2
    table["text"] = [f"text {row}".encode() for row in range(len(KEYS))]
    return table


def opened(path: Path) -> KeptRecords:
    return KeptRecords(path, "1", DTYPE)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("kept") / "scan.sqlite"
    kept = opened(path)
    kept.put(KEYS, records())
    kept.close()
    return path.read_bytes()


def test_what_was_kept_comes_back(whole: bytes, tmp_path: Path) -> None:
    (tmp_path / "scan.sqlite").write_bytes(whole)
    kept = opened(tmp_path / "scan.sqlite")
    rows, found = kept.get(KEYS[100:400])
    kept.close()
    assert rows.tolist() == list(range(300))
    np.testing.assert_array_equal(found, records()[100:400])


def test_damaged_database_gives_right_records_or_none(whole: bytes, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lost = 0
    for number in range(250):
        spoilt = bytearray(whole)
        start = int(rng.integers(len(spoilt)))
        # A page of noise, some bytes, or a page of another place: its index then leads elsewhere.
        if number % 3 == 0:
            spoilt[start : start + 64] = rng.bytes(64)
        elif number % 3 == 1:
            for place in rng.integers(len(spoilt), size=40).tolist():
                spoilt[place] ^= 1 << int(rng.integers(8))
        else:
            pages = len(spoilt) // 4096
            one, other = (4096 * int(page) for page in rng.integers(1, pages, size=2))
            spoilt[one : one + 4096] = whole[other : other + 4096]
        path = tmp_path / f"{number}.sqlite"
        path.write_bytes(spoilt)
        kept = opened(path)
        for begin in range(0, len(KEYS), 300):
            rows, found = kept.get(KEYS[begin : begin + 300])
            np.testing.assert_array_equal(found, records()[begin:][rows])
            lost += 300 - len(rows)
        kept.put(KEYS[:3], records()[:3])
        kept.close()
        path.unlink(missing_ok=True)
    assert lost > 1000
