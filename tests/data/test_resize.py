import threading

import numpy as np
import pytest

from tlkeras.data.resize import _column_bands, _row_bands, resize

SHAPES = [  # input and output sides: shrinking, enlarging, both, one pixel wide, far apart
    ((41, 67), (16, 20)),
    ((16, 20), (41, 67)),
    ((300, 41), (24, 160)),
    ((375, 500), (224, 224)),
    ((1, 1), (5, 3)),
    ((1, 90), (7, 30)),
    ((90, 1), (30, 7)),
    ((3, 2), (1, 1)),
    ((2_000, 7), (31, 9)),
    ((229, 635), (600, 601)),
]


def by_tensorflow(pixels, size):
    import tensorflow as tf

    return tf.image.resize(pixels, size, method="bilinear", antialias=True).numpy()


@pytest.mark.slow  # loads TensorFlow
@pytest.mark.parametrize(("shape", "size"), SHAPES)
@pytest.mark.parametrize("kind", ["smooth", "noise", "float"])
def test_pixels_are_those_of_tensorflow(shape, size, kind, draw):  # P1
    rng = np.random.default_rng(3)
    pixels = draw(0, *shape) if kind == "smooth" else rng.integers(0, 256, (*shape, 3), np.uint8)
    pixels = rng.uniform(0, 255, (*shape, 3)).astype(np.float32) if kind == "float" else pixels
    resized = resize(pixels, size)
    assert resized.shape == (*size, 3)
    assert resized.dtype == np.float32
    difference = np.abs(resized - by_tensorflow(pixels, size))
    assert difference.mean() < 2e-4
    assert difference.max() < 2e-3


def test_rows_columns_and_channels_are_not_confused():
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[0, 5, 2] = 240
    resized = resize(pixels, (2, 3))
    assert np.argwhere(resized > 30).tolist() == [[0, 2, 2]]


def test_same_size_is_a_copy_in_float(draw):
    pixels = draw()
    resized = resize(pixels, pixels.shape[:2])
    np.testing.assert_array_equal(resized, pixels)
    assert resized.dtype == np.float32
    resized[:] = 0
    assert pixels.any()


def test_strides_do_not_matter(draw):
    pixels = draw(0, 90, 70)
    turned = pixels[::-1, :, ::-1].transpose(1, 0, 2)
    np.testing.assert_array_equal(resize(turned, (31, 22)), resize(turned.copy(), (31, 22)))


def test_box_of_whole_pixels_is_a_crop_seen_with_its_surroundings(draw):
    pixels = draw(0, 90, 70)
    inside = resize(pixels, (20, 15), (10, 5, 70, 50))[1:-1, 1:-1]
    np.testing.assert_allclose(inside, resize(pixels[10:70, 5:50], (20, 15))[1:-1, 1:-1], atol=1e-3)


def test_box_may_end_within_a_pixel():
    ramp = np.repeat(np.arange(0, 100, 10, dtype=np.float32)[None, :, None], 3, axis=2)
    # Pixel centres lie at 0.5, 1.5, …: place p shows 10 * (p - 0.5).
    resized = resize(ramp, (1, 6), (0, 1, 1, 4.6))[0, :, 0]
    np.testing.assert_allclose(resized, [8, 14, 20, 26, 32, 38], rtol=1e-5)


def test_threads_at_once_give_the_same(draw):
    pictures = [draw(seed, 300 + 7 * seed, 500 - 11 * seed) for seed in range(12)]
    expected = [resize(picture, (96, 80)) for picture in pictures]
    resized = [None] * len(pictures)

    def work(start):
        for index in range(start, len(pictures), 3):
            resized[index] = resize(pictures[index], (96, 80))

    threads = [threading.Thread(target=work, args=(start,)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for mine, right in zip(resized, expected, strict=True):
        np.testing.assert_array_equal(mine, right)


@pytest.mark.parametrize(("shape", "made"), [((2, 9_001), _column_bands), ((9_001, 2), _row_bands)])
def test_weights_of_a_long_side_are_not_kept(shape, made):  # D9
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (*shape, 3), np.uint8)
    kept = made.cache_info()
    first = resize(pixels, (3, 5))
    assert made.cache_info() == kept
    np.testing.assert_array_equal(resize(pixels, (3, 5)), first)
