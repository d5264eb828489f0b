"""For any spoilt JPEG header: Pillow, the reader and the served graph follow it alike."""

import io
import struct
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tlkeras.data.decode import _exif, _open, _orientation, decode_source
from tlkeras.data.jpeg.segments import UNKNOWN, WITH_LENGTH
from tlkeras.errors import DecodeError


@pytest.fixture(scope="module")
def graph_orientation() -> Callable[[bytes], int]:
    import tensorflow as tf

    from tlkeras.export.graph.orientation import jpeg_orientation

    signature = [tf.TensorSpec((), tf.string)]
    traced = tf.function(jpeg_orientation, input_signature=signature, autograph=False)
    return lambda data: int(traced(tf.constant(data)))


def exif(orientation: int, order: str = ">") -> bytes:
    head = struct.pack(order + "2sHI", b"II" if order == "<" else b"MM", 42, 8)
    return b"Exif\0\0" + head + struct.pack(order + "HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def segment(marker: int, body: bytes, off_by: int = 0) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, max(0, len(body) + 2 + off_by)) + body


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (3, 2), "red").save(out, "JPEG")
    return out.getvalue()


WHOLE = picture()
ALONE = bytes({*range(1, 255)} - {*UNKNOWN} - {*WITH_LENGTH})
PLAIN = [marker for marker in WITH_LENGTH if marker >= 0xDC and marker != 0xDE]
OFF_BY = st.sampled_from([0, 0, 0, 0, -2, -9, -99, 1, 4, 30])
EXIFS = st.builds(exif, st.integers(1, 8), st.sampled_from("<>"))
PIECES = st.one_of(
    st.integers(1, 5).map(lambda number: b"\xff" * number),  # fill
    st.just(b"\xff\0"),
    st.sampled_from(ALONE).map(lambda marker: bytes((0xFF, marker))),
    st.sampled_from(UNKNOWN).map(lambda marker: bytes((0xFF, marker))),
    st.binary(max_size=20),  # junk
    st.integers(230, 530).map(bytes),
    st.builds(segment, st.sampled_from(PLAIN), st.binary(max_size=30), OFF_BY),
    st.builds(segment, st.just(0xE1), EXIFS, OFF_BY),
    st.builds(segment, st.just(0xE1), EXIFS, OFF_BY),
)
CHANGES = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 255)), max_size=2)


def spoilt(pieces: list[bytes], changes: list[tuple[int, int]]) -> bytes:
    content = bytearray(b"".join(pieces) + WHOLE[2:])
    for place, value in changes:
        content[place] = value
    return b"\xff\xd8\xff" + content


@pytest.mark.slow  # loads TensorFlow
@given(st.lists(PIECES, max_size=6), CHANGES)
@example([b"\0\x10JFIF", segment(0xE1, exif(6))], [])  # the first marker's byte became a fill
@example([b"\xe1\0\4\1\2", segment(0xE1, exif(3)), segment(0xE1, exif(5))], [])
@example([bytes(246), segment(0xE1, exif(8))], [])
@example([bytes(247), segment(0xE1, exif(8))], [])
@example([segment(0xE1, exif(7), -99)], [])
def test_orientation_is_the_same_to_all(graph_orientation, pieces, changes) -> None:
    data = spoilt(pieces, changes)
    try:
        header = _open(data)  # by Pillow
    except (SyntaxError, OSError):  # given up; the served decoder may be more patient
        return
    orientation = _orientation(_exif(header)) if header else 1
    assert graph_orientation(data) == orientation
    with suppress(DecodeError):
        assert decode_source(data).orientation == orientation
