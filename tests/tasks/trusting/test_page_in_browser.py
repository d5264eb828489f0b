"""The report page in a real browser that has no network."""

import html
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlkeras as tl

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)
OFFLINE = (
    "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
    "--disable-background-networking", "--proxy-server=127.0.0.1:9", "--enable-logging=stderr",
)  # fmt: skip
SECTIONS = [
    "Classes", "Confusion matrix", "Most confused", "Top losses", "Calibration", "Embedding map",
    "Training curves", "Pictures", "Export", "Classifier", "Cost", "Recipe", "Versions",
]  # fmt: skip

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="needs Chromium"),
]


def browse(page: Path, *options: str) -> tuple[str, str]:
    """What the browser writes and what it complains about."""
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [str(BROWSER), *OFFLINE, profile, *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return done.stdout, done.stderr


@pytest.fixture(scope="module")
def page(
    tiny_backbone: object, flower_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The report of a classifier that was fitted and exported; four labels are wrong."""
    room = tmp_path_factory.mktemp("page")
    clf = tl.ImageClassifier(tiny_backbone).fit(flower_folder)
    other = shutil.copytree(flower_folder, room / "flowers")
    for number in (1, 2, 4, 5):
        name = f"rose_{number:02}.jpg"
        shutil.move(other / "rose" / name, other / "iris" / name)
    report = clf.evaluate(other)
    clf.export(room / "serve" / "1")
    return report.to_html(room / "report.html")


def test_every_section_is_there_and_nothing_is_refused(page: Path) -> None:
    dom, said = browse(page, "--dump-dom")
    headings = [html.unescape(text) for text in re.findall(r"<h2>(.*?)</h2>", dom)]
    assert headings == SECTIONS
    assert "CONSOLE" not in said
    bodies = re.split(r"<h2>", dom)[1:]
    assert all(len(re.sub(r"<[^>]+>", " ", body).split()) > 8 for body in bodies)


@pytest.mark.parametrize("width", [1280, 500])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_is_drawn_in_both_schemes_and_is_no_wider_than_the_screen(
    page: Path, tmp_path: Path, width: int, scheme: str
) -> None:
    shot = tmp_path / "shot.png"
    preferred = f"--blink-settings=preferredColorScheme={int(scheme == 'light')}"
    browse(page, preferred, f"--screenshot={shot}", f"--window-size={width},5000")
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    assert pixels.shape[1] == width
    ground = (246, 247, 249) if scheme == "light" else (16, 20, 26)
    blue = (31, 95, 184) if scheme == "light" else (106, 165, 245)
    # The ground is seen on both sides of every card: nothing sticks out of the page.
    for column in (2, width - 3):
        assert (np.abs(pixels[:, column] - ground).sum(axis=1) < 6).mean() > 0.99
    assert (np.abs(pixels - blue).sum(axis=2) < 12).sum() > 40
