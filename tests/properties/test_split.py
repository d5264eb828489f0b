"""For any labels and groups: a split that can be made keeps its promises, another says why not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tlkeras.data.split import apportion, split
from tlkeras.errors import DataError

SHARES = st.sampled_from([(0.7, 0.15, 0.15), (0.8, 0.2, 0.0), (0.5, 0.25, 0.25), (1.0, 0.0, 0.0)])


@st.composite
def tables(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, int]:
    """Labels and groups (n,) of pictures, every class with at least one."""
    classes = draw(st.integers(2, 5))
    more = draw(st.lists(st.integers(0, classes - 1), max_size=60))
    labels = np.array([*range(classes), *more])
    most = draw(st.integers(1, len(labels)))
    groups = draw(st.lists(st.integers(0, most), min_size=len(labels), max_size=len(labels)))
    return labels, np.array(groups), classes


@given(tables(), SHARES, st.integers(0, 99))
def test_groups_stay_together_and_every_class_is_in_every_part(table, shares, seed) -> None:
    labels, groups, classes = table
    names = [f"class {number}" for number in range(classes)]
    try:
        parts = split(labels, groups, shares, seed=seed, class_names=names)
    except DataError as refused:
        assert "class " in str(refused)  # noqa: PT017 - a split need not be possible
        return
    assert parts.shape == labels.shape
    for group in np.unique(groups):
        assert len(np.unique(parts[groups == group])) == 1
    used = [part for part, share in enumerate(shares) if share]
    for label in range(classes):
        assert sorted(np.unique(parts[labels == label])) == used


@given(tables(), SHARES, st.integers(0, 99))
def test_same_seed_gives_the_same_split(table, shares, seed) -> None:
    labels, groups, classes = table
    names = [f"class {number}" for number in range(classes)]

    def once() -> bytes:
        try:
            return split(labels, groups, shares, seed=seed, class_names=names).tobytes()
        except DataError as refused:
            return str(refused).encode()

    assert once() == once()


@given(st.integers(0, 10_000), st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_shares_of_a_whole_add_up_and_are_as_near_as_whole_numbers_can_be(total, weights) -> None:
    given_weights = np.array(weights)
    numbers = apportion(total, given_weights)
    if not given_weights.sum() > 1e-6:
        return
    assert numbers.sum() == total
    assert (np.abs(numbers - total * given_weights / given_weights.sum()) < 1 + 1e-6).all()
