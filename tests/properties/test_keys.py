"""For any pictures: the key of an embedding is that of its content and the way it is looked at."""

from pathlib import Path

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from tlkeras.data.augment import Augmentation
from tlkeras.data.picture import Picture
from tlkeras.features.extract import View, _columns
from tlkeras.features.store import FeatureStore
from tlkeras.features.table import Table

DIGESTS = st.binary(min_size=32, max_size=32).map(bytes.hex)
VIEWS = st.none() | st.builds(
    View, st.just(Augmentation()), number=st.integers(0, 3), seed=st.integers(0, 3)
)
LOOKS = st.tuples(DIGESTS, st.sampled_from([96, 160, 224, 1224]), VIEWS)


def key(digest: str, size_px: int, view: View | None, name: str = "a.jpg") -> bytes:
    return bytes(_columns([Picture(Path(name), 0, digest)], size_px, view)[2][0])


@given(LOOKS, LOOKS)
def test_other_content_size_or_view_has_another_key(one, other) -> None:
    assume(one != other)
    assert key(*one) != key(*other)


@given(LOOKS, st.integers(0, 5))
def test_name_and_label_do_not_matter(look, label) -> None:
    digest, size_px, view = look
    moved = Picture(Path("elsewhere/b.png"), label, digest)
    assert bytes(_columns([moved], size_px, view)[2][0]) == key(digest, size_px, view)


@given(
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
    st.lists(st.integers(0, 40), min_size=1, max_size=60),
)
def test_store_gives_back_what_was_put_and_nothing_else(
    tmp_path_factory, put: list[int], wanted: list[int]
) -> None:
    def keys(numbers: list[int]) -> np.ndarray:
        return np.array([f"key {number:011}".encode() for number in numbers], "S16")

    def vectors(numbers: list[int]) -> np.ndarray:
        return np.array([[number, -number, 0.5] for number in numbers], np.float32)

    folder = tmp_path_factory.mktemp("store")
    with FeatureStore(folder, "3fa9-float32", width=3) as store:
        store.put(keys(put), vectors(put))
    with FeatureStore(folder, "3fa9-float32", width=3) as store, Table(len(wanted), 3) as table:
        found = store.fill(keys(wanted), table)
        rows = table.array()
    assert found.tolist() == [number in put for number in wanted]
    np.testing.assert_array_equal(rows[found], vectors(wanted)[found])
