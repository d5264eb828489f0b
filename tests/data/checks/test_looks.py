import logging
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tlkeras.data.checks.findings import Finding
from tlkeras.data.checks.look import LOOK, SIDE_PX, look
from tlkeras.data.checks.looks import kinds_of, look_at_all, odd_looks
from tlkeras.data.folder import ImageFolder


def kind_of(pixels: np.ndarray) -> str | None:
    """The one kind that a picture is of, None where nothing is odd."""
    (kinds,) = [[kind for kind, rows in kinds_of(look(pixels)[None]).items() if len(rows)]]
    assert len(kinds) <= 1
    return kinds[0] if kinds else None


def changed(pixels: np.ndarray, factor: float = 1, levels: int = 0) -> np.ndarray:
    return np.clip(pixels.astype(float) * factor + levels, 0, 255).astype(np.uint8)


def kinds(data: ImageFolder) -> dict[str, Finding]:
    return {finding.kind: finding for finding in data.check()}


@pytest.fixture(scope="module")
def photo(draw) -> np.ndarray:
    """A textured picture with sharp edges, uint8 (301, 407, 3)."""
    pixels = draw(3, 301, 407)
    pixels[80:170, 60:200] = (250, 245, 230)
    pixels[100:250, 260:330] = (15, 20, 40)
    return pixels


def test_usual_picture_is_of_no_odd_kind(photo):
    assert kind_of(photo) is None


@pytest.mark.parametrize("level", [0, 128, 255])
def test_picture_of_one_colour_is_blank(level, draw):
    noise = draw(1, 90, 70).astype(int) % 4
    assert kind_of((np.full((90, 70, 3), level) + noise).clip(0, 255).astype(np.uint8)) == "blank"


def test_picture_with_little_light_is_dark(photo):
    assert kind_of(changed(photo, 0.15)) == "dark"
    assert kind_of(changed(photo, 0.5)) is None


def test_washed_out_picture_is_overexposed(photo):
    assert kind_of(changed(photo, levels=170)) == "overexposed"
    assert kind_of(changed(photo, levels=40)) is None


def test_dark_thing_on_white_ground_is_not_overexposed(photo):
    picture = np.full((300, 400, 3), 255, np.uint8)
    picture[60:220, 80:270] = changed(photo, 0.4)[60:220, 80:270]
    assert kind_of(picture) is None


@pytest.mark.parametrize("lines", [2, 20])
def test_page_with_a_few_words_has_low_information(lines):
    page = np.full((300, 400, 3), 255, np.uint8)
    page[140 : 140 + lines, 60:300] = 0
    assert kind_of(page) == "low-information"


@pytest.mark.parametrize("share", [0.02, 0.04])
def test_blurred_picture_is_told_at_any_size(photo, share):
    for factor in (1, 3):
        image = Image.fromarray(photo).resize((407 * factor, 301 * factor), Image.Resampling.BOX)
        soft = image.filter(ImageFilter.GaussianBlur(share * min(image.size)))
        assert kind_of(np.asarray(soft)) == "blurred"
        assert kind_of(np.asarray(image)) is None


def test_sharp_thing_before_a_blurred_background_is_sharp(photo):
    soft = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(12))
    picture = np.array(soft)
    picture[100:200, 150:250] = photo[100:200, 150:250]
    assert kind_of(picture) is None


def test_tiny_picture_is_not_called_blurred(photo):
    soft = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(20))
    assert kind_of(np.asarray(soft.resize((90, 67)))) == "blurred"
    assert kind_of(np.asarray(soft.resize((60, 45)))) is None


def test_single_pixel_and_thin_strip_are_measured():
    for shape in ((1, 1, 3), (1, 900, 3), (700, 2, 3)):
        assert kind_of(np.zeros(shape, np.uint8)) == "blank"


def test_levels_are_the_quantiles_of_the_grey_picture(draw):
    pixels = draw(4, SIDE_PX, 2 * SIDE_PX)
    grey = np.sort(np.asarray(Image.fromarray(pixels).convert("L")).ravel())
    measured = look(pixels)
    for name, share in (("darkest", 0.01), ("dark", 0.05), ("light", 0.95), ("lightest", 0.99)):
        assert measured[name] == grey[int(np.ceil(share * len(grey))) - 1]


def test_steepest_step_is_that_of_an_independent_computation(draw):
    pixels = draw(5, SIDE_PX, SIDE_PX + 31)
    grey = np.asarray(Image.fromarray(pixels).convert("L")).astype(float)
    steps = np.sort(np.abs(np.concatenate([np.diff(grey, axis=a).ravel() for a in (0, 1)])))
    assert look(pixels)["steepest"] == steps[int(np.ceil(0.999 * len(steps))) - 1]


def test_check_names_odd_pictures_with_what_was_measured(classes, photo):
    root = classes({"a": 16, "b": 16})
    soft = Image.fromarray(photo).filter(ImageFilter.GaussianBlur(9))
    for name, pixels in (
        ("blank", np.full((50, 60, 3), 90, np.uint8)),
        ("dark", changed(photo, 0.12)),
        ("overexposed", changed(photo, levels=190)),
        ("blurred", np.asarray(soft)),
    ):
        Image.fromarray(pixels).save(root / "a" / f"{name}.png")
    found = kinds(ImageFolder(root))
    for name in ("blank", "dark", "overexposed", "blurred"):
        assert list(found[name].paths) == [root / "a" / f"{name}.png"]
        assert len(found[name].details) == 1
    assert found["blank"].severity == "warning"
    assert found["dark"].severity == found["blurred"].severity == "info"
    assert "grey levels 90 to 90" in found["blank"].details[0]


def test_kind_that_is_common_is_said_to_be_perhaps_meant(classes, photo):
    root = classes({"a": 8, "b": 8})
    for number in range(8):
        Image.fromarray(changed(np.roll(photo, 31 * number, 1), 0.1)).save(
            root / f"a/d{number}.png"
        )
    assert "33% of all, so perhaps as they are meant" in kinds(ImageFolder(root))["dark"].message


def test_second_look_reads_no_file(classes, monkeypatch):
    root = classes({"a": 6, "b": 6})
    paths = sorted(root.rglob("*.png"))
    for path in paths:
        os.utime(path, (1_000_000_000, 1_000_000_000))
    first = look_at_all(paths)

    def fail(*_: object) -> None:
        raise AssertionError("read again")

    monkeypatch.setattr("tlkeras.data.checks.look.decode_source", fail)
    second = look_at_all(paths)
    assert second.look.tobytes() == first.look.tobytes()
    assert second.mirrored.tobytes() == first.mirrored.tobytes()
    assert second.seen.all()


def test_changed_file_is_looked_at_again(classes, photo):
    root = classes({"a": 6, "b": 6})
    path = root / "a" / "000.png"
    os.utime(path, (1_000_000_000, 1_000_000_000))
    look_at_all([path])
    Image.fromarray(changed(photo, 0.1)).save(path)
    (finding,) = odd_looks(look_at_all([path]), [path])
    assert finding.kind == "dark"


def test_picture_that_vanished_is_logged_and_left_out(classes, caplog):
    root = classes({"a": 16, "b": 16})
    data = ImageFolder(root)
    (root / "a" / "003.png").unlink()
    with caplog.at_level(logging.WARNING):
        assert list(data.check()) == []
    assert "not looked at: " in caplog.text
    assert "003.png: there is no such file" in caplog.text


def test_pictures_in_memory_are_looked_at(draw, photo):
    images = [*(draw(seed) for seed in range(24)), changed(photo, 0.1)]
    found = kinds(ImageFolder.from_arrays(images, [0, 1] * 12 + [0]))
    assert list(found["dark"].paths) == [Path("array/000024")]


def test_no_picture_is_of_two_kinds():
    rng = np.random.default_rng(0)
    table = np.zeros(500, LOOK)
    for name in ("darkest", "dark", "light", "lightest", "steepest", "side_px"):
        table[name] = rng.integers(0, 256, 500)
    for name in ("white", "one_tone"):
        table[name] = rng.random(500)
    rows = Counter(row for rows in kinds_of(table).values() for row in rows.tolist())
    assert max(rows.values()) == 1
    assert len(rows) > 100


@pytest.mark.slow
def test_photographs_of_three_sets_look_as_usual(shared_data):
    sets = ("clothing_small", "cats_dogs", "imagenet_sample_100")
    paths = [
        path
        for name in sets
        for path in sorted((shared_data / "datasets" / name).rglob("*"))
        if path.suffix.lower() in (".jpg", ".jpeg")
    ]
    assert len(paths) == 1472
    assert [finding.message for finding in odd_looks(look_at_all(paths), paths)] == []
