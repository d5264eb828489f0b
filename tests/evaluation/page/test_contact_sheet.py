"""The contact sheet: pictures, commands that can be typed, and nothing that runs."""

import shlex
from io import BytesIO
from pathlib import Path

from PIL import Image

from tlkeras.data.check import Finding, Findings
from tlkeras.evaluation.page.contact_sheet import SHOWN, sheet_fragment
from tlkeras.evaluation.suspects.findings import SuspectedLabels

ROOT = Path("flowers")


def picture(_: Path) -> bytes:
    out = BytesIO()
    Image.new("RGB", (9, 7), (200, 30, 60)).save(out, "JPEG")
    return out.getvalue()


def suspected(*paths: str, suggested: str = "daisy") -> SuspectedLabels:
    return SuspectedLabels(
        "suspected-label",
        "warning",
        f"{len(paths)} pictures",
        tuple(ROOT / path for path in paths),
        tuple(f"rose → {suggested} (97 % against 1 %)" for _ in paths),
        tuple(suggested for _ in paths),
    )


def test_suspect_has_picture_labels_and_the_option_that_corrects_it() -> None:
    found = Findings("12 pictures", [suspected("rose/7.jpg")])
    html = sheet_fragment(found, picture, ROOT)
    assert html.count("data:image/jpeg;base64,") == 1
    assert "rose → daisy" in html
    assert "(97 % against 1 %)" in html
    assert "<code>--relabel rose/7.jpg=daisy</code>" in html
    assert "<code>tlkeras check flowers</code>" in html


def test_option_is_quoted_for_a_shell() -> None:
    from html import unescape

    name, label = "rose/it's 7 & 8.jpg", "daisy $1"
    found = Findings("12 pictures", [suspected(name, suggested=label)])
    html = sheet_fragment(found, picture, ROOT)
    start = html.index("<code>--relabel") + len("<code>")
    command = unescape(html[start : html.index("</code>", start)])
    assert shlex.split(command) == ["--relabel", f"{name}={label}"]


def test_outliers_can_be_left_out_and_others_have_no_option() -> None:
    outlier = Finding("outlier", "info", "1 picture", [ROOT / "rose/9.jpg"], ["4.1 deviations"])
    blurred = Finding("blurred", "info", "1 picture", [ROOT / "rose/8.jpg"])
    assert "--leave-out rose/9.jpg" in sheet_fragment(Findings("", [outlier]), picture, ROOT)
    assert "<code>" not in sheet_fragment(Findings("", [blurred]), picture, ROOT)


def test_hostile_names_are_shown_and_not_obeyed() -> None:
    name = "rose/<script>alert(1)</script>\x1b[31m.jpg"
    found = Findings("12 pictures", [suspected(name, suggested="<b>")])
    html = sheet_fragment(found, picture, ROOT)
    assert "<script" not in html
    assert "<b>rose" in html  # our own emphasis
    assert "&lt;script&gt;" in html
    assert "\x1b" not in html
    assert "--relabel" not in html  # such a name cannot be typed


def test_only_pictures_that_are_shown_are_read() -> None:
    asked: list[Path] = []

    def note(path: Path) -> bytes:
        asked.append(path)
        return picture(path)

    html = sheet_fragment(
        Findings("", [suspected(*(f"rose/{number}.jpg" for number in range(SHOWN + 30)))]), note
    )
    assert len(asked) == html.count("<figure>") == SHOWN
    assert "And 30 more pictures." in html


def test_files_that_are_no_pictures_are_listed() -> None:
    paths = [ROOT / f"{number}.txt" for number in range(11)]
    found = Findings("", [Finding("ignored", "info", "11 other files left out: 11 .txt", paths)])

    def never(path: Path) -> bytes:
        raise AssertionError(path)

    html = sheet_fragment(found, never, ROOT)
    assert html.count("<li>") == 9
    assert "and 3 more" in html


def test_picture_that_cannot_be_read_has_an_empty_field() -> None:
    assert "no preview" in sheet_fragment(Findings("", [suspected("rose/1.jpg")]), lambda _: None)


def test_no_findings_are_said_in_words() -> None:
    assert (
        sheet_fragment(Findings("12 pictures", []), picture) == "<p>Nothing is odd about them.</p>"
    )
