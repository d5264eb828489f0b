import time

import pytest

from converters.doors.calls import sizes_in_place
from converters.errors import ReadError, UnsupportedError


def endless(name: str) -> ReadError:
    return ReadError(f"{name} calls itself")


def too_many(count: int) -> UnsupportedError:
    return UnsupportedError(f"{count} nodes")


def sizes(own: dict[str, int], calls: dict[str, list[str]], most: int = 1000) -> dict[str, int]:
    return sizes_in_place(own, calls, most, endless=endless, too_many=too_many)


def test_every_call_counts_what_it_calls() -> None:
    calls = {"a": ["b", "c", "b"], "b": ["c"], "c": []}
    assert sizes({"a": 1, "b": 10, "c": 100}, calls) == {"a": 321, "b": 110, "c": 100}


@pytest.mark.parametrize(
    "calls", [{"a": ["a"]}, {"a": ["b"], "b": ["c"], "c": ["b"]}, {"a": [], "b": ["a", "b"]}]
)
def test_a_function_that_calls_itself_is_refused(calls: dict[str, list[str]]) -> None:
    with pytest.raises(ReadError, match=r"[ab] calls itself"):
        sizes(dict.fromkeys(calls, 1), calls)


def test_doubling_thirty_times_is_refused() -> None:
    calls = {str(level): [str(level + 1)] * 2 for level in range(30)} | {"30": []}
    with pytest.raises(UnsupportedError):
        sizes(dict.fromkeys(calls, 1), calls, 100_000)


def test_many_calls_of_many_functions_take_no_time() -> None:
    calls: dict[str, list[str]] = {"all": [str(number) for number in range(100_000)]}
    calls |= {str(number): [] for number in range(100_000)}
    calls |= {"deep0": []} | {f"deep{level}": [f"deep{level - 1}"] for level in range(1, 20_000)}
    start = time.process_time()
    assert sizes(dict.fromkeys(calls, 1), calls, 200_000)["all"] == 100_001
    assert time.process_time() - start < 5
