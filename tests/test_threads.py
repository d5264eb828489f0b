"""The cores that may be used, and results in order from several threads."""

import threading
import time
from pathlib import Path

import pytest

from tlkeras import threads
from tlkeras.threads import in_order


def test_results_come_in_order_whatever_finishes_first() -> None:
    def slow(number: int) -> int:
        time.sleep(0.02 if number % 2 else 0)
        return number

    assert list(in_order(slow, range(20), ahead=8)) == list(range(20))


def test_work_ahead_is_bounded() -> None:
    started: list[int] = []
    results = in_order(lambda n: started.append(n) or n, range(100), ahead=6)
    next(results)
    time.sleep(0.05)
    assert len(started) <= 6
    results.close()


def test_threads_end_when_the_consumer_stops() -> None:
    results = in_order(lambda n: n, range(1000), ahead=4)
    next(results)
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("tlkeras")]


def test_error_of_the_function_reaches_the_consumer() -> None:
    with pytest.raises(ZeroDivisionError):
        list(in_order(lambda n: 1 // n, [1, 0], ahead=2))


@pytest.mark.parametrize(
    ("quota", "expected"),
    [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8)],
)
def test_a_container_may_use_fewer_cores_than_there_are(
    quota: str, expected: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text(quota)
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)

    assert threads.cores() == expected


def test_a_system_without_affinity(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "none")
    monkeypatch.delattr("os.sched_getaffinity", raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 3)

    assert threads.cores() == 3
