"""All scores of embeddings at once."""

import numpy as np

from tlkeras.features.features import Features
from tlkeras.selection.candidate import scores
from tlkeras.selection.ridge import left_out_answers


def test_scores_are_those_of_the_left_out_answers_and_favour_the_better_embeddings() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(150) % 3
    ids = [str(row) for row in range(150)]
    centres = rng.normal(size=(3, 8))

    def spaced(distance: float) -> Features:
        vectors = rng.normal(size=(150, 8)) + distance * centres[labels]
        return Features(vectors.astype("float32"), labels, ids)

    good, poor = spaced(2.0), spaced(1.0)
    first, second = scores(good, 3), scores(poor, 3)
    expected = left_out_answers(good, 3).argmax(axis=1) == labels
    np.testing.assert_array_equal(first.right, expected)
    assert first.right.mean() > second.right.mean()
    assert first.knn > second.knn
    assert first.logme > second.logme
    assert first.h_score > second.h_score
