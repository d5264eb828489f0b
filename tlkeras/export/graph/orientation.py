"""The EXIF orientation of an encoded picture, read and applied inside a TensorFlow graph.

    JPEG  segments up to the scan ─▶ APP1 "Exif" ─┐
    PNG   chunks up to the pixels ─▶ eXIf        ─┴▶ TIFF header ─▶ first directory ─▶ tag 0x0112

The structure is walked, so bytes elsewhere that look like the tag turn nothing. A JPEG is walked
as `tlkeras.data.jpeg.segments` says, fill and junk passed over, so that training and serving agree.
The values 1 to 8 mean what they mean to `PIL.ImageOps.exif_transpose`.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

from tlkeras.data.jpeg.segments import EXIF, SCAN, UNKNOWN, WITH_LENGTH
from tlkeras.export.graph.byte_fields import begins, big_endian, little_endian, read_bytes

MAX_PARTS = 1024
"""A picture with more segments or chunks before its orientation is served as it lies."""

_APP1 = 0xE1
_HEAD = 4 + len(EXIF)  # bytes of a segment that are looked at
_WINDOW = 256  # bytes in which the next segment is looked for at a time
_PLACES = _WINDOW - _HEAD + 1  # of them where it may begin
_PASSED, _FOLLOWED, _LAST = 0, 1, 2
_KINDS = np.full(256, _PASSED)  # of the byte behind 0xFF
_KINDS[list(WITH_LENGTH)] = _FOLLOWED
_KINDS[[*UNKNOWN, SCAN]] = _LAST
_SHORT = 3
_STOP = np.int64(-1)


def jpeg_orientation(data: tf.Tensor) -> tf.Tensor:
    """The orientation 1 to 8 of one encoded JPEG, 1 where none is said: int32 ().

    Example::

        jpeg_orientation(tf.io.read_file("portrait.jpg"))      # 6
    """

    def step(position: tf.Tensor, exif: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        window = read_bytes(data, position, _WINDOW)
        kinds = tf.gather(_KINDS, window[1 : _PLACES + 1])
        kinds = tf.where(tf.equal(window[:_PLACES], 0xFF), kinds, _PASSED)
        at = tf.argmax(kinds > _PASSED)
        kind, head = kinds[at], tf.slice(window, [at], [_HEAD])
        begin, length = position + at, big_endian(head[2:4])
        following = begin + 2 + tf.maximum(length, 2)
        found = tf.equal(kind, _FOLLOWED) & tf.equal(head[1], _APP1) & begins(head[4:], EXIF)
        found &= length >= 2 + len(EXIF)
        exif = tf.where(found, tf.stack([begin + _HEAD, begin + 2 + length]), exif)
        position = tf.where(kind > _PASSED, following, position + _PLACES)
        return tf.where(found | tf.equal(kind, _LAST), _STOP, position), exif

    return _tiff_orientation(_find(data, 2, step))


def png_orientation(data: tf.Tensor) -> tf.Tensor:
    """The orientation 1 to 8 of one encoded PNG, 1 where none is said: int32 ()."""

    def step(position: tf.Tensor, exif: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        head = read_bytes(data, position, 8)
        end = position + 8 + big_endian(head[:4])
        found = begins(head[4:], b"eXIf")  # of several the last one counts, as with Pillow
        exif = tf.where(found, tf.stack([position + 8, end]), exif)
        return tf.where(begins(head[4:], b"IDAT"), _STOP, end + 4), exif

    return _tiff_orientation(_find(data, 8, step))


def upright(pixels: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Pixels (h, w, 3) turned and flipped to stand as the orientation 1 to 8 says."""
    turned = tf.cond(orientation >= 5, lambda: tf.transpose(pixels, [1, 0, 2]), lambda: pixels)
    flips = [[], [1], [0, 1], [0], [], [1], [0, 1], [0]]  # axes to reverse, for 1 to 8
    return tf.switch_case(
        orientation - 1,
        [lambda axes=axes: tf.reverse(turned, axes) if axes else turned for axes in flips],
    )


def _find(
    data: tf.Tensor,
    start: int,
    step: Callable[[tf.Tensor, tf.Tensor], tuple[tf.Tensor, tf.Tensor]],
) -> tf.Tensor:
    """The TIFF block that the walk from `start` finds, empty where it finds none: string ()."""
    size = tf.cast(tf.strings.length(data), tf.int64)
    _, exif = tf.while_loop(
        lambda position, exif: (position >= start) & (position < size),
        step,
        (tf.constant(start, tf.int64), tf.zeros([2], tf.int64)),
        maximum_iterations=MAX_PARTS,
        parallel_iterations=1,
    )
    begin = tf.cast(tf.minimum(exif[0], size), tf.int32)
    return tf.strings.substr(data, begin, tf.cast(exif[1] - exif[0], tf.int32))


def _tiff_orientation(tiff: tf.Tensor) -> tf.Tensor:
    """Tag 0x0112 of the first directory of a TIFF block, 1 where there is none: int32 ()."""
    head = read_bytes(tiff, 0, 8)
    is_intel = begins(head, b"II")

    def number(field: tf.Tensor) -> tf.Tensor:
        return tf.where(is_intel, little_endian(field), big_endian(field))

    tiff = tf.strings.join([tiff, b"\0\0"])  # the last two bytes of an entry are never needed
    directory = number(head[4:])
    room = (tf.cast(tf.strings.length(tiff), tf.int64) - directory - 2) // 12
    count = tf.minimum(number(read_bytes(tiff, directory, 2)), tf.maximum(room, 0))
    count = tf.where(is_intel | begins(head, b"MM"), count, 0)
    begin = tf.where(count > 0, directory + 2, 0)
    entries = tf.strings.substr(tiff, tf.cast(begin, tf.int32), tf.cast(count * 12, tf.int32))
    entries = tf.reshape(tf.cast(tf.io.decode_raw(entries, tf.uint8), tf.int64), (-1, 12))
    value = tf.where(tf.equal(number(entries[:, 2:4]), _SHORT), number(entries[:, 8:10]), 1)
    value = tf.boolean_mask(value, tf.equal(number(entries[:, 0:2]), 0x0112))
    value = tf.concat([value, tf.ones((1,), tf.int64)], 0)[0]
    return tf.cast(tf.where((value >= 1) & (value <= 8), value, 1), tf.int32)
