import struct
from collections.abc import Callable

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tlkeras.data.decode import decode as decode_for_training

FRAME = struct.pack("<HHHH", 0, 0, 67, 41)


@pytest.mark.parametrize("options", [{}, {"transparency": 7}])
@pytest.mark.parametrize(("screen", "place"), [((100, 80), (9, 21)), ((67, 41), (9, 21))])
def test_frame_is_laid_in_its_place_on_the_canvas(
    screen: tuple[int, int],
    place: tuple[int, int],
    options: dict,
    scene: Image.Image,
    encode: Callable[..., bytes],
    in_graph: Callable,
) -> None:
    data = encode(scene.quantize(60), "GIF", **options)
    data = data[:6] + struct.pack("<HH", *screen) + data[10:]
    data = data.replace(b"," + FRAME, b"," + struct.pack("<HHHH", *place, 67, 41))
    given = in_graph(data)
    assert given.shape[:2] == (max(screen[1], 62), max(screen[0], 76))
    np.testing.assert_array_equal(given, decode_for_training(data))


def test_only_the_first_frame_is_decoded(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    still = encode(scene.quantize(60), "GIF")
    others = [scene.rotate(degrees).quantize(60) for degrees in (90, 180)]
    moving = encode(scene.quantize(60), "GIF", save_all=True, append_images=others)
    assert len(moving) > 2 * len(still)
    np.testing.assert_array_equal(in_graph(moving), in_graph(still))


def test_what_follows_the_first_frame_is_never_looked_at(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    still = encode(scene.quantize(60), "GIF")
    assert still[-1:] == b";"
    huge = b"," + struct.pack("<HHHHBB", 0, 0, 65535, 65535, 0, 8) + b"\xff" * 99
    np.testing.assert_array_equal(in_graph(still[:-1] + huge), in_graph(still))


def test_gif_without_a_frame_is_an_error(in_graph: Callable) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(b"GIF89a" + struct.pack("<HHBBB", 5, 3, 0, 0, 0) + b";")
