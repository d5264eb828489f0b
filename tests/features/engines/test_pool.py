"""A pool lends each thing to one thread at a time, and makes no more than its limit."""

from concurrent.futures import ThreadPoolExecutor
from itertools import count
from threading import Lock

import pytest

from tlkeras.features.engines.pool import Pool


def test_no_thing_is_in_two_hands_and_none_is_made_beyond_the_limit() -> None:
    made = count()
    pool = Pool(lambda: (next(made), Lock()), limit=3)

    def work(_: int) -> int:
        with pool.borrowed() as (number, lock):
            assert lock.acquire(blocking=False)
            lock.release()
            return number

    with ThreadPoolExecutor(8) as threads:
        numbers = set(threads.map(work, range(500)))

    assert numbers <= {0, 1, 2}


def test_what_one_thread_uses_alone_is_made_once() -> None:
    made: list[object] = []
    pool = Pool(lambda: made.append(0) or len(made), limit=4)

    for _ in range(5):
        with pool.borrowed():
            pass

    assert len(made) == 1


def test_a_thing_comes_back_after_an_error_in_the_block() -> None:
    pool = Pool(object, limit=1)

    with pytest.raises(KeyError), pool.borrowed():
        raise KeyError
    with pool.borrowed() as thing:
        assert thing is not None


def test_one_that_cannot_be_made_is_tried_again_next_time() -> None:
    answers = iter([RuntimeError("busy"), "made"])

    def make() -> str:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    pool = Pool(make, limit=1)
    with pytest.raises(RuntimeError, match="busy"), pool.borrowed():
        pass
    with pool.borrowed() as thing:
        assert thing == "made"
