"""For any class names: a data set and its table of labels come back, or the name is refused."""

import csv
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tlkeras.bundle.bundle import _is_label
from tlkeras.data.labelled import list_csv
from tlkeras.data.picture import printable
from tlkeras.errors import DataError
from tlkeras.tasks.fitted import columns_of

NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=10)


@given(st.text(max_size=12))
def test_label_that_is_accepted_comes_back_from_a_file_of_lines(name: str) -> None:
    if _is_label(name):
        assert f"{name}\n".encode().decode().removesuffix("\n").split("\n") == [name]
        assert name == name.encode().decode()


@given(st.lists(NAMES, min_size=2, max_size=5, unique_by=lambda name: printable(name.strip())))
def test_table_gives_every_row_its_own_class(tmp_path: Path, names: list[str]) -> None:
    table = tmp_path / "t.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows([f"{row}.jpg", name] for row, name in enumerate(names))
    try:
        listing = list_csv(table)
    except DataError as refused:
        assert any(word in str(refused) for word in ("label", "class"))  # noqa: PT017
        return
    pairs = {picture.path.name: listing.class_names[picture.label] for picture in listing.pictures}
    assert pairs == {f"{row}.jpg": printable(name.strip()) for row, name in enumerate(names)}


@given(st.permutations(["ant", "bee", "cat", "dog"]), st.integers(1, 4))
def test_columns_are_found_by_name_whatever_their_order(known: list[str], count: int) -> None:
    some = tuple(sorted(known)[:count])
    columns = columns_of(some, tuple(known))
    assert [known[column] for column in columns] == list(some)
    assert columns.dtype == np.int64
