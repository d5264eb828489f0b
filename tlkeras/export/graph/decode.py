"""Encoded bytes to upright pixels, inside a TensorFlow graph: what a served model starts with.

    bytes ─ format ─ size from the header ─ decode ─ EXIF turn ─ resize ─▶ float32 (s, s, 3)

The pixels are those the training saw. Anything that cannot be decoded is an op error here;
`rows.py` turns it into one marked row.
"""

import tensorflow as tf

from tlkeras.export.graph.bmp import decode_bmp
from tlkeras.export.graph.gif import decode_gif
from tlkeras.export.graph.headers import picture_format, png_size, within_cap
from tlkeras.export.graph.orientation import jpeg_orientation, png_orientation, upright


def decode_and_resize(data: tf.Tensor, size_px: int) -> tf.Tensor:
    """One encoded picture, string () → upright RGB float32 (size_px, size_px, 3) in [0, 255].

    Bilinear with antialiasing and without rounding, the picture stretched to the square.

    Example::

        pixels = decode_and_resize(tf.io.read_file("portrait.jpg"), 224)
    """
    return resize(decode(data)[tf.newaxis], size_px)[0]


def resize(images: tf.Tensor, size_px: int) -> tf.Tensor:
    """Images (n, h, w, 3) of any dtype → float32 (n, size_px, size_px, 3), not rounded."""
    resized = tf.image.resize(images, (size_px, size_px), method="bilinear", antialias=True)
    return tf.ensure_shape(tf.cast(resized, tf.float32), (None, size_px, size_px, 3))


def decode(data: tf.Tensor) -> tf.Tensor:
    """One encoded JPEG, PNG, GIF or BMP, string () → upright RGB uint8 (h, w, 3)."""
    branches = (_jpeg, _png, decode_gif, decode_bmp, _refuse)
    chosen = [lambda branch=branch: branch(data) for branch in branches]
    return tf.ensure_shape(tf.switch_case(picture_format(data), chosen), (None, None, 3))


def _jpeg(data: tf.Tensor) -> tf.Tensor:
    shape = tf.io.extract_jpeg_shape(data)
    with tf.control_dependencies([within_cap(shape[0], shape[1])]):
        # The default is a faster transform, up to 12 grey levels away from Pillow's.
        pixels = tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")
    return upright(pixels, jpeg_orientation(data))


def _png(data: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([within_cap(*png_size(data))]):
        pixels = tf.io.decode_png(data, channels=3)
    return upright(pixels, png_orientation(data))


def _refuse(data: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(False, ["not JPEG, PNG, GIF or BMP"])]):
        return tf.zeros((1, 1, 3), tf.uint8)
