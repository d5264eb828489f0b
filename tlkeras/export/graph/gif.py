"""The first frame of a GIF, laid on its canvas.

TensorFlow unpacks every frame before it hands out the first, so a small file of many huge
frames would fill the memory; and it forgets the canvas. So the file is cut after its first
frame, the frame moved to the corner, decoded alone and laid in its place:

    header, palette │ extensions │ first frame │ the rest   ─▶   … │ first frame │ ;
"""

from collections.abc import Callable

import tensorflow as tf

from tlkeras.export.graph.headers import within_cap

_EXTENSION, _FRAME, _CONTROL = 0x21, 0x2C, 0xF9
_HEADER_BYTES = 13


def decode_gif(data: tf.Tensor) -> tf.Tensor:
    """The first frame of one encoded GIF, string () → RGB uint8 (h, w, 3).

    Transparent pixels are black. What the frame leaves free of the canvas has the colour of
    palette row 0, or is black where there is a transparent colour. Fails where the file ends
    within the first frame.
    """
    raw = tf.io.decode_raw(data, tf.uint8)
    start, is_transparent = _skip_extensions(raw, _HEADER_BYTES + _palette_bytes(raw[10]))
    with tf.control_dependencies([tf.debugging.Assert(tf.equal(raw[start], _FRAME), [start])]):
        left, top, width, height = _two_byte_numbers(raw[start + 1 : start + 9], 4)
    own_palette = _palette_bytes(raw[start + 9])
    end = _past_blocks(raw, start + 11 + own_palette)
    screen_width, screen_height = _two_byte_numbers(raw[6:10], 2)
    bottom = tf.maximum(screen_height - top - height, 0)
    right = tf.maximum(screen_width - left - width, 0)

    pieces = [
        tf.strings.substr(data, 0, start + 1),
        b"\0" * 4,  # left and top
        tf.strings.substr(data, start + 5, end - start - 5),
    ]
    with tf.control_dependencies([within_cap(top + height + bottom, left + width + right)]):
        pixels = tf.io.decode_gif(tf.strings.join([*pieces, b";"]))[0]
    palette = tf.where(own_palette > 0, start + 10, _HEADER_BYTES)
    free = tf.where(is_transparent, tf.zeros((3,), tf.uint8), raw[palette : palette + 3])
    margins = [[top, bottom], [left, right], [0, 0]]
    painted = tf.pad(tf.ones_like(pixels, tf.bool), margins)
    return tf.where(painted, tf.pad(pixels, margins), free)


def _skip_extensions(raw: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Where the first frame begins, and whether one of its colours is transparent."""

    def step(at: tf.Tensor, found: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        found |= tf.equal(raw[at + 1], _CONTROL) & tf.equal(raw[at + 3] % 2, 1)
        return _past_blocks(raw, at + 2), found

    state = _repeat(
        lambda at, found: tf.equal(raw[at], _EXTENSION), step, (start, tf.constant(False))
    )
    return state[0], state[1]


def _past_blocks(raw: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """The position after a run of sub-blocks, each its length and its bytes, closed by a 0."""
    (at,) = _repeat(
        lambda at: raw[at] > 0, lambda at: (at + 1 + tf.cast(raw[at], tf.int32),), (start,)
    )
    return at + 1


def _palette_bytes(flags: tf.Tensor) -> tf.Tensor:
    rows = 2 ** (tf.cast(flags % 8, tf.int32) + 1)
    return tf.where(flags >= 128, 3 * rows, 0)


def _two_byte_numbers(field: tf.Tensor, count: int) -> list[tf.Tensor]:
    pairs = tf.cast(tf.reshape(field, (count, 2)), tf.int32)
    numbers: list[tf.Tensor] = tf.unstack(pairs[:, 0] + 256 * pairs[:, 1])
    return numbers


def _repeat(
    going: Callable[..., tf.Tensor],
    step: Callable[..., tuple[tf.Tensor, ...]],
    state: tuple[tf.Tensor, ...],
) -> tuple[tf.Tensor, ...]:
    result: tuple[tf.Tensor, ...] = tf.while_loop(going, step, state, parallel_iterations=1)
    return result
