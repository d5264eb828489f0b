"""Nearest rows by cosine, beside scikit-learn's."""

import numpy as np
import pytest

from tlkeras.evaluation.suspects import nearest as module
from tlkeras.evaluation.suspects.nearest import nearest


@pytest.fixture
def vectors() -> np.ndarray:
    return np.random.default_rng(3).normal(size=(41, 7)).astype("float32")


def test_nearest_are_those_of_scikit_learn(vectors: np.ndarray) -> None:
    neighbours = pytest.importorskip("sklearn.neighbors")
    model = neighbours.NearestNeighbors(n_neighbors=5, metric="cosine").fit(vectors)
    distance, expected = model.kneighbors()
    rows, likeness = nearest(vectors, 5)
    assert rows.tolist() == expected.tolist()
    assert np.abs(1 - likeness - distance).max() < 1e-5


def test_rows_of_one_group_are_no_neighbours(vectors: np.ndarray) -> None:
    vectors[8] = vectors[2] * 3
    groups = list(range(41))
    assert nearest(vectors, 1, groups)[0][8] == 2
    groups[8] = groups[2]
    rows, _ = nearest(vectors, 4, groups)
    assert 2 not in rows[8]
    assert 8 not in rows[2]


def test_places_without_a_neighbour_are_marked() -> None:
    rows, likeness = nearest(np.eye(3, dtype="float32"), 3, ["a", "a", "b"])
    assert rows.tolist() == [[2, -1, -1], [2, -1, -1], [0, 1, -1]]
    assert np.isneginf(likeness[rows < 0]).all()


def test_zero_vectors_have_finite_likeness() -> None:
    assert nearest(np.zeros((3, 2), "float32"), 1)[1].tolist() == [[0], [0], [0]]


def test_block_by_block_is_the_same(vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = nearest(vectors, 5)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 4 * 41 * 3)
    for one, other in zip(whole, nearest(vectors, 5), strict=True):
        assert np.allclose(one, other)


def test_of_a_large_table_some_rows_are_asked(
    vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_ASKED", 11)
    rows, _ = nearest(vectors, 4)
    assert rows.shape == (41, 4)
    assert set(rows.ravel().tolist()) <= set(range(0, 41, 4))
