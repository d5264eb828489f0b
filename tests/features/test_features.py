import numpy as np
import pytest

from tlkeras.errors import DataError
from tlkeras.features.features import Features


def test_join_keeps_rows_with_their_labels_and_ids() -> None:
    first = Features(np.zeros((2, 3), "float32"), np.array([0, 1]), ("a", "b"))
    second = Features(np.ones((1, 3), "float32"), np.array([2]), ("c",))
    both = Features.join([first, second])
    assert both.labels.tolist() == [0, 1, 2]
    assert both.ids == ("a", "b", "c")
    assert both.vectors[2].tolist() == [1, 1, 1]


def test_counts_that_differ_are_refused_with_the_shapes() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\)"):
        Features(np.zeros((2, 3), "float32"), np.array([0]), ("a", "b"))


def test_nan_embedding_names_the_picture() -> None:  # F6
    vectors = np.array([[0.0], [np.nan]], "float32")
    with pytest.raises(DataError, match="picture b"):
        Features(vectors, np.array([0, 1]), ("a", "b"))
