"""The unknown score against its formula, and its false alarms against what was asked for."""

from pathlib import Path

import numpy as np
import pytest

from tlkeras.heads.table import Table
from tlkeras.heads.unknown import UnknownScore, fit_again, fit_unknown


def pictures(rows: int, seed: int, classes: int = 3, width: int = 20) -> tuple[np.ndarray, ...]:
    """Embeddings around one centre a class, and their labels."""
    rng = np.random.default_rng(seed)
    centres = np.abs(np.random.default_rng(7).normal(size=(classes, width)))
    labels = np.arange(rows) % classes
    noise = rng.normal(0, 0.4, (rows, width)) * rng.uniform(0.5, 2, (rows, 1))
    return (centres[labels] + noise).astype("float32"), labels


def strange(rows: int, seed: int = 3, width: int = 20) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, width)).astype("float32")


def fitted(seen: int = 90, unseen: int = 60, false_alarms: float = 0.05) -> UnknownScore:
    vectors, labels = pictures(seen, 1)
    return fit_unknown(vectors, labels, pictures(unseen, 2)[0], false_alarms)


def test_score_is_one_at_the_limit_and_nought_at_the_median_by_the_formula() -> None:
    vectors, labels = pictures(90, 1)
    unseen = pictures(60, 2)[0]

    def direction(x: np.ndarray) -> np.ndarray:
        return x / np.linalg.norm(x)

    centres = [
        direction(np.mean([direction(v) for v in vectors[labels == c]], axis=0)) for c in range(3)
    ]
    everything = direction(np.mean(centres, axis=0))
    far = [
        -max(direction(v) @ c - 0.5 * (direction(v) @ everything) for c in centres) for v in unseen
    ]
    typical, limit = np.median(far), np.sort(far)[57]  # the 58th of 60: ceil(.95 · 61)
    expected = (np.array(far) - typical) / (limit - typical)
    np.testing.assert_allclose(fitted()(unseen), expected, atol=1e-4)


def test_other_vectors_score_higher() -> None:
    score = fitted()
    known, other = score(pictures(300, 5)[0]), score(strange(300))
    assert (other[:, None] > known).mean() > 0.99
    assert (other > 1).mean() > 0.9


@pytest.mark.parametrize("share", [0.02, 0.05, 0.2])
def test_false_alarms_on_new_pictures_are_at_most_what_was_asked_for(share: float) -> None:
    rates = []
    for seed in range(60):
        vectors, labels = pictures(90, 1)
        score = fit_unknown(vectors, labels, pictures(60, 100 + seed)[0], share)
        rates.append((score(pictures(500, 500 + seed)[0]) > 1).mean())
    assert 0.3 * share < np.mean(rates) <= share * 1.1


def test_too_few_unseen_rows_of_a_trained_network_say_what_they_can_tell() -> None:
    vectors, labels = pictures(90, 1)
    unseen = pictures(19, 2)[0]
    score = fit_unknown(vectors, labels, unseen[:9], 0.05, frozen=False)
    assert score.false_alarms == pytest.approx(0.1)
    assert "at most 0.1" in str(score)
    assert fit_unknown(vectors, labels, unseen, 0.05, frozen=False).false_alarms == 0.05


def test_training_rows_help_out_where_unseen_ones_are_few() -> None:
    rates = []
    for seed in range(60):
        vectors, labels = pictures(45, seed)
        score = fit_unknown(vectors, labels, pictures(9, 100 + seed)[0], 0.05)
        rates.append((score(pictures(500, 500 + seed)[0]) > 1).mean())
    assert score.rows == 54
    assert score.false_alarms == 0.05
    assert 0.02 < np.mean(rates) < 0.06


def test_one_unseen_row_and_equal_rows_are_no_trouble() -> None:
    vectors, labels = pictures(30, 1)
    assert np.isfinite(fit_unknown(vectors, labels, vectors[:1], 0.05)(strange(10))).all()
    same = np.ones((10, 4), "float32")
    score = fit_unknown(same, np.zeros(10, int), same, 0.05)
    assert (score(same) <= 1).all()


def test_embedding_of_zeros_is_unknown_and_finite() -> None:
    assert (fitted()(np.zeros((2, 20), "float32")) > 1).all()


def test_class_without_pictures_has_no_column() -> None:
    vectors, labels = pictures(30, 1)
    assert fit_unknown(vectors, labels * 2, vectors, 0.05).kernel.shape == (20, 3)


def test_brightness_of_an_embedding_does_not_count() -> None:
    some = strange(20)
    np.testing.assert_allclose(fitted()(some), fitted()(5 * some), atol=1e-4)


def test_memory_map_and_several_arrays_score_as_one_array(tmp_path: Path) -> None:
    vectors, labels = pictures(90, 1)
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    unseen = pictures(60, 2)[0]
    parts = fit_unknown(
        Table(mapped[:40], mapped[40:]), labels, Table(unseen[:1], unseen[1:]), 0.05
    )
    np.testing.assert_allclose(parts(unseen), fitted()(unseen), atol=1e-4)


def test_score_carries_over_to_a_network_that_has_seen_the_validation_rows() -> None:
    """The new network turns the space and draws what it has seen together."""
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(20, 20)))[0].astype("float32")
    vectors, labels = pictures(90, 1)
    before = fitted()
    same = fit_again(before, vectors, vectors @ turn, labels)
    unseen = pictures(300, 9)[0]
    np.testing.assert_allclose(same(unseen @ turn), before(unseen), atol=2e-3)

    centres = np.stack([vectors[labels == c].mean(0) for c in range(3)])
    closer = centres[labels] + 0.5 * (vectors - centres[labels])
    tight = fit_again(before, vectors, closer, labels)
    np.testing.assert_allclose(
        np.quantile(tight(closer), (0.5, 0.95)),
        np.quantile(before(vectors), (0.5, 0.95)),
        atol=0.01,
    )
    assert tight.false_alarms == before.false_alarms
