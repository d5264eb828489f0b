"""Left-out answers against scikit-learn's ridge regression, trained anew for each row."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from tlkeras.errors import DataError
from tlkeras.features.features import Features
from tlkeras.selection import ridge
from tlkeras.selection.ridge import left_out_answers


def rows(n: int, d: int, classes: int, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, n)
    vectors = rng.normal(size=(n, d)) + 0.7 * rng.normal(size=(classes, d))[labels] + 2.0
    vectors[:, 0] = 7.0  # a constant column
    return Features(vectors.astype("float32"), labels, [f"{row}" for row in range(n)])


def trained_anew(features: Features, classes: int, penalty: float, groups: list) -> np.ndarray:
    vectors = features.vectors.astype("float64")
    spread = vectors.std(axis=0)
    scaled = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    moments = np.linalg.svd(scaled, compute_uv=False) ** 2
    moments = moments[moments > 1e-9 * moments[0]]
    alpha = penalty * moments.mean()
    targets = np.eye(classes)[features.labels]
    answers = np.empty_like(targets)
    for group in set(groups):
        held_out = np.array([one == group for one in groups])
        model = Ridge(alpha=alpha).fit(scaled[~held_out], targets[~held_out])
        answers[held_out] = model.predict(scaled[held_out])
    return answers


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 9, 3), (40, 90, 4), (50, 20, 2)])
@pytest.mark.parametrize("size", [1, 3])
def test_answers_are_those_of_heads_trained_without_the_group(
    n: int, d: int, classes: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = rows(n, d, classes)
    groups = (np.arange(n) // size).tolist()
    monkeypatch.setattr(ridge, "PENALTIES", np.array([0.5]))
    found = left_out_answers(features, classes, groups=groups)
    expected = trained_anew(features, classes, 0.5, groups)
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    assert expected.std() > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_the_penalty_with_the_lowest_left_out_error_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    features = rows(60, 30, 3)
    penalties = np.array([1e-2, 1e-1, 1.0, 10.0, 100.0])
    targets = np.eye(3)[features.labels]
    groups = list(range(60))
    answers = [trained_anew(features, 3, penalty, groups) for penalty in penalties]
    best = int(np.argmin([((one - targets) ** 2).sum() for one in answers]))
    assert 0 < best < len(penalties) - 1
    monkeypatch.setattr(ridge, "PENALTIES", penalties)
    np.testing.assert_allclose(left_out_answers(features, 3), answers[best], atol=1e-4)


def test_labels_of_chance_are_not_learned() -> None:
    features = rows(300, 400, 3)
    shuffled = np.random.default_rng(1).permutation(features.labels)
    answers = left_out_answers(Features(features.vectors, shuffled, features.ids), 3)
    assert (answers.argmax(axis=1) == shuffled).mean() < 0.45


def test_copies_do_not_answer_for_each_other() -> None:
    features = rows(80, 200, 4)
    shuffled = np.random.default_rng(1).permutation(features.labels)
    noise = Features(features.vectors, shuffled, features.ids)
    twice = Features.join([noise, noise])
    apart = Features(twice.vectors, twice.labels, [f"{row}" for row in range(160)])
    assert (left_out_answers(apart, 4).argmax(1) == twice.labels).mean() > 0.9
    assert (left_out_answers(twice, 4).argmax(1) == twice.labels).mean() < 0.5


def test_embeddings_that_are_all_the_same_have_an_answer() -> None:
    same = Features(np.full((6, 4), 0.5, "float32"), np.arange(6) % 2, list("abcdef"))
    assert np.isfinite(left_out_answers(same, 2)).all()


def test_one_picture_alone_is_refused() -> None:
    with pytest.raises(DataError, match="two different ones"):
        left_out_answers(Features(np.ones((2, 3), "float32"), np.zeros(2, int), ["a", "a"]), 1)
