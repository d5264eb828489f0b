import io
import re
import time
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.folder import ImageFolder
from tlkeras.data.picture import Part, Picture
from tlkeras.data.shown.page import MOST_CLASSES, MOST_PICTURES, to_html


def pictures_in(html: str) -> list[Image.Image]:
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(b64decode(data))) for data in found]


def cells(html: str) -> list[list[str]]:
    """Text of the cells of each row, the head first."""
    return [
        [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[dh].*?>(.*?)</t[dh]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


def array_part(numbers: list[int]) -> Part:
    """A part with that many flat pictures of each class."""
    labels = np.repeat(np.arange(len(numbers)), numbers)
    pixels = np.full((9, 7, 3), 200, np.uint8)
    pictures = [Picture(Path(f"p/{row}"), int(k), "00", pixels) for row, k in enumerate(labels)]
    return Part("train", pictures, tuple(f"c{number:03}" for number in range(len(numbers))))


def test_every_class_shows_numbers_and_pictures(classes):
    data = ImageFolder(classes({"a": 12, "b": 8}))
    html = data._repr_html_()
    assert cells(html) == [
        ["class", "train", "validation", "test", "some of train"],
        ["a", "8", "2", "2", ""],
        ["b", "6", "1", "1", ""],
        ["total", "14", "3", "3", ""],
    ]
    assert "20 pictures, 2 classes, 0 set aside" in html
    assert len(pictures_in(html)) == 8


def test_names_are_shown_as_they_are(classes):
    html = ImageFolder(classes({"<a>": 6, "b": 6}, 'x"y<i>'))._repr_html_()
    assert cells(html)[1][0] == "&lt;a&gt;"
    assert "<i>" not in html
    assert 'x"y' not in html


def test_a_class_name_that_is_no_utf8_can_be_written(tmp_path, classes):
    folder = classes({"b": 6})
    try:
        (folder / "b").rename(folder / "caf\udce9")
        (folder / "c").mkdir()
    except OSError:
        pytest.skip("this disk takes UTF-8 names only")
    for index, path in enumerate((folder / "caf\udce9").iterdir()):
        Image.open(path).rotate(90).save(folder / "c" / f"{index}.png")
    assert r"caf\xe9" in ImageFolder(folder)._repr_html_().encode().decode()


def test_pictures_are_upright(tmp_path, draw, portrait_exif):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for seed in range(4):
            scene = Image.fromarray(draw(seed + 9 * (name == "b"), 40, 80))
            scene.save(tmp_path / name / f"{seed}.jpg", exif=portrait_exif)
    seen = pictures_in(ImageFolder(tmp_path)._repr_html_())
    assert {picture.size for picture in seen} == {(28, 56)}


def test_pictures_that_broke_since_are_marked(classes):
    folder = classes({"a": 6, "b": 6})
    data = ImageFolder(folder)
    for path in (folder / "a").iterdir():
        path.write_bytes(b"broken")
    for path in (folder / "b").iterdir():
        path.unlink()
    html = data._repr_html_()
    assert html.count("not readable") == 8
    assert not pictures_in(html)


def test_many_classes_are_counted_together():
    html = to_html("many", [array_part([3] * 100)], 0)
    rows = cells(html)
    assert len(rows) == 1 + MOST_CLASSES + 2
    assert rows[-2:] == [["and 76 more classes", "228", ""], ["total", "300", ""]]
    assert len(pictures_in(html)) == MOST_PICTURES


def test_pictures_are_spread_over_the_class():
    html = to_html("spread", [array_part([100, 1])], 0)
    assert re.findall(r'alt="([^"]+)"', html) == ["p/0", "p/25", "p/50", "p/75", "p/100"]


def test_without_time_the_numbers_are_there():
    html = to_html("slow", [array_part([3, 3])], 0, seconds=-1.0)
    assert not pictures_in(html)
    assert cells(html)[-1] == ["total", "6", ""]


def test_a_hundred_thousand_pictures_are_shown_at_once():
    data = array_part([50_000, 50_000])
    started = time.monotonic()
    html = to_html("large", [data, data, data], 0)
    assert time.monotonic() - started < 2.5
    assert cells(html)[-1][:4] == ["total", "100,000", "100,000", "100,000"]
