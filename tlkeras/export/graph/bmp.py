"""Uncompressed BMP of 1, 4, 8, 24 or 32 bits a pixel.

TensorFlow takes a palette's row numbers for grey levels, so those are looked up here.
"""

import tensorflow as tf

from tlkeras.export.graph.byte_fields import little_endian, read_bytes
from tlkeras.export.graph.headers import within_cap

_FILE_HEADER = 14
_INFO_HEADER = 40
_RGB_MASKS = (0x00FF0000, 0x0000FF00, 0x000000FF)


def decode_bmp(data: tf.Tensor) -> tf.Tensor:
    """One encoded BMP, string () → RGB uint8 (h, w, 3); alpha is dropped."""
    head = read_bytes(data, 0, 66)
    header, width, signed_height = (little_endian(head[at : at + 4]) for at in (14, 18, 22))
    from_the_top = signed_height >= 2**31
    height = tf.where(from_the_top, 2**32 - signed_height, signed_height)
    bits, compression = little_endian(head[28:30]), little_endian(head[30:34])
    masks = tf.stack([little_endian(head[at : at + 4]) for at in (54, 58, 62)])
    usual = tf.reduce_all(tf.equal(masks, tf.constant(_RGB_MASKS, tf.int64)))
    plain = tf.equal(compression, 0) | (tf.equal(compression, 3) & tf.equal(bits, 32) & usual)
    known = tf.debugging.Assert(plain & (header >= _INFO_HEADER), ["bits", bits, compression])

    start = _FILE_HEADER + header  # of the palette, or of the pixels
    told = little_endian(head[10:14])  # where the pixels are said to be

    def indexed(bits_each: int) -> tf.Tensor:
        filled = little_endian(head[46:50])
        filled = tf.where(filled > 0, filled, 2**bits_each)
        # Some writers forget the palette, or leave it at 0: then the pixels are behind it.
        forgotten = tf.equal(told, 0) | tf.equal(told, start)
        offset = tf.where(forgotten, start + 4 * filled, told)
        offset = tf.cast(tf.minimum(offset, tf.int32.max), tf.int32)
        rows = _palette_rows(data, offset, tf.cast(tf.stack([height, width]), tf.int32), bits_each)
        colours = tf.reshape(read_bytes(data, start, 4 * 256), (256, 4))
        listed = tf.range(256, dtype=tf.int64)[:, tf.newaxis] < filled
        colours = tf.where(listed, tf.cast(colours[:, 2::-1], tf.uint8), tf.constant(0, tf.uint8))
        if bits_each == 1:  # all listed colours are grey: the palette is then passed over
            grey = 255 * tf.range(256, dtype=tf.int64)[:, tf.newaxis]
            own = tf.where(tf.equal(filled, 1), grey // 255, grey)
            passed = tf.reduce_all(~listed | tf.equal(tf.cast(colours, tf.int64), own))
            colours = tf.where(passed, tf.cast(tf.minimum(grey, 255), tf.uint8), colours)
        pixels = tf.gather(colours, rows)
        return tf.cond(from_the_top, lambda: pixels, lambda: pixels[::-1])

    def direct(channels: int) -> tf.Tensor:
        # TensorFlow refuses a file with anything behind its pixels.
        stride = (width * 8 * channels + 31) // 32 * 4
        end = tf.cast(tf.minimum(told + stride * height, tf.int32.max), tf.int32)
        with tf.control_dependencies([tf.debugging.Assert(told >= start, ["pixels at", told])]):
            exact = tf.strings.substr(data, 0, end)
        return tf.io.decode_bmp(exact, channels=channels)[..., :3]

    with tf.control_dependencies([known, within_cap(height, width)]):
        decoders = {
            1: lambda: indexed(1),
            4: lambda: indexed(4),
            8: lambda: indexed(8),
            32: lambda: direct(4),
        }
        cases = [(tf.equal(bits, each), decoder) for each, decoder in decoders.items()]
        return tf.case(cases, default=lambda: direct(3))


def _palette_rows(data: tf.Tensor, offset: tf.Tensor, size: tf.Tensor, bits: int) -> tf.Tensor:
    """The palette row of each pixel, int32 (h, w), in the order of the file."""
    stride = (size[1] * bits + 31) // 32 * 4  # a row of pixels fills whole 32-bit words
    raw = tf.io.decode_raw(tf.strings.substr(data, offset, stride * size[0]), tf.uint8)
    shifts = tf.constant(list(range(8 - bits, -1, -bits)), tf.int32)
    each = tf.bitwise.right_shift(tf.cast(raw, tf.int32)[:, tf.newaxis], shifts) % 2**bits
    return tf.reshape(each, (size[0], -1))[:, : size[1]]
