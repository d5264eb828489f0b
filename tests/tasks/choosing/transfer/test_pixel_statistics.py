"""Pixel statistics against plain counting, and on pictures that differ in colour alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tlkeras as tl
from tlkeras.tasks.choosing.transfer.pixel_statistics import of_pixels, pixel_statistics


def test_statistics_are_counts_and_means() -> None:
    pixels = np.random.default_rng(0).uniform(0, 255, (24, 40, 3)).astype("float32")
    found = of_pixels(pixels)
    for number in (0, 21, 63):
        r, g, b = number // 16, number // 4 % 4, number % 4
        inside = (pixels // 64 == (r, g, b)).all(axis=2)
        assert found[number] == pytest.approx(np.sqrt(inside.mean()), abs=1e-6)
    green = (pixels[..., 1] // 16 == 5).mean()
    assert found[64 + 16 + 5] == pytest.approx(np.sqrt(green), abs=1e-6)
    corner = pixels[21:24, 35:40].mean(axis=(0, 1)) / 255
    np.testing.assert_allclose(found[-3:], corner, atol=1e-5)


def test_rows_follow_the_pictures(tmp_path: Path) -> None:
    for kind, colour in (("green", (10, 200, 20)), ("red", (220, 20, 10))):
        (tmp_path / kind).mkdir()
        for number in range(8):
            size = (40 + number, 30)
            Image.new("RGB", size, colour).save(tmp_path / kind / f"{number}.png")
    data = tl.ImageFolder(tmp_path, split=(1.0, 0.0, 0.0))
    features = pixel_statistics(data.train.pictures)
    assert features.vectors.shape == (len(data.train), 304)
    assert features.ids == data.train.sha256
    red, green = (200 // 64 * 16, 200 // 64 * 4)
    is_red = features.labels == 1
    assert features.vectors[is_red, red].min() == pytest.approx(1)
    assert features.vectors[~is_red, green].min() == pytest.approx(1)
