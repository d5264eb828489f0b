"""Logs of other packages, quiet for a while and then as they were."""

import logging

import pytest

from converters.exported import quiet

NAME = "a.package.of.others"


def test_a_level_that_was_set_comes_back_even_after_an_error() -> None:
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.DEBUG)
    inside = []

    def fail() -> None:
        inside.extend(map(logger.isEnabledFor, (logging.INFO, logging.WARNING)))
        raise RuntimeError

    with pytest.raises(RuntimeError), quiet(NAME):
        fail()
    assert inside == [False, True]
    assert logger.level == logging.DEBUG


def test_a_log_that_was_quieter_stays_so() -> None:
    logging.getLogger(NAME).setLevel(logging.CRITICAL)
    with quiet(NAME):
        assert logging.getLogger(NAME).level == logging.CRITICAL
