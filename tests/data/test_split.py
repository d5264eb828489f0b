import numpy as np
import pytest

from tlkeras.data.split import apportion, split
from tlkeras.errors import DataError

NAMES = ("a", "b", "c")


def numbers(parts: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    return [np.bincount(parts[labels == c], minlength=3).tolist() for c in np.unique(labels)]


def test_numbers_follow_the_shares_by_largest_remainder():
    labels = np.repeat([0, 1, 2], [40, 100, 20])
    parts = split(labels, np.arange(160), class_names=NAMES)
    assert parts.dtype == np.int8
    assert numbers(parts, labels) == [[28, 6, 6], [70, 15, 15], [14, 3, 3]]


@pytest.mark.parametrize("seed", range(20))
def test_rare_class_is_in_every_part(seed):  # D4
    labels = np.repeat([0, 1], [100, 6])
    parts = split(labels, np.arange(106), (0.7, 0.15, 0.15), seed=seed, class_names=NAMES[:2])
    assert min(numbers(parts, labels)[1]) >= 1


def test_same_seed_same_split_other_seed_other_split():
    labels = np.repeat([0, 1], 30)
    first, again, other = (
        split(labels, np.arange(60), seed=seed, class_names=NAMES[:2]) for seed in (4, 4, 5)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()
    assert numbers(first, labels) == numbers(other, labels)


def test_share_of_zero_leaves_the_part_empty():
    labels = np.repeat([0, 1], 10)
    assert numbers(split(labels, np.arange(20), (0.8, 0.2, 0), class_names=NAMES[:2]), labels) == [
        [8, 2, 0],
        [8, 2, 0],
    ]
    assert not split(labels, np.arange(20), (1, 0, 0), class_names=NAMES[:2]).any()


@pytest.mark.parametrize("seed", range(10))
def test_groups_are_never_torn(seed):  # D5
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 3, 200)
    groups = rng.integers(0, 60, 200)
    parts = split(labels, groups, seed=seed, class_names=NAMES)
    assert all(len(set(parts[groups == group])) == 1 for group in set(groups))
    assert np.min(numbers(parts, labels)) >= 1


def test_large_groups_leave_the_shares_nearly_whole():
    labels = np.repeat([0, 1], 100)
    groups = np.concatenate([np.repeat(np.arange(40), 5)])
    parts = split(labels, groups, class_names=NAMES[:2])
    assert numbers(parts, labels) == [[70, 15, 15], [70, 15, 15]]


def test_three_groups_of_very_different_size_still_reach_every_part():
    labels = np.repeat([0, 1], [41, 30])
    groups = np.concatenate([np.repeat([0, 1, 2], [20, 20, 1]), np.arange(3, 33)])
    parts = split(labels, groups, class_names=NAMES[:2])
    assert sorted(numbers(parts, labels)[0]) == [1, 20, 20]


def test_too_few_pictures_name_the_class_and_the_way_out():  # D4, F6
    labels = np.repeat([0, 1, 2], [20, 2, 1])
    with pytest.raises(DataError) as caught:
        split(labels, np.arange(23), class_names=("daisy", "rose", "iris"))
    message = str(caught.value)
    assert "'rose': 2 pictures" in message
    assert "'iris': 1 picture\n" in message
    assert "daisy" not in message
    assert "split=(0.8, 0.2, 0)" in message


def test_too_few_groups_name_the_class():  # D5
    labels = np.repeat([0, 1], [20, 12])
    groups = np.concatenate([np.arange(20), np.repeat([20, 21], 6)])
    with pytest.raises(DataError, match=r"'rose': 12 pictures in 2 group\(s\)"):
        split(labels, groups, class_names=("daisy", "rose"))


def test_groups_that_share_classes_impossibly_are_told():
    # Three groups for each class, but every part would need two of the four mixed ones.
    labels = np.array([0, 1, 0, 2, 1, 2, 0, 1, 2])
    groups = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3])
    with pytest.raises(DataError, match="would be missing from"):
        split(labels, groups, class_names=NAMES)


@pytest.mark.parametrize("total", range(3, 60))
def test_apportioned_numbers_sum_up_and_keep_the_minimum(total):
    parts = apportion(total, np.array([0.7, 0.15, 0.15]), minimum=1)
    assert parts.sum() == total
    assert parts.min() >= 1
    assert np.abs(parts - total * np.array([0.7, 0.15, 0.15])).max() < 1.6
