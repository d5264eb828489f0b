"""A batch of encoded pictures through a network, where a broken picture marks only its own row.

    strings (n,) ─ 32 at a time ─▶ decode, drop what fails ─▶ network ─▶ scatter back to (n, k)

The memory is bounded by 32 pictures however long the batch is, and no row that failed to
decode costs a pass through the network.
"""

from collections.abc import Callable

import tensorflow as tf

from tlkeras.export.graph.decode import decode_and_resize

CHUNK = 32
"""Pictures that are held decoded, and go through the network, at a time."""


def answer_rows(
    image_bytes: tf.Tensor, size_px: int, network: Callable[[tf.Tensor], tf.Tensor], width: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Encoded pictures (n,) → the network's (n, width) float32, and bool (n,) decodable or not.

    `network` takes float32 (m, size_px, size_px, 3), m >= 1, and gives (m, width). A row that
    cannot be decoded is all 0; n = 0 gives empty answers.

    Example::

        values, ok = answer_rows(tf.constant([jpeg, b"broken"]), 224, network, width=5)
    """
    total = tf.size(image_bytes)

    def step(start: tf.Tensor, values: tf.Tensor, ok: tf.Tensor) -> tuple[tf.Tensor, ...]:
        index, pixels = decode_rows(image_bytes[start : start + CHUNK], size_px)
        answers = nonempty(network, pixels, width)
        rows = (tf.cast(index, tf.int32) + start)[:, tf.newaxis]
        values = tf.tensor_scatter_nd_update(values, rows, answers)
        return start + CHUNK, values, tf.tensor_scatter_nd_update(ok, rows, index >= 0)

    _, values, ok = tf.while_loop(
        lambda start, values, ok: start < total,
        step,
        (tf.constant(0), tf.zeros((total, width)), tf.zeros((total,), tf.bool)),
        shape_invariants=(
            tf.TensorShape(()),
            tf.TensorShape((None, width)),
            tf.TensorShape((None,)),
        ),
        parallel_iterations=1,
    )
    return values, ok


def decode_rows(image_bytes: tf.Tensor, size_px: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Encoded pictures (n,) → index (m,) int64 of those that decode, in order, and their pixels.

    Pixels are float32 (m, size_px, size_px, 3); the pictures are decoded in parallel.
    """
    # A guard row that always decodes: a batch of nothing cannot be taken out of a dataset.
    guard = tf.data.Dataset.from_tensors(
        (tf.constant(-1, tf.int64), tf.zeros((size_px, size_px, 3)))
    )
    rows = (
        tf.data.Dataset.from_tensor_slices(image_bytes)
        .enumerate()
        .map(
            lambda index, data: (index, decode_and_resize(data, size_px)),
            num_parallel_calls=tf.data.AUTOTUNE,
        )
        .ignore_errors(log_warning=False)
        .concatenate(guard)
        .batch(tf.size(image_bytes, out_type=tf.int64) + 1)
    )
    index, pixels = rows.get_single_element()
    return index[:-1], pixels[:-1]


def nonempty(network: Callable[[tf.Tensor], tf.Tensor], pixels: tf.Tensor, width: int) -> tf.Tensor:
    """The network's (n, width) float32, or (0, width) for no pictures, which nets reject."""
    answers = tf.cond(
        tf.shape(pixels)[0] > 0,
        lambda: tf.cast(network(pixels), tf.float32),
        lambda: tf.zeros((0, width)),
    )
    return tf.ensure_shape(answers, (None, width))
