"""The page in a real browser: a picture goes in, the model's answer is seen."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.tasks.serving.browser import CHROMIUM, Page, browsing
from tests.tasks.serving.toys import serving
from tlkeras.tasks.serving.servable import DEFAULT, Field, Servable, Signature, Tensors
from tlkeras.tasks.serving.server import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium"),
]
NAMES = ("cat", "<img src=x onerror=alert(1)>", "dog", "eel", "fox", "gnu", "hen")


def by_first_byte(given: Tensors) -> Tensors:
    """b"k…" is class k with 0.9; b"?" is not readable; b"!" is unlike all training pictures."""
    files = given["image_bytes"]
    ok = np.array([file[:1] not in (b"?", b"") for file in files], bool)
    best = [int(file[:1]) if file[:1].isdigit() else 0 for file in files]
    probabilities = np.full((len(files), len(NAMES)), 0.1 / (len(NAMES) - 1), np.float32)
    probabilities[np.arange(len(files)), best] = 0.9
    unknown = np.array([file[:1] == b"!" for file in files], bool)
    return {
        "label": np.array([NAMES[each] for each in best], object),
        "probabilities": probabilities,
        "unknown_score": np.where(unknown, 1.5, 0.5).astype("float32"),
        "unknown": unknown,
        "ok": ok,
    }


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    question = Signature({"image_bytes": Field("string", (None,))}, {}, by_first_byte)
    with serving(Servable("zoo", {DEFAULT: question}, NAMES), body_bytes=100_000) as server:
        yield server


@pytest.fixture
def page(server: Server, tmp_path: Path) -> Iterator[Page]:
    with browsing(tmp_path / "profile") as page:
        page.tell("Page.navigate", url=server.url + "/")
        page.wait_for("document.readyState == 'complete' && document.querySelector('input')")
        yield page


def write(folder: Path, *contents: bytes) -> list[Path]:
    files = [folder / f"{number}.jpg" for number in range(len(contents))]
    for file, content in zip(files, contents, strict=True):
        file.write_bytes(content)
    return files


def test_answer_is_shown_for_each_picture_chosen(page: Page, tmp_path: Path) -> None:
    page.choose(*write(tmp_path, b"2 a dog", b"?", b"!", b"1", b"x" * 90_000, b""))
    page.wait_for("document.querySelectorAll('figure').length == 6")
    page.wait_for("!document.querySelector('#answers').innerText.includes('…')")
    shown = page.value("[...document.querySelectorAll('figcaption')].map(e => e.innerText)")
    assert isinstance(shown, list)
    empty, large, hostile, unlike, broken, dog = (text.split("\n") for text in shown)
    assert dog[:2] == ["0.jpg", "dog"]
    assert "90.0 %" in dog
    assert "2 more classes" in dog
    assert broken[1] == empty[1] == "This picture could not be read."
    assert "Unlike the training pictures (unknown score 1.50)" in unlike[2]
    assert hostile[1] == NAMES[1]  # as text
    assert "100,000 bytes" in large[1]
    meters = "document.querySelectorAll('figure:last-child meter').length"
    assert page.value(meters) == 5
    assert page.value("document.querySelectorAll('[onerror]').length") == 0


def test_page_asks_nobody_else_and_the_browser_refuses_nothing(page: Page, tmp_path: Path) -> None:
    page.choose(*write(tmp_path, b"1"))
    page.wait_for("document.querySelector('figcaption strong')")
    loaded = page.value("performance.getEntriesByType('resource').map(e => e.name)")
    assert loaded
    assert all(str(name).startswith(("http://127.0.0.1:", "blob:")) for name in loaded)
    assert page.complaints() == []


def test_page_has_no_scroll_bar_on_a_small_screen(page: Page, tmp_path: Path) -> None:
    size = {"width": 360, "height": 640, "deviceScaleFactor": 1, "mobile": False}
    page.tell("Emulation.setDeviceMetricsOverride", **size)
    page.choose(*write(tmp_path, b"1", b"!"))
    page.wait_for("document.querySelectorAll('figcaption strong').length == 2")
    width = page.value("document.documentElement.scrollWidth")
    assert isinstance(width, int)
    assert width <= 360


def test_page_that_lost_its_server_says_so(page: Page, server: Server, tmp_path: Path) -> None:
    body = json.dumps(server.url.replace(str(server.server_address[1]), "9"))
    page.value(f"window.fetch = () => Promise.reject(new Error('gone ' + {body}))")
    page.choose(*write(tmp_path, b"1"))
    page.wait_for("document.querySelector('figcaption .warn')")
    assert "no answer: gone" in str(page.value("document.querySelector('figcaption').innerText"))
