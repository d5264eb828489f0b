import numpy as np
import pytest

from tlkeras.data.augment import Augmentation, augment
from tlkeras.errors import DataError

NOTHING = Augmentation(crop=(1, 1), flip=False, brightness=0, contrast=0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_nothing_asked_changes_nothing(draw):
    np.testing.assert_array_equal(augment(draw(), NOTHING, rng()), draw())


def test_same_generator_gives_the_same_pixels(draw):
    first, again = (augment(draw(), Augmentation(), rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.uint8


def test_input_is_left_alone(draw):
    pixels = draw()
    augment(pixels, Augmentation(), rng())
    np.testing.assert_array_equal(pixels, draw())


def test_flip_mirrors_about_half_of_the_pictures(draw):
    how = Augmentation(crop=(1, 1), brightness=0, contrast=0)
    flipped = 0
    for seed in range(200):
        varied = augment(draw(), how, rng(seed))
        mirrored = np.array_equal(varied, draw()[:, ::-1])
        assert mirrored or np.array_equal(varied, draw())
        flipped += mirrored
    assert 70 < flipped < 130


def test_crop_keeps_the_share_of_the_area(draw):
    how = Augmentation(crop=(0.4, 0.6), flip=False, brightness=0, contrast=0)
    for seed in range(50):
        height, width = augment(draw(), how, rng(seed)).shape[:2]
        assert 0.33 < height * width / (41 * 67) < 0.67


def test_brightness_scales_and_clips(draw):
    how = Augmentation(crop=(1, 1), flip=False, brightness=0.5, contrast=0)
    for seed in range(20):
        varied = augment(draw(), how, rng(seed)).astype(float)
        inside = (varied > 0) & (varied < 255) & (draw() > 60)
        factors = varied[inside] / draw()[inside]
        assert factors.max() - factors.min() < 0.02
        assert 0.49 < factors.mean() < 1.51


def test_contrast_keeps_the_mean_grey():
    pixels = np.repeat(np.arange(100, 156, dtype=np.uint8)[None, :, None], 3, axis=2)
    how = Augmentation(crop=(1, 1), flip=False, brightness=0, contrast=0.5)
    spreads = set()
    for seed in range(20):
        varied = augment(pixels, how, rng(seed))
        assert abs(float(varied.mean()) - 127.5) < 1
        spreads.add(round(float(varied.std()), 1))
    assert len(spreads) > 10


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (300, 2, 3)])
def test_tiny_pictures_keep_at_least_one_pixel(shape):  # D9
    for seed in range(20):
        assert augment(np.zeros(shape, np.uint8), Augmentation((0.1, 0.2)), rng(seed)).size


@pytest.mark.parametrize(
    "knobs",
    [
        {"crop": (0, 1)},
        {"crop": (0.9, 0.5)},
        {"crop": (0.5, 1.5)},
        {"brightness": -0.1},
        {"contrast": 1.0},
    ],
)
def test_knobs_out_of_range_are_refused(knobs):
    with pytest.raises(DataError, match="Expected"):
        Augmentation(**knobs)
