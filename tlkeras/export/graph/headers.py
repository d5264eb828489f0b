"""What the first bytes of a picture say: its format, and how many pixels it would become.

Read before decoding, because a 48 kB PNG can ask for 1.2 GB of pixels.
"""

import tensorflow as tf

from tlkeras.data.decode import MAX_PIXELS, MAX_SIDE
from tlkeras.export.graph.byte_fields import begins, big_endian, read_bytes

FORMATS = ("JPEG", "PNG", "GIF", "BMP")
"""What a served model decodes, in the order of the numbers that `picture_format` gives."""

_BEGINNINGS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"BM")


def picture_format(data: tf.Tensor) -> tf.Tensor:
    """The place in FORMATS of one encoded picture, len(FORMATS) when none fits: int32 ()."""
    head = read_bytes(data, 0, 8)
    fits = tf.stack([begins(head, begin) for begin in _BEGINNINGS] + [tf.constant(True)])
    return tf.argmax(tf.cast(fits, tf.int32), output_type=tf.int32)


def within_cap(height: tf.Tensor, width: tf.Tensor) -> tf.Operation:
    """An op that fails for no pixels, more than MAX_PIXELS, or more than MAX_SIDE in a row."""
    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    within = (height * width <= MAX_PIXELS) & (tf.maximum(height, width) <= MAX_SIDE)
    within &= tf.minimum(height, width) > 0
    return tf.debugging.Assert(within, ["pixels", height, width])


def png_size(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Height and width that the IHDR chunk of one PNG declares: int64 (), int64 ()."""
    field = read_bytes(data, 16, 8)
    return big_endian(field[4:]), big_endian(field[:4])
