"""JPEGs reduced as they are decoded, against the same decoded in full."""

import io

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.decode import decode, decode_bytes
from tlkeras.data.pipeline import load_pixels
from tlkeras.data.resize import resize
from tlkeras.errors import DecodeError


@pytest.mark.parametrize(
    ("at_least", "shape"),
    [
        ((1, 1), (31, 39)),
        ((30, 38), (31, 39)),  # 243 / 8 = 30.4, 311 / 8 = 38.9
        ((31, 38), (61, 78)),
        ((30, 39), (61, 78)),
        ((60, 77), (61, 78)),
        ((61, 60), (122, 156)),
        ((121, 155), (122, 156)),
        ((122, 100), (243, 311)),
        ((5_000, 5_000), (243, 311)),
    ],
)
def test_smallest_reduction_with_no_side_below_what_is_asked(at_least, shape, draw, encode):
    data = encode(draw(0, 243, 311), "JPEG")
    assert decode(data, at_least).shape == (*shape, 3)


def test_size_and_box_are_those_of_the_whole_picture(draw, encode):
    decoded = decode_bytes(encode(draw(0, 243, 311), "JPEG"), "a.jpg", (1, 1))
    assert decoded.size_px == (243, 311)
    assert decoded.box == (0, 0, 243 / 8, 311 / 8)
    whole = decode_bytes(encode(draw(0, 243, 311), "JPEG"), "a.jpg")
    assert whole.size_px == whole.pixels.shape[:2] == (243, 311)
    assert whole.box == (0, 0, 243, 311)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "TIFF", "WEBP"])
def test_other_formats_come_whole(kind, draw, encode):
    data = encode(draw(), kind)
    np.testing.assert_array_equal(decode(data, (1, 1)), decode(data))


def test_array_comes_whole(draw):
    assert decode(draw(), (1, 1)) is not None
    assert decode(draw(), (1, 1)).shape == draw().shape


@pytest.mark.parametrize("orientation", range(1, 9))
def test_box_follows_the_orientation(orientation, draw, encode):  # D3
    exif = Image.Exif()
    exif[0x0112] = orientation
    # 203 / 8 and 309 / 8 leave most of the last pixel of a row and of a column empty.
    data = encode(draw(2, 203, 309), "JPEG", exif=exif, quality=95)
    decoded = decode_bytes(data, "a.jpg", (20, 20))
    assert max(decoded.pixels.shape) == 39
    assert decoded.size_px == decode(data).shape[:2]
    size = (9, 7)
    difference = np.abs(resize(decoded.pixels, size, decoded.box) - resize(decode(data), size))
    careless = np.abs(resize(decoded.pixels, size) - resize(decode(data), size))
    assert difference.mean() < 0.6
    assert careless.mean() > 1.5 * difference.mean()


@pytest.mark.parametrize("kind", ["grey", "progressive", "cmyk", "4:4:4"])
def test_kinds_of_jpeg(kind, draw, encode):  # D8
    picture = Image.fromarray(draw(1, 320, 240))
    ink = Image.fromarray(np.dstack([draw(1, 320, 240), draw(2, 320, 240)[..., 0]]), "CMYK")
    data = {
        "grey": lambda: encode(picture.convert("L"), "JPEG"),
        "progressive": lambda: encode(picture, "JPEG", progressive=True),
        "cmyk": lambda: encode(ink, "JPEG", quality=95),
        "4:4:4": lambda: encode(picture, "JPEG", subsampling=0),
    }[kind]()
    reduced = decode(data, (80, 60))
    assert reduced.shape == (80, 60, 3)
    assert np.abs(resize(reduced, (20, 15)) - resize(decode(data), (20, 15))).mean() < 0.7


@pytest.mark.parametrize("progressive", [False, True])
def test_damage_is_found_as_in_a_full_decode(progressive, draw, encode):  # D2
    whole = encode(draw(0, 240, 320), "JPEG", progressive=progressive)
    rng = np.random.default_rng(0)
    broken = [whole[: int(cut)] for cut in rng.integers(2, len(whole), 60)]
    for _ in range(120):
        data = bytearray(whole)
        for place in rng.integers(2, len(data), 3):
            data[place] = rng.integers(256)
        broken.append(bytes(data))
    verdicts = [(_readable(data, None), _readable(data, (1, 1))) for data in broken]
    assert all(full == reduced for full, reduced in verdicts)
    assert sum(not full for full, _ in verdicts) > 60


def _readable(data, at_least):
    try:
        decode(data, at_least)
    except DecodeError:
        return False
    return True


def test_small_pictures_are_decoded_in_full(draw, encode):
    data = encode(draw(0, 95, 140), "JPEG")
    np.testing.assert_array_equal(
        load_pixels(data, (16, 20)), load_pixels(data, (16, 20), exact=True)
    )


def test_large_pictures_are_reduced_unless_exact(draw, encode):
    data = encode(draw(0, 240, 320), "JPEG")
    exact = load_pixels(data, (16, 20), exact=True)
    np.testing.assert_array_equal(exact, resize(decode(data), (16, 20)))
    quick = load_pixels(data, (16, 20))
    assert not np.array_equal(quick, exact)
    assert np.abs(quick - exact).mean() < 0.25


@pytest.mark.slow
def test_stated_tolerance_on_large_photographs(shared_data):
    paths = sorted((shared_data / "datasets" / "imagenet_sample_100").glob("*.JPEG"))[::10]
    differences = []
    for index, path in enumerate(paths):
        picture = Image.open(path).convert("RGB")
        times = max(4 + index % 5, 1_400 // min(picture.size) + 1)
        # Odd sides, so that the last blocks of 8 x 8 are not full.
        large = (picture.width * times + index, picture.height * times + 3)
        buffer = io.BytesIO()
        picture.resize(large, Image.Resampling.LANCZOS).save(
            buffer, "JPEG", quality=90, subsampling=index % 3
        )
        data = buffer.getvalue()
        quick, exact = (load_pixels(data, (224, 224), exact=exact) for exact in (False, True))
        assert not np.array_equal(quick, exact)
        differences.append(np.abs(quick - exact).mean())
    assert np.mean(differences) < 0.25
    assert max(differences) < 0.6
    # Photographs that were never enlarged have more detail: 500 x 375 at a quarter.
    differences = [
        np.abs(load_pixels(path, (60, 60)) - load_pixels(path, (60, 60), exact=True)).mean()
        for path in sorted((shared_data / "datasets" / "cats_dogs").rglob("*.jpg"))[::20]
    ]
    assert 0 < np.mean(differences) < 0.3
    assert max(differences) < 0.6
