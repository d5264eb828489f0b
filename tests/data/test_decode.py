import io
import os
import struct
import warnings
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps, features

from tlkeras.data.decode import MAX_PIXELS, decode
from tlkeras.errors import DecodeError


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "AVIF", "JPEG"])
def test_every_format_is_read(kind, draw, encode):  # D1
    if kind in ("WEBP", "AVIF") and not features.check(kind.lower()):
        pytest.skip(f"this Pillow has no {kind}")
    pixels = decode(encode(draw(), kind))
    assert pixels.shape == (41, 67, 3)
    assert pixels.dtype == np.uint8
    assert np.abs(pixels.astype(int) - draw()).mean() < 25


def test_format_is_told_by_content_not_by_name(tmp_path, draw, encode):
    path = tmp_path / "really_webp.jpg"
    path.write_bytes(encode(draw(), "WEBP", lossless=True))
    np.testing.assert_array_equal(decode(path), draw())


def test_str_path_and_bytes_give_the_same(tmp_path, draw, encode):
    path = tmp_path / "a.png"
    path.write_bytes(encode(draw(), "PNG"))
    np.testing.assert_array_equal(decode(str(path)), decode(path))
    np.testing.assert_array_equal(decode(path.read_bytes()), decode(path))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_exif_orientation_turns_the_picture(kind, draw, encode, portrait_exif):  # D3
    if kind in ("WEBP", "AVIF") and not features.check(kind.lower()):
        pytest.skip(f"this Pillow has no {kind}")
    exif = portrait_exif
    if kind == "TIFF":
        exif = Image.Exif()
        exif[0x0112] = 6
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95}, "AVIF": {"quality": 95}}
    turned = decode(encode(draw(), kind, exif=exif, **options.get(kind, {})))
    assert turned.shape == (67, 41, 3)
    assert np.abs(turned.astype(int) - np.rot90(draw(), -1)).mean() < 8


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_all_eight_orientations_are_those_of_pillow(orientation, order, draw, encode):  # D3
    mark = b"II" if order == "<" else b"MM"
    tag = struct.pack(order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0" + mark + struct.pack(order + "HIH", 42, 8, 1) + tag + bytes(4)
    data = encode(draw(), "PNG", exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_array_equal(decode(data), np.asarray(upright))


@pytest.mark.parametrize(
    "exif",
    [
        b"Exif\0\0MM\0*\0\0\xff\xff",
        b"Exif\0\0II*\0\x08\0\0\0\xff\xff",
        b"Exif\0\0nothing at all",
        b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_broken_exif_is_upright_and_quiet(exif, kind, draw, encode):
    assert decode(encode(draw(), kind, exif=exif)).shape == (41, 67, 3)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA", "RGBA"])
def test_every_png_mode_becomes_rgb(mode, draw, encode):  # D8, P5
    picture = Image.fromarray(draw()).convert(mode)
    pixels = decode(encode(picture, "PNG"))
    np.testing.assert_array_equal(pixels, np.asarray(picture.convert("RGBA"))[..., :3])


def test_16_bit_grey_keeps_its_high_byte(encode):  # D8
    deep = np.random.default_rng(0).integers(0, 65536, (31, 17), dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        pixels = decode(encode(Image.fromarray(deep), kind))
        np.testing.assert_array_equal(pixels, np.repeat((deep >> 8)[..., None], 3, axis=2))


def test_palette_with_transparency_drops_it_quietly(draw, encode):  # D8
    palette = Image.fromarray(draw()).quantize(40)
    data = encode(palette, "PNG", transparency=bytes(range(40)))
    np.testing.assert_array_equal(decode(data), np.asarray(palette.convert("RGB")))


def test_cmyk_tiff_becomes_rgb(encode):  # D8
    ink = np.zeros((13, 21, 4), np.uint8)
    ink[:, :7, 0] = 255
    pixels = decode(encode(Image.fromarray(ink, "CMYK"), "TIFF"))
    assert pixels[0, 0].tolist() == [0, 255, 255]
    assert pixels[0, 20].tolist() == [255, 255, 255]


def test_animated_picture_gives_its_first_frame(draw, encode):  # D8
    frames = [Image.fromarray(draw(seed)).quantize(64) for seed in (0, 1, 2)]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    np.testing.assert_array_equal(decode(data), np.asarray(frames[0].convert("RGB")))


def test_32_bit_float_tiff_is_refused_with_advice(encode):
    data = encode(Image.fromarray(np.ones((5, 7), np.float32)), "TIFF")
    with pytest.raises(DecodeError, match="save it with 8 or 16 bits"):
        decode(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.15, 0.5, 0.9])
def test_truncated_picture_is_refused_by_name(kind, share, tmp_path, draw, encode):  # D2
    whole = encode(draw(0, 240, 320), kind)
    path = tmp_path / f"cut.{kind.lower()}"
    path.write_bytes(whole[: int(len(whole) * share)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # Pillow may remark on a cut TIFF
        with pytest.raises(DecodeError) as caught:
            decode(path)
    assert caught.value.name == str(path)


def test_jpeg_without_its_end_is_refused(draw, encode):  # D2
    with pytest.raises(DecodeError, match="truncated"):
        decode(encode(draw(0, 240, 320), "JPEG")[:-2])


def test_png_with_wrong_checksum_is_refused(draw, encode):
    data = bytearray(encode(draw(), "PNG"))
    data[data.index(b"IDAT") + 20] ^= 0xFF
    with pytest.raises(DecodeError):
        decode(bytes(data))


def test_empty_file_says_so(tmp_path):  # D2
    path = tmp_path / "none.jpg"
    path.touch()
    with pytest.raises(DecodeError, match="empty"):
        decode(path)


def test_web_page_named_jpg_says_so(tmp_path):
    path = tmp_path / "saved.jpg"
    path.write_text("<!DOCTYPE html><html>Not found</html>")
    with pytest.raises(DecodeError, match="HTML"):
        decode(path)


def test_missing_file_says_so(tmp_path):
    with pytest.raises(DecodeError, match="no such file"):
        decode(tmp_path / "gone.jpg")


def test_folder_is_refused(tmp_path):
    with pytest.raises(DecodeError, match="a folder"):
        decode(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.timeout(20)
def test_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(DecodeError, match="pipe"):
        decode(tmp_path / "x.jpg")


def _png_header(width: int, height: int) -> bytes:
    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rest = chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + rest


@pytest.mark.parametrize("side", [9_460, 12_000, 30_000])
def test_bomb_is_refused_by_its_header_without_a_warning(side):  # D9
    assert side**2 > MAX_PIXELS
    with pytest.raises(DecodeError, match="more than the limit"):
        decode(_png_header(side, side))


@pytest.mark.parametrize(("height", "width"), [(1, 65_536), (1_000_000, 40)])
def test_long_side_is_refused_by_the_header(height, width):  # D9
    with pytest.raises(DecodeError, match="65,535 in one direction"):
        decode(_png_header(width, height))
    with pytest.raises(DecodeError, match="65,535 in one direction"):
        decode(np.broadcast_to(np.uint8(7), (height, width, 3)))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (3, 20_000), (20_000, 3), (1, 65_535)])
def test_odd_sizes_are_read(height, width, encode):  # D9
    picture = np.full((height, width, 3), 77, np.uint8)
    np.testing.assert_array_equal(decode(encode(picture, "PNG")), picture)


def test_non_utf8_name_is_read(tmp_path, draw, encode):  # D8
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        with open(path, "wb") as file:
            file.write(encode(draw(), "PNG"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    np.testing.assert_array_equal(decode(os.fsdecode(path)), draw())


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 3), (4, 6, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
def test_arrays_become_rgb(shape, dtype):  # P5
    array = np.random.default_rng(0).integers(2, 256, shape).astype(dtype)
    pixels = decode(array)
    assert pixels.shape == (4, 6, 3)
    assert pixels.dtype == np.uint8
    expected = array.reshape(4, 6, -1)[..., :3]
    np.testing.assert_array_equal(pixels, np.broadcast_to(expected, (4, 6, 3)))


@pytest.mark.parametrize("shape", [(4, 6, 2), (4, 6, 5), (4,), (1, 4, 6, 3)])
def test_wrong_channels_name_the_shape(shape):  # P5
    with pytest.raises(DecodeError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        decode(np.zeros(shape, np.uint8))


@pytest.mark.parametrize(
    ("array", "advice"),
    [
        (np.full((4, 6), 0.5), "multiply by 255"),
        (np.full((4, 6), 300.0), "rescale"),
        (np.full((4, 6), -1.0), "rescale"),
        (np.full((4, 6), np.nan), "NaN"),
        (np.full((4, 6), 16, np.int64), "astype"),
        (np.zeros((0, 6), np.uint8), "no pixels"),
    ],
)
def test_arrays_of_unclear_range_are_refused_with_advice(array, advice):
    with pytest.raises(DecodeError, match=advice):
        decode(array)
