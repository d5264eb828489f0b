"""Numbers inside a string tensor: the bytes at a position, read without ever failing.

Headers are small and files are large, so each read cuts a few bytes out of the string.
"""

import tensorflow as tf


def read_bytes(data: tf.Tensor, position: tf.Tensor | int, count: int) -> tf.Tensor:
    """The bytes of one string from `position` on: (count,) int64 in [0, 255], 0 past the end.

    Example::

        read_bytes(tf.constant(b"\\x01\\x02"), 1, 2)      # [2, 0]
    """
    end = tf.strings.length(data)
    start = tf.cast(
        tf.clip_by_value(tf.cast(position, tf.int64), 0, tf.cast(end, tf.int64)), tf.int32
    )
    padded = tf.strings.join([tf.strings.substr(data, start, count), b"\0" * count])
    field = tf.ensure_shape(tf.io.decode_raw(padded, tf.uint8)[:count], (count,))
    return tf.cast(field, tf.int64)


def begins(field: tf.Tensor, prefix: bytes) -> tf.Tensor:
    """Whether bytes (k,) begin with `prefix`, which is no longer than k: bool ()."""
    expected = tf.constant(list(prefix), tf.int64)
    return tf.reduce_all(tf.equal(field[: len(prefix)], expected))


def big_endian(field: tf.Tensor) -> tf.Tensor:
    """The unsigned number in bytes (..., k), k <= 4, highest byte first: int64 (...)."""
    return tf.reduce_sum(field * tf.constant(_weights(field)[::-1], tf.int64), -1)


def little_endian(field: tf.Tensor) -> tf.Tensor:
    """The unsigned number in bytes (..., k), k <= 4, lowest byte first: int64 (...)."""
    return tf.reduce_sum(field * tf.constant(_weights(field), tf.int64), -1)


def _weights(field: tf.Tensor) -> list[int]:
    return [256**power for power in range(field.shape[-1])]
