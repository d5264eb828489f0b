"""Outliers are found, few others are, and they do not hide one another."""

import numpy as np

from tlkeras.evaluation.suspects.outliers import FAR, how_far, outliers


def rows(n: int, seed: int = 0) -> np.ndarray:
    """Embeddings (n, 12) float32 of pictures that have much in common."""
    rng = np.random.default_rng(seed)
    common = rng.uniform(2, 4, 12)
    return (common + rng.normal(size=(n, 12))).astype("float32")


def test_planted_outliers_come_first() -> None:
    vectors = rows(150)
    vectors[[30, 70, 71]] *= np.array([[1, -1] * 6, [-1, 1] * 6, [1, 1, -1] * 4])
    found = outliers(how_far(vectors))
    assert set(found[:3].tolist()) == {30, 70, 71}
    assert len(found) <= 9


def test_few_rows_of_one_kind_are_outliers() -> None:
    counts = [len(outliers(how_far(rows(200, seed)))) for seed in range(8)]
    assert np.mean(counts) <= 6  # of 200


def test_distance_is_counted_in_robust_deviations() -> None:
    vectors = rows(60)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = np.sort(1 - unit @ unit.T, axis=1)[:, 1:6].mean(axis=1)
    usual = np.median(distances)
    expected = (distances - usual) / (1.4826 * np.median(np.abs(distances - usual)))
    assert np.abs(how_far(vectors) - expected).max() < 1e-2


def test_copies_of_an_outlier_do_not_hide_it() -> None:
    vectors = rows(80)
    vectors[10:18] = -vectors[10]
    groups = [10 if 10 <= row < 18 else row for row in range(80)]
    assert (how_far(vectors, groups)[10:18] > FAR).all()
    assert (how_far(vectors)[10:18] < FAR).all()


def test_equal_pictures_and_few_pictures_have_no_outliers() -> None:
    assert len(outliers(how_far(np.ones((30, 4), "float32")))) == 0
    assert len(outliers(how_far(np.eye(6, dtype="float32")))) == 0
    assert len(outliers(how_far(rows(30), [0] * 30))) == 0
