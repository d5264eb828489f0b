import io

import numpy as np
from PIL import Image

from tlkeras.data.shown.thumbnail import thumbnail


def size_of(content: bytes | None) -> tuple[int, int]:
    assert content is not None
    return Image.open(io.BytesIO(content)).size


def test_the_longer_side_is_as_asked(draw):
    assert size_of(thumbnail(draw(0, 100, 300), 60)) == (60, 20)


def test_small_pictures_keep_their_size():
    assert size_of(thumbnail(np.zeros((8, 6), np.uint8), 60)) == (6, 8)


def test_a_line_of_pixels_stays_a_picture():
    assert size_of(thumbnail(np.zeros((3, 20_000, 3), np.uint8), 60)) == (60, 1)


def test_a_large_jpeg_looks_as_it_does(draw, encode):
    scene = draw(3, 900, 1300)
    small = np.asarray(Image.open(io.BytesIO(thumbnail(encode(scene, "JPEG", quality=95), 60))))
    wanted = np.asarray(Image.fromarray(scene).resize(small.shape[1::-1], Image.Resampling.BOX))
    assert np.abs(small.astype(int) - wanted).mean() < 3


def test_what_cannot_be_read_has_none(tmp_path):
    assert thumbnail(tmp_path / "gone.jpg", 60) is None
    assert thumbnail(b"\xff\xd8\xff", 60) is None
