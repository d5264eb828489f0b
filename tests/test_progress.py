import logging
import sys
import time
from types import ModuleType, SimpleNamespace

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


class Notebook:
    """Stands for IPython: keeps what a cell's output was set to, in order."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.contents: list[dict[str, str]] = []
        self.clock = 0.0
        shell = type("ZMQInteractiveShell", (), {})()
        ipython, display = ModuleType("IPython"), ModuleType("IPython.display")
        ipython.get_ipython = lambda: shell  # type: ignore[attr-defined]
        display.display = self.display  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "IPython", ipython)
        monkeypatch.setitem(sys.modules, "IPython.display", display)
        monkeypatch.setattr(time, "monotonic", lambda: self.clock)

    def display(self, content: dict[str, str], *, raw: bool, display_id: bool) -> SimpleNamespace:
        assert raw
        assert display_id
        self.contents.append(content)
        return SimpleNamespace(update=lambda content, raw: self.contents.append(content))


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Notebook:
    return Notebook(monkeypatch)


def test_notebook_output_is_drawn_a_few_times_a_second_at_most(notebook: Notebook) -> None:
    with progress.shown() as show:
        for done in range(1, 1001):
            notebook.clock = done / 100
            show("embedding", done, 1000)
    assert 20 < len(notebook.contents) < 45
    assert notebook.contents[-1]["text/plain"] == "1 step in 10.0 s"
    assert "embedding" in notebook.contents[-1]["text/html"]


def test_notebook_output_is_not_there_for_work_that_is_over_at_once(notebook: Notebook) -> None:
    with progress.shown() as show:
        show("embedding", 1, 2)
        notebook.clock = 0.4
        show("embedding", 2, 2)
    assert notebook.contents == []


def test_notebook_output_has_a_curve_for_each_figure(notebook: Notebook) -> None:
    with progress.shown() as show:
        for epoch, (loss, right) in enumerate([(2.5, 0.25), (1e-05, 0.5), (0.5, 1.0)], start=1):
            show("fine-tuning", epoch, 9, f"loss {loss} val {right}")
        show("fine-tuning", 9, 9, "stopped early, best epoch 2")
    last = notebook.contents[-1]
    assert last["text/plain"].splitlines()[1:] == ["  loss  2.5 → 0.5  █▁▂", "  val  0.25 → 1  ▁▃█"]
    assert last["text/html"].count("<polyline") == 2
    assert 'points="4.0,4.0 90.0,40.0 176.0,32.8"' in last["text/html"]


def test_notebook_output_shows_the_latest_of_many_tasks(notebook: Notebook) -> None:
    notebook.clock = 0.0
    table = progress.NotebookTable()
    for number in range(20):
        table(f"task {number}", 1, 1)
    told = table.shown(over=False)
    assert len(told["text/plain"].splitlines()) == progress.MOST_ROWS
    assert "12 steps before" in told["text/html"]


def test_notebook_output_of_what_broke_off_stays_as_it_stood(notebook: Notebook) -> None:
    def interrupted() -> None:
        with progress.shown() as show:
            notebook.clock = 2.0
            show("<b>", 3, 7)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert notebook.contents[-1]["text/plain"] == "<b>: 3 of 7"
    assert "<b>" not in notebook.contents[-1]["text/html"]
