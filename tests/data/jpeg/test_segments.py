"""Files whose segments mislead Pillow: told apart here as libjpeg does."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from tlkeras.data.decode import decode
from tlkeras.data.jpeg.segments import lacks_scans
from tlkeras.errors import DecodeError


def scans(data: bytes) -> list[int]:
    """Where each scan begins, and where the file ends."""
    return [found.start() for found in re.finditer(rb"\xff[\xda\xd9]", data)]


@pytest.fixture
def progressive(draw, encode) -> bytes:
    return encode(draw(0, 60, 90), "JPEG", progressive=True)


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_whole_picture_lacks_nothing(subsampling, mode, draw, encode):
    picture = Image.fromarray(decode(draw(0, 60, 90))).convert(mode)
    data = encode(picture, "JPEG", progressive=True, subsampling=subsampling)
    assert not lacks_scans(data)
    assert decode(data).shape == (60, 90, 3)


def test_baseline_picture_is_not_asked(draw, encode):
    assert not lacks_scans(encode(draw(0, 60, 90), "JPEG"))


@pytest.mark.parametrize("kept", [1, 4, 8])
def test_picture_that_ends_after_some_scans_is_refused(progressive, kept):
    places = scans(progressive)
    assert len(places) == 11
    cut = progressive[: places[kept]] + b"\xff\xd9"
    Image.open(io.BytesIO(cut)).load()  # Pillow shows what is there
    with pytest.raises(DecodeError, match="scans of the progressive JPEG are missing"):
        decode(cut)


def test_spoilt_bytes_never_make_it_raise(progressive):
    rng = np.random.default_rng(1)
    for _ in range(500):
        spoilt = bytearray(progressive[: int(rng.integers(4, len(progressive)))])
        for _ in range(int(rng.integers(9))):
            spoilt[int(rng.integers(len(spoilt)))] = int(rng.integers(256))
        lacks_scans(bytes(spoilt))


def test_short_adobe_segment_inverts_nothing(draw, encode):  # D8
    data = encode(Image.fromarray(decode(draw(0, 40, 56))).convert("CMYK"), "JPEG")
    at = data.index(b"Adobe")
    assert data[at - 2 : at] == b"\0\x0e"
    short = data[: at - 2] + b"\0\x0a" + data[at : at + 8] + data[at + 12 :]
    inverted = data.replace(b"Adobe", b"Xdobe")  # a file of somebody else's
    np.testing.assert_array_equal(decode(short), decode(inverted))
    assert np.abs(decode(short).astype(int) - decode(data)).mean() > 20
