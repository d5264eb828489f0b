"""What an explanation gives: heat of the picture's size, drawings, masked pixels."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from tlkeras.errors import DataError
from tlkeras.evaluation.explain import Explanation, colours
from tlkeras.evaluation.explain.explanation import MARK


def made_up(height: int = 90, width: int = 150, label: str = "rose") -> Explanation:
    rng = np.random.default_rng(1)
    coarse = rng.uniform(0, 1, (4, 7)).astype("float32")
    coarse[2, 5] = 1
    pixels = rng.integers(0, 255, (height, width, 3)).astype("uint8")
    return Explanation(pixels, coarse, label, 0.75, "iris", "gradcam", "base/out", "x/a$_$.jpg")


def test_heat_has_the_size_of_the_picture_and_is_hottest_where_the_map_is() -> None:
    found = made_up()
    assert found.heat.shape == (90, 150)
    assert found.heat.dtype == np.float32
    assert found.heat.min() >= 0
    y, x = np.unravel_index(found.heat.argmax(), found.heat.shape)
    assert (y * 4 // 90, x * 7 // 150) == (2, 5)


@pytest.mark.parametrize(
    ("max_px", "size"), [(60, (60, 36)), (None, (150, 90)), (4000, (150, 90)), (5, (5, 3))]
)
def test_overlay_is_a_jpeg_no_larger_than_asked_for(
    max_px: int | None, size: tuple[int, int]
) -> None:
    drawn = made_up().overlay(max_px=max_px)
    with Image.open(BytesIO(drawn)) as picture:
        assert (picture.format, picture.size) == ("JPEG", size)
        assert picture.info["comment"] == MARK


def test_thin_picture_can_be_drawn() -> None:
    assert made_up(1, 3000).overlay(max_px=160)
    assert made_up(3000, 1).masked(0.5).shape == (3000, 1, 3)


def test_notebook_shows_a_png() -> None:
    with Image.open(BytesIO(made_up()._repr_png_())) as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_masked_replaces_exactly_the_hottest_share_by_the_mean(share: float) -> None:
    found = made_up()
    masked = found.masked(share)
    mean = found.pixels.mean(axis=(0, 1)).round()
    grey = (masked == mean).all(axis=2)
    changed = (masked != found.pixels).any(axis=2)
    assert grey[changed].all()
    assert changed.sum() == pytest.approx(share * changed.size, abs=3)
    if changed.any() and not changed.all():
        assert found.heat[changed].min() >= np.quantile(found.heat, 1 - share) - 1e-6
    assert found.pixels.std() > 0  # the picture itself is as it was


@pytest.mark.parametrize("share", [-0.1, 20, float("nan")])
def test_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(DataError, match=r"from 0 to 1\. Received: .*0\.2"):
        made_up().masked(share)


def test_colours_grow_lighter_all_the_way() -> None:
    scale = colours.to_rgb(np.linspace(0, 1, 200)).astype(float) / 255
    linear = np.where(scale <= 0.04045, scale / 12.92, ((scale + 0.055) / 1.055) ** 2.4)
    light = linear @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(light) > -1e-3).all()
    assert light[-1] > 10 * light[0]


def test_picture_without_heat_is_not_hidden() -> None:
    grey = np.repeat(np.arange(256, dtype="uint8")[:, np.newaxis, np.newaxis], 3, axis=2)
    np.testing.assert_array_equal(colours.over(grey, np.zeros((256, 1))), grey)


def test_figure_says_the_class_and_the_other_answer() -> None:
    pytest.importorskip("matplotlib")
    plot = made_up(label="ro$e$").plot()
    assert plot.get_suptitle() == "what speaks for ro$e$ (75.0 %), answered as iris"
    out = BytesIO()
    plot.savefig(out)
    assert out.getvalue().startswith(b"\x89PNG")


def test_dictionary_is_ready_for_json() -> None:
    assert made_up().to_dict() == {
        "picture": "x/a$_$.jpg",
        "label": "rose",
        "probability": 0.75,
        "answer": "iris",
        "method": "gradcam",
        "layer": "base/out",
    }
