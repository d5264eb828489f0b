import struct
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tlkeras.data.decode import decode as decode_for_training


def palette_bmp(picture: Image.Image, bits: int) -> bytes:
    """A bottom-up palette BMP of 1, 4 or 8 bits a pixel, which Pillow does not write itself."""
    indexed = picture.quantize(2**bits)
    rows, (width, height) = np.asarray(indexed), indexed.size
    colours = np.zeros((2**bits, 4), np.uint8)
    found = np.array(indexed.getpalette(), np.uint8).reshape(-1, 3)[: 2**bits]
    colours[: len(found), :3] = found[:, ::-1]
    stride = (width * bits + 31) // 32 * 4
    padded = np.pad(rows[::-1], ((0, 0), (0, stride * 8 // bits - width)))
    split = padded.reshape(height, stride, 8 // bits).astype(int)
    packed = (split << np.arange(8 - bits, -1, -bits)).sum(axis=2).astype(np.uint8).tobytes()
    offset = 54 + colours.nbytes
    head = b"BM" + struct.pack("<IHHI", offset + len(packed), 0, 0, offset)
    info = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 0, len(packed), 0, 0, 0, 0)
    return head + info + colours.tobytes() + packed


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_palette_is_looked_up(bits: int, scene: Image.Image, in_graph: Callable) -> None:
    data = palette_bmp(scene, bits)
    given = in_graph(data)
    assert len(np.unique(given.reshape(-1, 3), axis=0)) > 2 ** (bits - 1)
    np.testing.assert_array_equal(given, decode_for_training(data))


@pytest.mark.parametrize("bits", [8, 24])
def test_negative_height_runs_from_the_top(
    bits: int, scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = palette_bmp(scene, 8) if bits == 8 else encode(scene, "BMP")
    turned = data[:22] + struct.pack("<i", -41) + data[26:]
    np.testing.assert_array_equal(in_graph(turned), in_graph(data)[::-1])


def test_run_length_bmp_is_an_error(scene: Image.Image, in_graph: Callable) -> None:
    data = palette_bmp(scene, 8)
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(data[:30] + struct.pack("<I", 1) + data[34:])


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_bytes_behind_the_pixels_are_passed_over(
    mode: str, scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = encode(scene.convert(mode), "BMP")
    np.testing.assert_array_equal(in_graph(data + b"signature"), decode_for_training(data))


@pytest.mark.parametrize("bits", [1, 4, 8])
@pytest.mark.parametrize("told", [0, 54])
def test_pixels_are_behind_the_palette_where_their_place_is_not_told(
    bits: int, told: int, scene: Image.Image, in_graph: Callable
) -> None:
    data = palette_bmp(scene, bits)
    data = data[:10] + struct.pack("<I", told) + data[14:]
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


def test_pixels_within_the_header_are_an_error(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = encode(scene, "BMP")
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(data[:10] + struct.pack("<I", 0) + data[14:])


def test_one_black_colour_of_a_palette_of_two_leaves_the_other_white(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = encode(scene.convert("1"), "BMP")
    data = data[:46] + struct.pack("<I", 1) + data[50:]
    given = in_graph(data)
    assert sorted(np.unique(given)) == [0, 255]
    np.testing.assert_array_equal(given, decode_for_training(data))
