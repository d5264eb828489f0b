"""A slice of the spoilt pictures, and that what it looks for would be found."""

import numpy as np
import pytest

from tests.torture.images import Cases, Found, run
from tests.torture.pictures import seeds, spoilt


def test_every_picture_to_start_from_is_read_or_no_picture() -> None:
    from tlkeras.data.decode import decode
    from tlkeras.errors import DecodeError

    refused = []
    for name, content in seeds().items():
        try:
            assert decode(content).std() > 5, name
        except DecodeError:
            refused.append(name.partition(" ")[0])
    assert sorted(refused) == ["html", "ico", "ppm", "zip"]


def test_case_is_the_same_bytes_again_and_cases_differ() -> None:
    whole = seeds()
    first = [spoilt(number, 5, whole) for number in range(60)]
    assert first == [spoilt(number, 5, whole) for number in range(60)]
    assert len({content for _, content in first}) > 55
    assert len({name for name, _ in first}) > 15


def test_pieces_are_alone_where_one_of_them_went_wrong() -> None:
    lengths = [len(piece) for piece in Cases(10, 170, 0, alone_until=13).pieces()]
    assert lengths == [1, 1, 1, 50, 50, 50, 7]


@pytest.mark.parametrize("told", [{"slowest_s": 6.0}, {"above_mb": 1100.0}, {"raised": ["x"]}])
def test_what_went_wrong_is_counted(told: dict) -> None:
    nothing = {"files": 9, "both": 4, "neither": 5, "only_reader": {}, "only_graph": {}}
    nothing |= {"apart": [(0.1, 3)], "raised": [], "slowest_s": 0.1, "above_mb": 3.0}
    found = Found()
    found.add(nothing)
    assert all(row.ok for row in found.rows())
    found.add({**nothing, **told})
    assert not found.rows()[0].ok
    found = Found()
    found.add({**nothing, "apart": [(0.6, 3)]})
    assert not found.rows()[1].ok


@pytest.mark.slow
def test_spoilt_pictures_are_read_alike_or_refused() -> None:
    read, same = run(budget_s=100, seed=int(np.datetime64("2026-11-01").astype(int)), files=1500)
    assert read.done == 1500
    assert read.ok, read
    assert same.ok, same
    assert same.done > 200
