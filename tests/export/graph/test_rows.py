import numpy as np
import pytest
import tensorflow as tf

from tlkeras.export.graph.rows import CHUNK, answer_rows
from tlkeras.export.samples import sample_pictures

PICTURES = sample_pictures(20)


@pytest.fixture(scope="module")
def means():
    """Encoded pictures → mean of each channel; notes how many rows the network was given."""
    seen: list[int] = []

    def network(pixels: tf.Tensor) -> tf.Tensor:
        tf.py_function(lambda rows: seen.append(int(rows)), [tf.shape(pixels)[0]], [])
        return tf.reduce_mean(pixels, axis=(1, 2))

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)], autograph=False)
    def run(image_bytes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        return answer_rows(image_bytes, 20, network, width=3)

    def answer(rows: list[bytes]) -> tuple[np.ndarray, np.ndarray, list[int]]:
        seen.clear()
        values, ok = run(tf.constant(rows, tf.string))
        return values.numpy(), ok.numpy(), list(seen)

    return answer


def test_rows_keep_their_order(means) -> None:
    values, ok, _ = means(PICTURES)
    backwards, _, _ = means(PICTURES[::-1])
    assert ok.all()
    assert len(np.unique(values.round(2), axis=0)) == len(PICTURES)
    np.testing.assert_array_equal(values, backwards[::-1])


def test_broken_rows_mark_only_themselves(means) -> None:
    whole, _, _ = means(PICTURES[:3])
    rows = [b"", PICTURES[0], b"junk", PICTURES[1], PICTURES[2], PICTURES[0][:200]]
    values, ok, seen = means(rows)
    assert ok.tolist() == [False, True, False, True, True, False]
    np.testing.assert_array_equal(values[ok], whole)
    assert not values[~ok].any()
    assert seen == [3]


def test_no_row_is_answered_by_no_row(means) -> None:
    values, ok, seen = means([])
    assert values.shape == (0, 3)
    assert ok.shape == (0,)
    assert seen == []


def test_batch_of_broken_rows_never_reaches_the_network(means) -> None:
    values, ok, seen = means([b"x", b"", b"\xff\xd8\xff"])
    assert values.shape == (3, 3)
    assert not ok.any()
    assert not values.any()
    assert seen == []


def test_single_row_costs_a_single_row(means) -> None:
    _, _, seen = means(PICTURES[:1])
    assert seen == [1]


def test_long_batch_goes_through_in_chunks(means) -> None:
    rows = [PICTURES[i % 5] for i in range(2 * CHUNK + 7)]
    rows[CHUNK + 1] = b"broken"
    values, ok, seen = means(rows)
    single, _, _ = means(PICTURES)
    expected = np.stack([single[i % 5] for i in range(len(rows))])
    expected[CHUNK + 1] = 0
    np.testing.assert_allclose(values, expected, rtol=1e-6)
    assert np.flatnonzero(~ok).tolist() == [CHUNK + 1]
    assert seen == [CHUNK, CHUNK - 1, 7]
