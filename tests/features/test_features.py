import numpy as np
import pytest

from tlkeras.errors import DataError
from tlkeras.features.features import Features, Ids


def test_join_keeps_rows_with_their_labels_and_ids() -> None:
    first = Features(np.zeros((2, 3), "float32"), np.array([0, 1]), ("a", "b"))
    second = Features(np.ones((1, 3), "float32"), np.array([2]), ("c",))
    both = Features.join([first, second])
    assert both.labels.tolist() == [0, 1, 2]
    assert list(both.ids) == ["a", "b", "c"]
    assert both.vectors[2].tolist() == [1, 1, 1]


def test_counts_that_differ_are_refused_with_the_shapes() -> None:
    with pytest.raises(DataError, match=r"\(2, 3\)"):
        Features(np.zeros((2, 3), "float32"), np.array([0]), ("a", "b"))


def test_nan_embedding_names_the_picture() -> None:  # F6
    vectors = np.array([[0.0], [np.nan]], "float32")
    with pytest.raises(DataError, match="picture b"):
        Features(vectors, np.array([0, 1]), ("a", "b"))


def test_wrong_rows_of_a_large_table_are_counted_over_all_of_it() -> None:
    vectors = np.zeros((30_000, 300), "float32")
    vectors[[20_000, 29_999], [7, 299]] = np.nan, np.inf
    ids = tuple(map(str, range(30_000)))
    with pytest.raises(DataError, match=r"2 of 30000 rows.*picture 20000"):
        Features(vectors, np.zeros(30_000, int), ids)


def test_ids_kept_as_bytes_are_text_again() -> None:
    ids = Ids(np.array([[0x3F, 0xA9], [0x41, 0xAA], [0x77, 0]], "uint8"))
    assert list(ids[1:]) == ["41aa", "7700"]
    assert ids[-1] == "7700"
    assert "41aa" in ids
