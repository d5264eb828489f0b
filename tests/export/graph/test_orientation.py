import io
import struct
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageOps

from tlkeras.data.decode import decode as decode_for_training


def exif(orientation: int, order: str = "II", entries_before: int = 1) -> bytes:
    """An EXIF block by hand, so that both byte orders and odd values can be made."""
    sign = "<" if order == "II" else ">"
    entries = [struct.pack(sign + "HHII", 0x0100 + i, 4, 1, 67) for i in range(entries_before)]
    entries.append(struct.pack(sign + "HHIHH", 0x0112, 3, 1, orientation, 0))
    head = order.encode() + struct.pack(sign + "HI", 42, 8) + struct.pack(sign + "H", len(entries))
    return b"Exif\0\0" + head + b"".join(entries) + bytes(4)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("order", ["II", "MM"])
@pytest.mark.parametrize("orientation", range(10))
def test_picture_is_turned_as_pillow_turns_it(
    orientation: int,
    order: str,
    kind: str,
    scene: Image.Image,
    encode: Callable[..., bytes],
    in_graph: Callable,
) -> None:
    data = encode(scene, kind, exif=exif(orientation, order))
    given = in_graph(data)
    np.testing.assert_array_equal(given, decode_for_training(data))
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(given, np.asarray(upright))
    assert given.shape[0] == (67 if 5 <= orientation <= 8 else 41)


def test_orientation_is_found_behind_a_large_colour_profile(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    profile = np.random.default_rng(0).bytes(150_000)
    plain = encode(scene, "JPEG", exif=exif(6))
    data = encode(scene, "JPEG", exif=exif(6), icc_profile=profile)
    assert len(data) > len(plain) + 150_000
    segment = struct.pack(">BBH", 0xFF, 0xED, 60_002) + profile[:60_000]
    data = data[:2] + segment * 3 + data[2:]
    np.testing.assert_array_equal(in_graph(data), in_graph(plain))


def test_bytes_that_look_like_exif_outside_its_segment_turn_nothing(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    plain = encode(scene, "JPEG")
    decoys = [
        encode(scene, "JPEG", comment=exif(6)),
        plain + b"\xff\xe1" + struct.pack(">H", 50) + exif(6),
    ]
    for data in decoys:
        np.testing.assert_array_equal(in_graph(data), in_graph(plain))


def test_exif_of_the_thumbnail_is_not_taken(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    # Tag 0x0112 stands in a second directory only, where the thumbnail's orientation goes.
    first = struct.pack("<HHHIII", 1, 0x0100, 4, 1, 67, 26)
    second = struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, 6, 0, 0)
    block = b"Exif\0\0" + b"II*\0" + struct.pack("<I", 8) + first + second
    assert in_graph(encode(scene, "JPEG", exif=block)).shape == (41, 67, 3)


@pytest.mark.parametrize("cut", range(6, 40))
def test_broken_exif_leaves_the_picture_as_it_lies(
    cut: int, scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = encode(scene, "JPEG", exif=exif(6)[:cut])
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


@pytest.mark.parametrize("start", [0, 2, 7, 2**16, 2**31, 2**32 - 1])
def test_directory_at_a_wild_offset_is_survived(
    start: int, scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    block = exif(6)
    block = block[:10] + struct.pack("<I", start) + block[14:]
    data = encode(scene, "JPEG", exif=block)
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


def test_fill_bytes_before_a_marker_are_passed_over(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = encode(scene, "JPEG", exif=exif(8))
    at = data.index(b"\xff\xe1")
    np.testing.assert_array_equal(in_graph(data[:at] + b"\xff\xff\xff" + data[at:]), in_graph(data))


def test_junk_before_the_segment_is_passed_over(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    whole = encode(scene, "JPEG", exif=exif(6))
    at = whole.index(b"\xff\xe1")
    for junk in (b"\xff\0\x10JFIF", b"\xff\xd3\xe1", bytes(700), b"\xff\xd0\xff\xff\0"):
        data = whole[:at] + junk + whole[at:]
        assert decode_for_training(data).shape == (67, 41, 3)
        np.testing.assert_array_equal(in_graph(data), in_graph(whole))


def test_first_of_two_exif_segments_counts(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    whole = encode(scene, "JPEG", exif=exif(3))
    at = whole.index(b"\xff\xe1")
    for first, shape in ((exif(6), (67, 41, 3)), (exif(6)[:18], (41, 67, 3))):
        segment = struct.pack(">BBH", 0xFF, 0xE1, 2 + len(first)) + first
        data = whole[:at] + segment + whole[at:]
        assert in_graph(data).shape == shape
        np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


def test_last_of_two_exif_chunks_counts(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    whole, other = (encode(scene, "PNG", exif=exif(number)) for number in (6, 3))
    start, stop = (other.index(name) - 4 for name in (b"eXIf", b"IDAT"))
    data = whole[: whole.index(b"IDAT") - 4] + other[start:stop] + whole[whole.index(b"IDAT") - 4 :]
    np.testing.assert_array_equal(in_graph(data), in_graph(other))
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))
