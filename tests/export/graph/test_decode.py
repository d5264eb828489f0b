"""The graph's pixels against Pillow's, through the decoder that training uses."""

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tlkeras.data.decode import MAX_PIXELS
from tlkeras.data.decode import decode as decode_for_training
from tlkeras.export.graph.decode import decode_and_resize


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_zeros(width: int, height: int) -> bytes:
    """A valid one-bit PNG of any size, without its pixels ever being held."""
    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes((width + 7) // 8 + 1)) for _ in range(height))
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", rows + packer.flush()), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def rgb_png_of_16_bits(pixels: np.ndarray) -> bytes:
    height, width, _ = pixels.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*part) for part in parts)


def with_alpha(picture: Image.Image) -> Image.Image:
    picture = picture.copy()
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return picture


def cmyk(_: Image.Image) -> Image.Image:
    inks = np.random.default_rng(1).integers(0, 256, (6, 9, 4), dtype=np.uint8)
    inks = inks.repeat(8, axis=0).repeat(8, axis=1)
    return Image.frombytes("CMYK", (72, 48), inks.tobytes())


VARIANTS = {
    "jpeg 4:4:4": ("JPEG", None, {"quality": 90, "subsampling": 0}),
    "jpeg 4:2:2": ("JPEG", None, {"quality": 30, "subsampling": 1}),
    "jpeg 4:2:0": ("JPEG", None, {"quality": 75, "subsampling": 2}),
    "jpeg progressive": ("JPEG", None, {"progressive": True}),
    "jpeg grey": ("JPEG", lambda scene: scene.convert("L"), {}),
    "jpeg cmyk": ("JPEG", cmyk, {}),
    "png": ("PNG", None, {}),
    "png grey": ("PNG", lambda scene: scene.convert("L"), {}),
    "png one bit": ("PNG", lambda scene: scene.convert("1"), {}),
    "png palette": ("PNG", lambda scene: scene.quantize(50), {}),
    "png palette, transparent": ("PNG", lambda scene: scene.quantize(50), {"transparency": 3}),
    "png alpha": ("PNG", with_alpha, {}),
    "png grey alpha": ("PNG", lambda scene: with_alpha(scene.convert("L")), {}),
    "bmp": ("BMP", None, {}),
    "bmp alpha": ("BMP", with_alpha, {}),
    "gif": ("GIF", lambda scene: scene.quantize(60), {}),
    "gif transparent": ("GIF", lambda scene: scene.quantize(60), {"transparency": 7}),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_graph_decodes_to_the_pixels_of_training(
    name: str, scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    kind, change, options = VARIANTS[name]
    data = encode(change(scene) if change else scene, kind, **options)
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


def test_cmyk_jpeg_without_adobe_marker_decodes_alike(
    scene: Image.Image, encode: Callable[..., bytes], in_graph: Callable
) -> None:
    data = encode(cmyk(scene), "JPEG").replace(b"Adobe", b"Xdobe")
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


def test_sixteen_bit_png_keeps_the_high_byte(scene: Image.Image, in_graph: Callable) -> None:
    high = np.asarray(scene).astype(np.uint16)
    low = np.random.default_rng(2).integers(0, 256, high.shape, dtype=np.uint16)
    np.testing.assert_array_equal(in_graph(rgb_png_of_16_bits(high * 256 + low)), high)


def test_sixteen_bit_grey_png_decodes_alike(encode: Callable, in_graph: Callable) -> None:
    y, x = np.mgrid[0:41, 0:67]
    data = encode(Image.fromarray((y * 1500 + x * 37).astype(np.uint16)), "PNG")
    np.testing.assert_array_equal(in_graph(data), decode_for_training(data))


def test_real_photographs_decode_alike(shared_data: Path, in_graph: Callable) -> None:
    files = sorted((shared_data / "datasets" / "imagenet_sample_100").glob("*.JPEG"))[::5]
    files += sorted((shared_data / "datasets" / "cats_dogs").glob("*/*.jpg"))[::40]
    assert len(files) > 30
    for file in files:
        data = file.read_bytes()
        np.testing.assert_array_equal(in_graph(data), decode_for_training(data), str(file))


def test_resize_is_the_one_of_training_and_does_not_round(
    scene: Image.Image, encode: Callable[..., bytes]
) -> None:
    from tlkeras.data.pipeline import pixel_batches

    data = encode(scene, "JPEG")
    (batch,) = pixel_batches([data], (20, 20))
    pixels = decode_and_resize(tf.constant(data), 20).numpy()
    assert pixels.shape == (20, 20, 3)
    assert pixels.dtype == np.float32
    assert (pixels % 1 != 0).any()
    np.testing.assert_allclose(pixels, batch.pixels[0], atol=1e-3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.9])
def test_truncated_picture_is_an_error(
    kind: str, share: float, scene: Image.Image, encode: Callable, in_graph: Callable
) -> None:
    data = encode(scene.quantize(60) if kind == "GIF" else scene, kind)
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(data[: int(len(data) * share)])


@pytest.mark.parametrize("kind", ["WEBP", "TIFF"])
def test_format_that_tensorflow_lacks_is_an_error(
    kind: str, scene: Image.Image, encode: Callable, in_graph: Callable
) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError):
        in_graph(encode(scene, kind))


def test_bomb_is_refused_before_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch, in_graph: Callable
) -> None:
    bomb = png_of_zeros(20_000, 20_000)
    assert len(bomb) < 60_000
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        in_graph(bomb)


@pytest.mark.parametrize("kind", ["JPEG", "GIF", "BMP"])
def test_size_cap_is_read_from_the_header(
    kind: str, scene: Image.Image, encode: Callable, in_graph: Callable
) -> None:
    data = encode(scene.quantize(60) if kind == "GIF" else scene, kind)
    width, height = 20_011, 20_003
    assert width * height > MAX_PIXELS
    if kind == "JPEG":
        old, new = struct.pack(">HH", 41, 67), struct.pack(">HH", height, width)
    elif kind == "GIF":
        old, new = struct.pack("<HH", 67, 41), struct.pack("<HH", width, height)
    else:
        old, new = struct.pack("<II", 67, 41), struct.pack("<II", width, height)
    assert old in data
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        in_graph(data.replace(old, new, 1))


def test_tall_thin_picture_decodes(in_graph: Callable) -> None:
    assert in_graph(png_of_zeros(3, 20_000)).shape == (20_000, 3, 3)


@pytest.mark.parametrize("shape", [(1, 65_536), (65_536, 1)])
def test_long_side_is_refused_before_it_is_decoded(
    shape: tuple[int, int], in_graph: Callable
) -> None:
    # Resized to 224 pixels, 1,000,000 x 1 took 2.7 GB: the lines of an output, at full width.
    height, width = shape
    with pytest.raises(tf.errors.InvalidArgumentError, match="pixels"):
        in_graph(png_of_zeros(width, height))
    assert in_graph(png_of_zeros(width - (width > 1), height - (height > 1))).shape[2] == 3
