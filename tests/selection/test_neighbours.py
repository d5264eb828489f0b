"""Leave-one-out neighbours against scikit-learn's classifier, a row at a time."""

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.selection import neighbours
from tlkeras.selection.neighbours import neighbour_accuracy


def rows(n: int, d: int, classes: int, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    vectors = rng.normal(size=(n, d)) + 0.8 * rng.normal(size=(classes, d))[labels] + 1.0
    return Features(vectors.astype("float32"), labels, [f"{row}" for row in range(n)])


def left_out_one_by_one(features: Features, k: int) -> float:
    right = 0
    for row in range(len(features)):
        rest = np.arange(len(features)) != row
        known = KNeighborsClassifier(k, metric="cosine", algorithm="brute")
        known.fit(features.vectors[rest], features.labels[rest])
        right += int(known.predict(features.vectors[[row]])[0] == features.labels[row])
    return right / len(features)


@pytest.mark.parametrize("k", [1, 3])
def test_two_classes_equal_scikit_learn(k: int) -> None:
    features = rows(90, 12, 2)
    expected = left_out_one_by_one(features, k)
    assert 0.55 < expected < 0.98
    assert neighbour_accuracy(features, 2, k=k) == expected


def test_of_equally_many_votes_the_nearest_wins() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [1, 0.4], [0, 1]], "float32")
    features = Features(vectors, np.array([1, 1, 0, 0]), list("abcd"))
    # Rows 0 and 1 ask each other and row 2; only row 2 has no neighbour of its own class.
    assert neighbour_accuracy(features, 2, k=2) == 0.75


def test_copies_do_not_vote_for_each_other() -> None:
    features = rows(60, 40, 5)
    twice = Features.join([features, features])
    apart = Features(twice.vectors, twice.labels, [f"{row}" for row in range(120)])
    assert neighbour_accuracy(apart, 5, k=1) == 1.0
    assert neighbour_accuracy(twice, 5, k=1) == neighbour_accuracy(features, 5, k=1) < 1.0


def test_groups_stand_in_for_ids() -> None:
    features = rows(60, 40, 5)
    assert neighbour_accuracy(features, 5, k=1) > 0.5
    assert neighbour_accuracy(features, 5, k=1, groups=features.labels.tolist()) == 0.0


def test_a_large_table_is_judged_by_some_of_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    features = rows(600, 12, 2)
    whole = neighbour_accuracy(features, 2)
    monkeypatch.setattr(neighbours, "MOST_JUDGED", 300)
    some = neighbour_accuracy(features, 2)
    assert (some * 300) % 1 == pytest.approx(0, abs=1e-9)
    assert abs(some - whole) < 0.08


def test_an_embedding_of_zeros_is_unlike_all_others() -> None:
    vectors = np.array([[0, 0], [1, 0], [1, 0.1], [0, 1]], "float32")
    features = Features(vectors, np.array([0, 1, 1, 0]), list("abcd"))
    assert 0.0 <= neighbour_accuracy(features, 2, k=1) <= 1.0


def test_one_picture_alone_is_refused() -> None:
    with pytest.raises(DataError, match="two different pictures"):
        neighbour_accuracy(Features(np.ones((2, 3), "float32"), np.zeros(2, int), ["a", "a"]), 1)
