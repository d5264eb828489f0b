from pathlib import Path

import numpy as np
import pytest

from tlkeras.heads import table as table_module
from tlkeras.heads.table import Standardised, Table


@pytest.fixture
def parts() -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    scale, offset = np.linspace(0.5, 20, 7), np.linspace(-400, 30, 7)
    return [(rng.normal(size=(n, 7)) * scale + offset).astype("float32") for n in (5, 11, 3)]


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_module, "BLOCK_BYTES", 4 * 7 * 4)  # four rows


@pytest.mark.usefixtures("small_blocks")
def test_blocks_give_every_row_once_in_order(parts: list[np.ndarray]) -> None:
    whole = np.concatenate(parts)
    seen = list(Table(*parts).blocks())
    np.testing.assert_array_equal(np.concatenate([rows for _, rows in seen]), whole)
    assert max(len(rows) for _, rows in seen) == 4
    for where, rows in seen:
        np.testing.assert_array_equal(whole[where], rows)


def test_blocks_and_joined_tables_copy_nothing(parts: list[np.ndarray]) -> None:
    joined = Table(parts[0]).join(Table(*parts[1:]))
    assert joined.shape == (19, 7)
    for part, (_, rows) in zip(parts, joined.blocks(), strict=True):
        assert np.shares_memory(part, rows)


def test_released_pages_of_a_memory_map_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "RELEASED_BYTES", 1)
    rows = np.random.default_rng(3).normal(size=(3000, 7)).astype("float32")
    rows.tofile(tmp_path / "rows")
    table = Table(np.memmap(tmp_path / "rows", "float32", "r", shape=(3000, 7))[10:])
    for where, block in table.blocks():
        np.testing.assert_array_equal(block, rows[10:][where])
    order = np.array([2989, 0, 1500])
    np.testing.assert_array_equal(table.take(order), rows[10:][order])


def test_take_picks_rows_across_parts(parts: list[np.ndarray]) -> None:
    order = np.array([18, 0, 15, 16, 4, 5, 5])
    np.testing.assert_array_equal(Table(*parts).take(order), np.concatenate(parts)[order])


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("kept", [0, 2**20])
def test_standardised_equals_two_passes_in_float64(
    parts: list[np.ndarray], kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_module, "KEPT_BYTES", kept)
    whole = np.concatenate(parts).astype("float64")
    weights = np.linspace(0.2, 3, 19)
    mean = np.average(whole, axis=0, weights=weights)
    spread = np.sqrt(np.average((whole - mean) ** 2, axis=0, weights=weights))
    rows = Standardised(Table(*parts), weights)
    found = np.concatenate([block.copy() for _, block in rows.blocks()])
    np.testing.assert_allclose(found, (whole - mean) / spread, atol=2e-4)
    np.testing.assert_allclose(rows.take(np.arange(19)), found, atol=1e-6)


def test_column_far_from_zero_keeps_its_spread() -> None:
    values = 1e4 + np.random.default_rng(2).normal(size=(400, 1))
    rows = Standardised(Table(values.astype("float32")), np.ones(400))
    assert rows.varying == 1
    assert rows.take(np.arange(400)).std() == pytest.approx(1.0, abs=1e-3)


def test_constant_columns_become_zero() -> None:
    rows = Standardised(Table(np.full((5, 2), 0.1, "float32")), np.ones(5))
    assert rows.varying == 0
    np.testing.assert_allclose(rows.take(np.arange(5)), 0.0, atol=1e-6)
