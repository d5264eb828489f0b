"""Activations that are kept: what goes in comes out, wherever it lay."""

import numpy as np
import pytest

from tlkeras.training.maps import Maps

RNG = np.random.default_rng(2)
ARRAYS = [
    RNG.normal(size=(7, 3, 5)).astype("float32"),
    RNG.integers(0, 9, size=(7, 2)).astype("int32"),
    RNG.normal(size=(7, 11)).astype("float32"),
]


def filled(**limits: int) -> Maps:
    maps = Maps(7, [array[:3] for array in ARRAYS], **limits)
    maps.put(0, [array[:3] for array in ARRAYS])
    maps.put(3, [array[3:] for array in ARRAYS])
    return maps


@pytest.mark.parametrize("in_memory", [2**20, 0], ids=["memory", "file"])
@pytest.mark.parametrize(("exact", "tolerance"), [(2**20, 0), (0, 2.0**-11)])
def test_rows_come_back_in_any_order(in_memory: int, exact: int, tolerance: float) -> None:
    maps = filled(in_memory=in_memory, exact=exact)
    rows = np.array([6, 0, 3, 3])
    for found, array in zip(maps.take(rows), ARRAYS, strict=True):
        assert type(found) is np.ndarray
        np.testing.assert_allclose(found, array[rows], rtol=tolerance, atol=1e-7 * (exact == 0))
    assert maps.take(rows)[0].dtype == ("float32" if exact else "float16")
    assert maps.take(rows)[1].dtype == "int32"
    maps.close()


def test_half_precision_takes_half_the_room() -> None:
    full, half = filled(), filled(exact=0)
    assert full.bytes - half.bytes == 2 * (ARRAYS[0].size + ARRAYS[2].size)


def test_pages_that_were_given_back_are_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlkeras.training.maps.RELEASED_EVERY", 1)
    maps = filled(in_memory=0)
    for _ in range(3):
        np.testing.assert_array_equal(maps.take(np.array([5, 1]))[2], ARRAYS[2][[5, 1]])
    maps.close()


@pytest.mark.parametrize("value", [7e4, np.inf])
def test_value_beyond_half_precision_is_an_error(value: float) -> None:
    first = [np.full((2, 3), value, "float32")]
    maps = Maps(2, first, exact=0)
    with pytest.raises(OverflowError, match="65504"):
        maps.put(0, first)


def test_disk_without_room_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlkeras.training.maps.SHARE_OF_DISK", 0.0)
    with pytest.raises(OSError, match="are free in"):
        filled(in_memory=0)
