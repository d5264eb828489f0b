"""The page: which sections it has, that it is safe, small and needs nothing from outside."""

import re
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.checks.findings import Finding, Findings
from tlkeras.evaluation import Report
from tlkeras.evaluation.calibration import Calibration
from tlkeras.evaluation.page.story import Story

Answers = Callable[[int, int], tuple[np.ndarray, np.ndarray]]
HOSTILE = '<script>alert(1)</script>"onload="x\x1b[31m\udc80'


def jpeg(colour: tuple[int, int, int]) -> bytes:
    out = BytesIO()
    Image.new("RGB", (30, 20), colour).save(out, "JPEG")
    return out.getvalue()


def full_story(rows: Sequence[int], n: int, name: str = "a") -> Story:
    """Everything that can be known, with a name in every place that strangers fill."""
    rng = np.random.default_rng(0)
    return Story(
        made_of={"backbone": name},
        decisions=(f"decided {name}",),
        findings=Findings(
            f"2 pictures of {name}",
            [Finding("tiny", "warning", f"1 picture {name}", [Path(f"{name}.png")])],
        ),
        picture_of=lambda path: jpeg((9, 9, 9)),
        history=[{"phase": name, "epoch": 1.0 + e, "loss": 1.0, "val_loss": 2.0} for e in range(3)],
        vectors=rng.normal(0, 1, (n, 8)).astype("float32"),
        vector_rows=np.arange(n),
        overlays={row: jpeg((200, 9, 9)) for row in rows},
        temperature=1.5,
        parity=f"12 pictures: largest difference 2.5e-07 {name}",
        recipe={"seed": 0, "strengths": [0.1, 1.0], name: None},
        versions={"python": "3.11", name: "1"},
        cost={"head": {"seconds": 1.25, "passes": 400.0, "peak_mb": 900.0}},
        missing={"Something": f"for {name}"},
    )


def with_story(
    report: Report, tell: Callable[[Sequence[int]], Story], names: Sequence[str] = ()
) -> Report:
    return Report(
        report.class_names,
        report.labels,
        report.probabilities,
        tuple(names) or report.names,
        thumbnails=lambda row: jpeg((0, 0, 250)),
        story=tell,
    )


class Outline(HTMLParser):
    """Headings and the tags and attributes of a page whose tags are closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.headings: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.addresses += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)


ALWAYS = ["Classes", "Confusion matrix", "Most confused", "Top losses", "Calibration"]
WITH_STORY = ["Embedding map", "Training curves", "Pictures", "Export", "Classifier", "Cost"]
WITH_STORY += ["Recipe", "Versions", "Not known"]


def test_page_of_answers_alone_has_no_empty_sections(report: Report, tmp_path: Path) -> None:
    outline = Outline(report.to_html(tmp_path / "r.html").read_text(encoding="utf-8"))
    assert outline.headings == ALWAYS


def test_page_with_a_story_has_every_section(report: Report, tmp_path: Path) -> None:
    told = with_story(report, lambda rows: full_story(rows, len(report)))
    text = told.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert Outline(text).headings == ALWAYS + WITH_STORY
    for words in ("ECE", "temperature 1.500", "2.5e-07", "1.2", "400", "decided a", "0.1, 1"):
        assert words in text


def test_story_is_told_the_rows_that_are_shown_and_only_for_the_page(
    report: Report, tmp_path: Path
) -> None:
    asked: list[list[int]] = []

    def tell(rows: Sequence[int]) -> Story:
        asked.append(list(rows))
        return Story()

    told = with_story(report, tell)
    told.to_dict(), str(told), told._repr_html_()
    assert asked == []
    told.to_html(tmp_path / "r.html")
    assert asked == [[one.index for one in report.top_losses(24)]]


def test_each_explanation_stands_beside_its_picture(report: Report, tmp_path: Path) -> None:
    worst = report.top_losses(2)[1].index
    told = with_story(report, lambda rows: Story(overlays={worst: jpeg((200, 9, 9))}))
    text = told.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert text.count('class="pair"') == 1
    pair = text[text.index('class="pair"') :][:3000]
    assert pair.index(f'alt="{report.names[worst]}"') < pair.index("Grad-CAM of")


def test_foreign_words_are_escaped_in_every_section(report: Report, tmp_path: Path) -> None:
    names = [f"{HOSTILE}{row}" for row in range(len(report))]
    told = with_story(report, lambda rows: full_story(rows, len(report), HOSTILE), names)
    text = told.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    outline = Outline(text)
    assert not outline.tags & {"script", "iframe", "object"}
    assert not {name for name in outline.attributes if name.startswith("on")}
    assert "\x1b" not in text
    assert all(address.startswith("data:image/jpeg;base64,") for address in outline.addresses)
    assert not re.search(r"https?:|url\(|@import", re.sub(r"base64,[^\"]+", "", text))


def test_page_of_many_classes_and_pictures_stays_small(answers: Answers, tmp_path: Path) -> None:
    labels, probabilities = answers(64, 10_000)
    report = Report(tuple(f"class {i}" for i in range(64)), labels, probabilities)
    told = with_story(report, lambda rows: full_story(rows, 10_000))
    path = told.to_html(tmp_path / "r.html")
    outline = Outline(path.read_text(encoding="utf-8"))
    assert "Confusion matrix" not in outline.headings
    assert "Embedding map" in outline.headings
    assert path.stat().st_size < 2_000_000


def test_notebook_fragment_is_short(report: Report) -> None:
    told = with_story(report, lambda rows: full_story(rows, len(report)))
    assert len(told._repr_html_()) < 60_000
    assert "<img" not in told._repr_html_()


def test_errors_before_and_after_the_temperature_are_told(report: Report, tmp_path: Path) -> None:
    told = with_story(report, lambda rows: Story(temperature=2.0))
    text = told.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    before = Calibration(
        report.labels,
        report.probabilities.astype("float64") ** 2
        / (report.probabilities.astype("float64") ** 2).sum(axis=1, keepdims=True),
    ).ece
    assert before != pytest.approx(report.calibration.ece, abs=0.01)
    assert f"{before:.1%} before and {report.calibration.ece:.1%} after".replace("%", " %") in text


@pytest.mark.parametrize("temperature", [None, 1.0])
def test_calibration_without_a_temperature_is_drawn_once(
    report: Report, tmp_path: Path, temperature: float | None
) -> None:
    told = with_story(report, lambda rows: Story(temperature=temperature))
    text = told.to_html(tmp_path / "r.html").read_text(encoding="utf-8")
    assert "As answered" in text
    assert ("no temperature was applied" in text) == (temperature == 1.0)
