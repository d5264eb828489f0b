"""Growing probes: honest folds, nested draws, and scikit-learn's figures."""

import numpy as np
import pytest

from tlkeras.features.features import Features
from tlkeras.heads.out_of_fold import deal
from tlkeras.selection.growth import FOLDS, STRENGTHS, grow, in_chance_order


def blobs(n: int, classes: int, apart: float, seed: int = 0, width: int = 12) -> Features:
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n) % classes)
    centres = np.random.default_rng(99).normal(size=(classes, width)) * apart
    vectors = (centres[labels] + rng.normal(size=(n, width))).astype("float32")
    return Features(vectors, labels, tuple(map(str, range(n))))


def test_heads_on_more_rows_make_fewer_mistakes() -> None:
    growth = grow(blobs(200, 4, 0.7), 4)
    assert growth.pictures.tolist() == [16, 40, 80, 160]
    assert growth.mistakes[0] > growth.mistakes[-1] + 0.05
    assert sorted(growth.rows.tolist()) == list(range(200))


def test_last_point_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.preprocessing import StandardScaler

    rows = blobs(150, 3, 0.6)
    growth = grow(rows, 3, shares=(1.0,), draws=(1,))
    fold_of = deal(rows.labels, rows.ids, FOLDS, 0)
    found = []
    for strength in STRENGTHS:
        answers = np.empty((150, 3))
        for fold in range(FOLDS):
            seen = fold_of != fold
            scaler = StandardScaler().fit(rows.vectors[seen])
            head = LogisticRegression(C=strength, max_iter=2000, tol=1e-8)
            head.fit(scaler.transform(rows.vectors[seen]), rows.labels[seen])
            answers[~seen] = head.predict_proba(scaler.transform(rows.vectors[~seen]))
        answers /= answers.sum(axis=1, keepdims=True)
        found.append((log_loss(rows.labels, answers), (answers.argmax(1) != rows.labels).mean()))
    assert growth.mistakes[0] == pytest.approx(min(found)[1], abs=0.014)  # two of 150


def test_copies_are_never_learned_from_and_judged() -> None:
    one = blobs(60, 2, 0.0, width=100)
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 60)
    ids = tuple(map(str, range(60)))
    rows = Features(np.tile(one.vectors, (3, 1)), np.tile(labels, 3), ids * 3)
    assert grow(rows, 2).mistakes[-1] > 0.3
    leaked = Features(rows.vectors, rows.labels, tuple(map(str, range(180))))
    assert grow(leaked, 2).mistakes[-1] < 0.3


def test_every_start_has_the_classes_in_proportion() -> None:
    labels = np.repeat([0, 1, 2], [60, 30, 2])
    order = in_chance_order(labels, np.arange(92), (1,))
    assert sorted(order.tolist()) == list(range(92))
    assert set(labels[order[:3]]) == {0, 1, 2}
    half = np.bincount(labels[order[:46]])
    assert half.tolist() == [30, 15, 1]


def test_same_seed_gives_the_same() -> None:
    rows = blobs(100, 2, 0.5)
    first, second, other = (grow(rows, 2, seed=seed) for seed in (4, 4, 5))
    assert all((a == b).all() for a, b in zip(first.right, second.right, strict=True))
    assert first.rows.tolist() != other.rows.tolist()


def test_many_rows_are_held_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tlkeras.selection.growth.ROWS_TO_HOLD_OUT_ONCE", 99)
    growth = grow(blobs(100, 2, 0.5), 2)
    assert len(growth.rows) == 20
    assert growth.pictures[-1] == 80
