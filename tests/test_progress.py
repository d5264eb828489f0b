import logging
import time

import pytest

from tlkeras import progress


def test_log_has_first_and_last_step_and_few_between(
    caplog: pytest.LogCaptureFixture,
) -> None:
    show = progress.LogLines()
    with caplog.at_level(logging.INFO), show:
        for done in range(1, 101):
            show("embedding", done, 100)
    assert [record.message for record in caplog.records] == [
        "embedding: 1 of 100",
        "embedding: 100 of 100",
    ]


def test_log_tells_again_after_some_seconds(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter([0.0, 1.0, 6.0, 7.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    show = progress.LogLines()
    with caplog.at_level(logging.INFO):
        for done in range(1, 5):
            show("embedding", done, 100, "note")
    assert [record.message for record in caplog.records] == [
        "embedding: 1 of 100  note",
        "embedding: 3 of 100  note",
    ]


def test_bars_are_drawn_on_standard_error(capfd: pytest.CaptureFixture) -> None:
    with progress.Bars() as show:
        show("embedding", 3, 7, "loss 0.5")
    out, err = capfd.readouterr()
    assert out == ""
    assert "embedding" in err
    assert "3/7" in err
    assert "loss 0.5" in err


def test_output_that_is_no_terminal_gets_log_lines() -> None:
    assert isinstance(progress.shown(), progress.LogLines)
