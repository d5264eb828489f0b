import subprocess
import sys

import numpy as np
import pytest

from tlkeras.data.augment import Augmentation
from tlkeras.data.decode import decode_source
from tlkeras.data.pipeline import load_pixels, pixel_batches
from tlkeras.errors import DecodeError


@pytest.fixture
def pictures(draw):
    return [draw(seed, 30 + seed, 50 - seed) for seed in range(11)]


def test_pixels_are_those_of_an_antialiased_float_resize(pictures):  # P1
    import tensorflow as tf

    (batch,) = pixel_batches(pictures, (16, 20))
    assert batch.pixels.shape == (11, 16, 20, 3)
    assert batch.pixels.dtype == np.float32
    for index, picture in enumerate(pictures):
        expected = tf.image.resize(
            picture.astype(np.float32), (16, 20), method="bilinear", antialias=True
        )
        np.testing.assert_allclose(batch.pixels[index], expected, atol=2e-3)


def test_one_picture_is_that_of_the_batch(pictures):
    (batch,) = pixel_batches(pictures, (16, 20), augment=Augmentation(), seed=(3, 1))
    for index in (0, 7):
        one = load_pixels(pictures[index], (16, 20), Augmentation(), seed=(3, 1, index))
        np.testing.assert_array_equal(one, batch.pixels[index])


def test_reading_loads_no_tensorflow():
    code = (
        "import sys, numpy as np; from tlkeras.data.pipeline import pixel_batches; "
        "list(pixel_batches([np.zeros((9, 7, 3), 'uint8')], (4, 5))); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_crop_of_a_large_jpeg_keeps_enough_pixels(draw, encode, monkeypatch):
    asked = []

    def note(source, at_least):
        asked.append(at_least)
        return decode_source(source, at_least)

    monkeypatch.setattr("tlkeras.data.pipeline.decode_source", note)
    data = encode(draw(0, 600, 800), "JPEG")
    how = Augmentation(crop=(0.75, 1.0))  # a side keeps at least 3/4: sqrt(3/4 * 3/4)
    load_pixels(data, (30, 40), how)
    load_pixels(data, (30, 40))
    load_pixels(data, (30, 40), exact=True)
    assert asked == [(120, 160), (90, 120), None]


@pytest.mark.slow  # loads TensorFlow, and reads 200 photographs
@pytest.mark.timeout(300)
def test_pixels_are_those_of_the_served_graph(shared_data):
    import tensorflow as tf

    from tlkeras.export.graph.decode import decode_and_resize

    served = tf.function(
        lambda data: decode_and_resize(data, 224), input_signature=[tf.TensorSpec((), tf.string)]
    )
    found = sorted((shared_data / "datasets").rglob("*.[jJ]*"))
    paths = found[:: len(found) // 200]
    assert len(paths) >= 200
    differences = [
        np.abs(load_pixels(path, (224, 224)) - served(path.read_bytes()).numpy()).mean()
        for path in paths
    ]
    assert max(differences) < 0.5
    assert np.mean(differences) < 0.01  # most are not reduced, and agree to float rounding


def test_pixels_are_not_rounded(pictures):
    (batch,) = pixel_batches(pictures, (16, 20))
    assert np.any(batch.pixels != np.rint(batch.pixels))


def test_order_and_index_are_kept_across_batches(pictures):  # D7
    batches = list(pixel_batches(pictures, (16, 20), batch_size=4))
    assert [len(batch.index) for batch in batches] == [4, 4, 3]
    assert np.concatenate([batch.index for batch in batches]).tolist() == list(range(11))
    assert batches[0].index.dtype == np.int64
    (whole,) = pixel_batches(pictures, (16, 20))
    np.testing.assert_array_equal(np.concatenate([b.pixels for b in batches]), whole.pixels)


def test_picture_of_the_right_size_is_left_alone(pictures):
    (batch,) = pixel_batches(pictures[:1], pictures[0].shape[:2])
    np.testing.assert_array_equal(batch.pixels[0], pictures[0])
    assert batch.pixels.dtype == np.float32


def test_broken_picture_is_reported_with_its_index(pictures):  # D2, E3
    told = []
    sources = [pictures[0], b"broken", pictures[1], "missing.jpg"]
    batches = list(
        pixel_batches(sources, (16, 20), batch_size=2, on_error=lambda *told_: told.append(told_))
    )
    assert [batch.index.tolist() for batch in batches] == [[0, 2]]
    assert [index for index, _ in told] == [1, 3]
    assert told[1][1].name == "missing.jpg"


def test_broken_picture_raises_by_default(pictures):  # D2
    with pytest.raises(DecodeError, match=r"missing\.jpg"):
        list(pixel_batches([pictures[0], "missing.jpg"], (16, 20)))


def test_nothing_gives_no_batch():
    assert list(pixel_batches([], (16, 20))) == []


def test_augmented_pixels_depend_on_seed_and_index_only(pictures):
    def varied(batch_size, seed):
        batches = pixel_batches(
            pictures, (16, 20), batch_size=batch_size, augment=Augmentation(), seed=seed
        )
        return np.concatenate([batch.pixels for batch in batches])

    np.testing.assert_array_equal(varied(3, (1, 2)), varied(5, (1, 2)))
    assert not np.array_equal(varied(3, (1, 2)), varied(3, (1, 3)))


def test_consumer_may_stop_early(pictures):
    batches = pixel_batches(pictures * 20, (16, 20), batch_size=2)
    next(batches)
    batches.close()
