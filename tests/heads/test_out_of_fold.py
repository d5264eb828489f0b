"""Held-out answers against scikit-learn's classifier trained fold by fold."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.heads import out_of_fold as module
from tlkeras.heads.out_of_fold import deal, out_of_fold


def rows(n: int = 120, d: int = 20, classes: int = 3, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    vectors = rng.normal(size=(n, d)) + rng.normal(size=(classes, d))[labels] * 0.6 + 2.0
    return Features(vectors.astype("float32"), labels, [f"{row}" for row in range(n)])


def by_scikit_learn(features: Features, classes: int, strength: float) -> np.ndarray:
    fold_of = deal(features.labels, features.ids)
    answers = np.empty((len(features), classes))
    for fold in range(fold_of.max() + 1):
        rest = fold_of != fold
        probe = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=5000))
        probe.fit(features.vectors[rest].astype("float64"), features.labels[rest])
        answers[~rest] = probe.predict_proba(features.vectors[~rest].astype("float64"))
    return answers


@pytest.mark.parametrize("d", [20, 150])  # fewer columns than rows, and more
def test_answers_equal_scikit_learn(d: int) -> None:
    features = rows(d=d)
    found = out_of_fold(features, 3, strengths=[0.01])
    expected = by_scikit_learn(features, 3, 0.01)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=5e-3)


def test_the_strength_with_the_lowest_held_out_loss_is_taken() -> None:
    features = rows()
    strengths = [1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    losses = [log_loss(features.labels, by_scikit_learn(features, 3, s)) for s in strengths]
    best = strengths[int(np.argmin(losses))]
    assert best not in (strengths[0], strengths[-1])
    found = out_of_fold(features, 3, strengths=strengths)
    np.testing.assert_allclose(found, out_of_fold(features, 3, strengths=[best]), atol=5e-3)


def test_labels_of_chance_are_not_learned() -> None:
    features = rows(n=300, d=400)
    shuffled = np.random.default_rng(1).permutation(features.labels)
    answers = out_of_fold(Features(features.vectors, shuffled, features.ids), 3)
    assert (answers.argmax(axis=1) == shuffled).mean() < 0.45


def test_copies_of_a_picture_are_held_out_together() -> None:
    features = rows(n=60)
    noise = Features(features.vectors, np.random.default_rng(2).permutation(features.labels),
                     features.ids)  # fmt: skip
    twice = Features.join([noise, noise])
    apart = Features(twice.vectors, twice.labels, [f"{row}" for row in range(120)])
    learned = (out_of_fold(apart, 3, strengths=[10.0]).argmax(1) == twice.labels).mean()
    honest = (out_of_fold(twice, 3, strengths=[10.0]).argmax(1) == twice.labels).mean()
    assert learned > honest + 0.15


def test_a_large_table_that_is_not_copied_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    features = rows()
    copied = out_of_fold(features, 3, strengths=[0.01])
    monkeypatch.setattr(module, "COPIED_BYTES", 0)
    np.testing.assert_allclose(out_of_fold(features, 3, strengths=[0.01]), copied, atol=2e-3)


def test_same_seed_same_answers_and_another_seed_other_folds() -> None:
    features = rows()
    first = out_of_fold(features, 3, seed=1, strengths=[0.01])
    np.testing.assert_array_equal(first, out_of_fold(features, 3, seed=1, strengths=[0.01]))
    assert np.abs(first - out_of_fold(features, 3, seed=2, strengths=[0.01])).max() > 1e-3


def test_folds_spread_classes_evenly() -> None:
    labels = np.repeat([0, 1, 2], [53, 20, 7])
    fold_of = deal(labels, range(80), folds=5, seed=3)
    counts = np.array([np.bincount(labels[fold_of == fold], minlength=3) for fold in range(5)])
    assert (np.ptp(counts, axis=0) <= 1).all()
    assert np.ptp(counts.sum(axis=1)) <= 1


def test_folds_keep_groups_whole() -> None:
    groups = np.random.default_rng(0).integers(0, 25, 100)
    fold_of = deal(np.zeros(100, int), groups.tolist(), folds=4)
    assert all(len(set(fold_of[groups == group].tolist())) == 1 for group in range(25))
    assert set(fold_of.tolist()) == {0, 1, 2, 3}


def test_a_class_with_one_picture_is_never_known_and_does_no_harm() -> None:
    features = rows(n=31)
    labels = features.labels.copy()
    labels[0] = 3
    answers = out_of_fold(Features(features.vectors, labels, features.ids), 4)
    assert np.isfinite(answers).all()
    assert answers[0, 3] < 0.2


def test_fewer_pictures_than_folds_leave_one_out() -> None:
    assert sorted(deal(np.array([0, 1, 0]), ["a", "b", "c"], folds=5).tolist()) == [0, 1, 2]


@pytest.mark.parametrize(("ids", "folds"), [(["a", "a"], 5), (["a", "b"], 1)])
def test_too_little_to_hold_out_is_refused(ids: list[str], folds: int) -> None:
    with pytest.raises(DataError, match="two folds and two different pictures"):
        deal(np.array([0, 1]), ids, folds)
