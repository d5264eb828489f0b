"""A report as text, JSON, page and figure."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from tlkeras.errors import MissingExtraError
from tlkeras.evaluation import Report

HOSTILE = ("<script>alert(1)</script>", 'a"onload="x', "tab\there", "b&b")
Answers = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
PNG = b"\x89PNG\r\n\x1a\n rest"


@pytest.fixture
def hostile(answers: Answers) -> Report:
    labels, probabilities = answers(4, 40)
    names = tuple(f"<img src=x onerror=y>/{row}\x1b[31m\udc80.jpg" for row in range(40))
    return Report(HOSTILE, labels, probabilities, names, "<b>title</b>")


def test_text_has_the_headline_every_class_and_no_escape_codes(hostile: Report) -> None:
    text = str(hostile)
    assert f"({hostile.correct} of 40 right" in text
    assert "tab\\there" in text
    assert "\x1b" not in text


def test_text_columns_line_up_for_wide_characters() -> None:
    report = Report(("向日葵", "e\u0301te"), [0, 1], np.eye(2))
    rows = [line for line in str(report).splitlines() if line.endswith("%") and "  " in line]
    # The three Chinese characters take six columns, the accent none.
    assert [len(row) for row in rows[:2]] == [len(rows[2]) - 3, len(rows[2]) + 1]


def test_text_of_many_classes_shows_the_weakest(answers: Answers) -> None:
    labels, probabilities = answers(80, 400)
    text = str(Report(tuple(f"class {i}" for i in range(80)), labels, probabilities))
    assert "30 classes with a higher F1" in text
    assert len(text.splitlines()) < 75


def test_json_reads_back_as_the_dict(report: Report, hostile: Report, tmp_path: Path) -> None:
    for one in (report, hostile):
        path = one.to_json(tmp_path / "report.json")
        assert json.loads(path.read_text(encoding="utf-8")) == one.to_dict()


def test_dict_holds_what_the_attributes_say(report: Report) -> None:
    facts = report.to_dict()
    assert facts["accuracy"] == report.accuracy
    assert facts["interval"] == list(report.interval)
    assert facts["confusion"] == report.confusion.tolist()
    assert facts["n"] == len(report)


class Tags(HTMLParser):
    """Open tags must be closed in order; collects names and addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.addresses: list[str] = []
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def page_of(report: Report, path: Path, picture: bytes | None = PNG) -> tuple[str, Tags]:
    text = report.to_html(path, thumbnails=lambda row: picture).read_text(encoding="utf-8")
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    return text, tags


def test_page_needs_nothing_from_outside(hostile: Report, tmp_path: Path) -> None:
    text, tags = page_of(hostile, tmp_path / "report.html")
    assert tags.addresses
    assert all(address.startswith("data:image/png;base64,") for address in tags.addresses)
    assert not re.search(r"https?:|url\(|@import|//", re.sub(r"base64,[^\"]+", "", text))


def test_page_escapes_class_names_paths_and_title(hostile: Report, tmp_path: Path) -> None:
    text, tags = page_of(hostile, tmp_path / "report.html")
    assert not tags.seen & {"script", "iframe", "object"}
    assert not {name for name in tags.attributes if name.startswith("on")}
    assert "&lt;script&gt;" in text
    assert "<b>title" not in text
    assert "\x1b" not in text


def test_page_shows_the_headline_every_class_and_the_worst_picture(
    report: Report, tmp_path: Path
) -> None:
    text, _ = page_of(report, tmp_path / "report.html")
    for name in report.class_names:
        assert name in text
    assert f"{report.correct} of {len(report)}" in text
    assert report.worst(1)[0].name in text
    assert "1 class has no pictures" in text


def test_thumbnails_are_asked_for_the_highest_losses_only(report: Report, tmp_path: Path) -> None:
    asked: list[int] = []
    report.to_html(tmp_path / "report.html", thumbnails=asked.append)
    assert asked == [mistake.index for mistake in report.top_losses(24)]


@pytest.mark.parametrize("content", [None, b"", b"<svg onload=alert(1)>"])
def test_what_is_no_picture_is_not_inlined(
    report: Report, tmp_path: Path, content: bytes | None
) -> None:
    text, tags = page_of(report, tmp_path / "report.html", content)
    assert tags.addresses == []
    assert "no preview" in text


@pytest.mark.parametrize("classes", [2, 31, 50, 90])
def test_page_of_any_number_of_classes_is_whole(
    classes: int, answers: Answers, tmp_path: Path
) -> None:
    labels, probabilities = answers(classes, 300)
    report = Report(tuple(f"class {i}" for i in range(classes)), labels, probabilities)
    text, tags = page_of(report, tmp_path / "report.html")
    assert "svg" in tags.seen
    assert ('class="matrix"' in text) == (classes <= 60)
    assert ("Most confused" in text) == (classes > 2)


def test_pages_of_a_perfect_score_and_of_one_picture_are_whole(tmp_path: Path) -> None:
    perfect = Report(("cat", "dog"), [0, 1, 1], np.eye(2)[[0, 1, 1]])
    assert "No wrong answer." in page_of(perfect, tmp_path / "a.html")[0]
    single = Report(("cat", "dog"), [0], [[0.3, 0.7]])
    assert "accuracy on 1 picture<" in page_of(single, tmp_path / "b.html")[0]


def test_a_failed_thumbnail_leaves_the_old_page(report: Report, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def broken(row: int) -> bytes:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        report.to_html(path, thumbnails=broken)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_notebook_shows_a_fragment_with_its_own_style(report: Report) -> None:
    assert report._repr_html_().startswith('<div class="tlk"><style>')


@pytest.mark.parametrize("classes", [2, 12, 40])
def test_plot_draws_both_panels(classes: int, answers: Answers, tmp_path: Path) -> None:
    labels, probabilities = answers(classes, 200)
    names = tuple(f"$class_{i}$ \\frac" for i in range(classes))
    figure = Report(names, labels, probabilities).plot()
    assert len(figure.axes) == 2
    figure.savefig(tmp_path / "plot.png", dpi=40)
    assert figure._repr_png_().startswith(b"\x89PNG")


def test_plot_without_matplotlib_says_what_to_install(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("tlkeras.evaluation.plots", "tlkeras.figures"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, name)

    class Absent:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            if name.split(".")[0] == "matplotlib":
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(sys, "meta_path", [Absent(), *sys.meta_path])
    with pytest.raises(MissingExtraError, match=r"tlkeras\[plots\]"):
        report.plot()


def test_evaluation_loads_neither_tensorflow_nor_matplotlib() -> None:
    code = (
        "import sys, tlkeras.evaluation.page.page, tlkeras.evaluation.report;"
        "print(sorted({'tensorflow', 'keras', 'matplotlib', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
