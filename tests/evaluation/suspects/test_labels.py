"""Wrong labels in made-up embeddings are found, and how many is told truly."""

import numpy as np
import pytest

from tlkeras.errors import DataError
from tlkeras.evaluation.suspects.labels import doubt
from tlkeras.features.features import Features


def clouds(per_class: int, classes: int, apart: float, seed: int = 0) -> Features:
    """Classes that overlap more or less; 9 columns."""
    rng = np.random.default_rng(seed)
    labels = np.arange(per_class * classes) % classes
    centres = rng.normal(size=(classes, 9))
    centres *= apart / np.linalg.norm(centres, axis=1, keepdims=True)
    vectors = centres[labels] + rng.normal(size=(len(labels), 9))
    return Features(vectors.astype("float32"), labels, [str(row) for row in range(len(labels))])


def with_changed(features: Features, count: int, seed: int) -> tuple[Features, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.choice(len(features), count, replace=False)
    labels, classes = features.labels.copy(), features.labels.max() + 1
    labels[rows] = (labels[rows] + rng.integers(1, classes, count)) % classes
    return Features(features.vectors, labels, features.ids), rows


def test_changed_labels_head_the_ranking_with_the_right_suggestion() -> None:
    clean = clouds(50, 4, apart=5)
    wrong, rows = with_changed(clean, 8, seed=2)
    found = doubt(wrong, 4)
    assert np.isin(rows, found.ranking[:10]).sum() >= 7
    top = found.ranking[:6]
    assert found.suggested[top].tolist() == clean.labels[top].tolist()
    assert np.isin(rows, found.listed).sum() >= 7
    assert len(found.listed) <= 20


def test_nothing_much_is_listed_where_no_label_is_wrong() -> None:
    found = doubt(clouds(50, 4, apart=6), 4)
    assert len(found.listed) <= 4


def test_short_list_goes_on_while_another_class_is_likelier() -> None:
    features, _ = with_changed(clouds(50, 4, apart=5), 8, seed=2)
    found = doubt(features, 4)
    assert len(found.listed) == min(20, (found.odds >= 1).sum())
    assert found.recovered >= 0.8 * found.changed


def test_share_recovered_is_what_other_changed_labels_meet() -> None:
    clean = clouds(60, 3, apart=2.5)
    told, met = [], []
    for seed in range(4):
        wrong, rows = with_changed(clean, 9, seed=10 + seed)
        found = doubt(wrong, 3, seed=seed)
        told.append(found.recovered / found.changed)
        met.append(np.isin(rows, found.listed).mean())
    assert abs(np.mean(told) - np.mean(met)) < 0.2
    assert np.mean(met) > 0.5


def test_labels_that_follow_from_nothing_are_told_to_be_unknowable() -> None:
    rng = np.random.default_rng(5)
    features = clouds(40, 4, apart=0)
    noise = Features(features.vectors, rng.integers(0, 4, len(features)), features.ids)
    found = doubt(noise, 4)
    # Whoever guesses lists nearly all of them, or finds few.
    assert len(found.listed) / len(noise) > found.recovered / found.changed - 0.25


def test_copies_do_not_judge_each_other() -> None:
    clean = clouds(40, 2, apart=5)
    vectors, labels = clean.vectors.copy(), clean.labels.copy()
    vectors[1:9] = vectors[0]  # nine copies of one picture, all labelled wrongly
    labels[:9] = 1 - clean.labels[0]
    wrong = Features(vectors, labels, clean.ids)
    groups = [0] * 9 + list(range(9, len(labels)))
    assert doubt(wrong, 2, groups=groups).odds[:9].min() > 5
    assert doubt(wrong, 2).odds[:9].max() < 5


def test_same_seed_gives_the_same_doubts() -> None:
    features, _ = with_changed(clouds(30, 3, apart=3), 6, seed=1)
    one, again = doubt(features, 3, seed=4), doubt(features, 3, seed=4)
    assert (one.odds == again.odds).all()
    assert one.threshold == again.threshold


def test_confident_learning_marks_some_of_the_listed() -> None:
    features, rows = with_changed(clouds(50, 3, apart=5), 8, seed=3)
    found = doubt(features, 3)
    assert found.confident[rows].sum() >= 6
    assert found.confident.sum() <= 14


@pytest.mark.parametrize("labels", [[0, 1] * 5, [0] * 30])
def test_too_little_to_judge_is_said(labels: list[int]) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(labels), 3)).astype("float32")
    features = Features(vectors, np.array(labels), [str(row) for row in range(len(labels))])
    with pytest.raises(DataError, match="20 pictures of two classes"):
        doubt(features, 2)


def test_a_class_with_one_picture_stops_nothing() -> None:
    features = clouds(15, 2, apart=4)
    labels = features.labels.copy()
    labels[3] = 2
    found = doubt(Features(features.vectors, labels, features.ids), 3)
    assert found.odds.shape == (30,)
    assert np.isfinite(found.odds).all()
