"""The pixels of `decode` against TensorFlow's own decoders."""

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.decode import decode

pytestmark = pytest.mark.slow  # loads TensorFlow


def jpeg_by_tensorflow(data: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE").numpy()


def by_tensorflow(data: bytes) -> np.ndarray:
    import tensorflow as tf

    return tf.io.decode_image(data, channels=3, expand_animations=False).numpy()


@pytest.mark.parametrize("quality", [30, 75, 97])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg(quality, subsampling, progressive, draw, encode):
    data = encode(draw(), "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    np.testing.assert_array_equal(decode(data), jpeg_by_tensorflow(data))


def test_grey_jpeg(draw, encode):
    data = encode(Image.fromarray(draw()).convert("L"), "JPEG")
    np.testing.assert_array_equal(decode(data), jpeg_by_tensorflow(data))


@pytest.mark.parametrize("marker", ["cmyk", "ycck", "none"])
def test_four_colour_jpeg(marker, draw, encode):  # D8
    ink = np.dstack([draw(), draw(1)[..., 0]])
    data = bytearray(encode(Image.fromarray(ink, "CMYK"), "JPEG", quality=95))
    adobe = data.index(b"\xff\xee")
    length = int.from_bytes(data[adobe + 2 : adobe + 4], "big")
    if marker == "ycck":
        data[adobe + 1 + length] = 2  # the last byte of the segment: which transform
    if marker == "none":
        del data[adobe : adobe + 2 + length]
    np.testing.assert_array_equal(decode(bytes(data)), jpeg_by_tensorflow(bytes(data)))


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGB", "RGBA"])
def test_png(mode, draw, encode):
    data = encode(Image.fromarray(draw()).convert(mode), "PNG")
    np.testing.assert_array_equal(decode(data), by_tensorflow(data))


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_16_bit_png(channels):  # D8
    import tensorflow as tf

    deep = np.random.default_rng(0).integers(0, 65536, (31, 17, channels), dtype=np.uint16)
    data = tf.io.encode_png(deep).numpy()
    np.testing.assert_array_equal(decode(data), by_tensorflow(data))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_bmp(mode, draw, encode):
    data = encode(Image.fromarray(draw()).convert(mode), "BMP")
    np.testing.assert_array_equal(decode(data), by_tensorflow(data))


@pytest.mark.parametrize("transparency", [None, 7])
@pytest.mark.parametrize("mode", ["L", "P"])
def test_gif(mode, transparency, draw, encode):
    picture = Image.fromarray(draw())
    picture = picture.quantize(40) if mode == "P" else picture.convert("L")
    options = {} if transparency is None else {"transparency": transparency}
    data = encode(picture, "GIF", **options)
    np.testing.assert_array_equal(decode(data), by_tensorflow(data))


def test_real_photographs(shared_data):
    paths = sorted((shared_data / "datasets" / "cats_dogs").rglob("*.jpg"))[::20]
    for path in paths:
        np.testing.assert_array_equal(decode(path), jpeg_by_tensorflow(path.read_bytes()))
