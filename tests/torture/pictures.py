"""Pictures to start from, of every format that is read, and ways to spoil them, all by a seed."""

import io
import struct
import zlib
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from PIL import Image, features

Spoil = Callable[[bytes, np.random.Generator], bytes]

_EXTREMES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
SERVED = ("jpeg", "png", "gif", "bmp")
"""Formats, as the first word of a seed's name, that a served graph decodes."""


def seeds() -> dict[str, bytes]:
    """Encoded pictures by name, whose first word is the format; the last ones are no pictures."""
    rng = np.random.default_rng(7)
    scene = _scene(rng, 61, 83)
    rgb = Image.fromarray(scene)
    grey, alpha = rgb.convert("L"), rgb.convert("RGBA")
    palette, cmyk = rgb.quantize(17), rgb.convert("CMYK")
    wide = Image.fromarray((_scene(rng, 61, 83)[..., 0].astype("uint16") << 8) + 77)
    frames = [Image.fromarray(_scene(rng, 40, 50)).quantize(9) for _ in range(3)]
    exif = Image.Exif()
    exif[0x0112] = 6
    found = {
        "jpeg baseline": _encoded(rgb, "JPEG", quality=88),
        "jpeg progressive": _encoded(rgb, "JPEG", progressive=True),
        "jpeg grey": _encoded(grey, "JPEG"),
        "jpeg cmyk": _encoded(cmyk, "JPEG"),
        "jpeg turned": _encoded(rgb, "JPEG", exif=exif),
        "jpeg restarts": _encoded(rgb, "JPEG", restart_marker_blocks=3, subsampling=0),
        "png rgb": _encoded(rgb, "PNG"),
        "png grey": _encoded(grey, "PNG"),
        "png alpha": _encoded(alpha, "PNG"),
        "png palette": _encoded(palette, "PNG"),
        "png bits": _encoded(grey.convert("1"), "PNG"),
        "png wide": _encoded(wide, "PNG"),
        "png turned": _encoded(rgb, "PNG", exif=exif),
        "gif still": _encoded(palette, "GIF"),
        "gif moving": _encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]),
        "gif transparent": _encoded(palette, "GIF", transparency=3),
        "bmp rgb": _encoded(rgb, "BMP"),
        "bmp alpha": _encoded(alpha, "BMP"),
        "bmp palette": _encoded(palette, "BMP"),
        "bmp bits": _encoded(grey.convert("1"), "BMP"),
        "tiff plain": _encoded(rgb, "TIFF"),
        "tiff lzw": _encoded(rgb, "TIFF", compression="tiff_lzw"),
        "tiff wide": _encoded(wide, "TIFF"),
        "ppm plain": _encoded(rgb, "PPM"),
        "ico plain": _encoded(rgb.resize((32, 32)), "ICO"),
        "html page": b"<!doctype html><html><body><img src='a.jpg'></body></html>",
        "zip empty": b"PK\x05\x06" + bytes(18),
    }
    if features.check("webp"):
        found["webp lossy"] = _encoded(rgb, "WEBP", quality=80)
        found["webp lossless"] = _encoded(alpha, "WEBP", lossless=True)
        moving = [frame.convert("RGB") for frame in frames]
        found["webp moving"] = _encoded(moving[0], "WEBP", save_all=True, append_images=moving[1:])
    if features.check("avif"):
        found["avif plain"] = _encoded(rgb, "AVIF")
    return found


def spoilt(number: int, seed: int, whole: dict[str, bytes]) -> tuple[str, bytes]:
    """Name of the picture it was made of, and case `number` of a seed: the same bytes always."""
    rng = np.random.default_rng((seed, number))
    names = sorted(whole)
    name = names[int(rng.integers(len(names)))]
    content = whole[name]
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        ways = [*_EVERYWHERE, *_OWN.get(name.partition(" ")[0], ())]
        spoil = ways[int(rng.integers(len(ways)))]
        if spoil is _splice:
            content = _splice(content + whole[names[int(rng.integers(len(names)))]], rng)
        else:
            content = spoil(content, rng)
    return name, content


def _scene(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Pixels (height, width, 3) uint8: a slope, a patch and some noise."""
    rows, columns = np.mgrid[0:height, 0:width]
    slopes = [rows * 3, columns * 2 + 20, 255 - rows - columns]
    scene = np.stack(slopes, axis=-1).clip(0, 255).astype("uint8")
    scene[8:25, 30:60] = rng.integers(0, 255, 3)
    return np.asarray(scene ^ rng.integers(0, 8, scene.shape, dtype="uint8"))


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _place(content: bytes, rng: np.random.Generator, room: int = 1) -> int:
    """A position; every second time within the first 64 bytes, where the headers are."""
    last = max(1, len(content) - room)
    return int(rng.integers(min(last, 64) if rng.random() < 0.5 else last))


def _cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: int(rng.integers(len(content) + 1))]


def _bits(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content)
    for _ in range(int(rng.integers(1, 12))):
        if changed:
            changed[_place(content, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def _noise(content: bytes, rng: np.random.Generator) -> bytes:
    at, length = _place(content, rng), int(rng.integers(1, 40))
    return content[:at] + rng.bytes(length) + content[at + length :]


def _number(content: bytes, rng: np.random.Generator) -> bytes:
    at, value = _place(content, rng, 4), int(rng.choice(_EXTREMES))
    size = int(rng.choice([1, 2, 4]))
    order = "big" if rng.random() < 0.5 else "little"
    field = (value & (256**size - 1)).to_bytes(size, order)
    return content[:at] + field + content[at + size :]


def _without(content: bytes, rng: np.random.Generator) -> bytes:
    at = _place(content, rng)
    return content[:at] + content[at + int(rng.integers(1, 200)) :]


def _twice(content: bytes, rng: np.random.Generator) -> bytes:
    at, length = _place(content, rng), int(rng.integers(1, 400))
    return content[: at + length] + content[at:]


def _splice(content: bytes, rng: np.random.Generator) -> bytes:
    first, second = sorted(int(at) for at in rng.integers(len(content) + 1, size=2))
    return content[:first] + content[second:]


def _junk(content: bytes, rng: np.random.Generator) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 2000)))


def _png_chunk(content: bytes, rng: np.random.Generator) -> bytes:
    """A byte of one chunk changed, or a chunk doubled or gone, with its checksum right."""
    chunks = _png_chunks(content)
    if not chunks:
        return content
    at = int(rng.integers(len(chunks)))
    kind, body = chunks[at]
    way = rng.random()
    if way < 0.15:
        chunks.insert(at, (kind, body))
    elif way < 0.3:
        del chunks[at]
    elif body:
        changed = bytearray(body)
        for _ in range(int(rng.integers(1, 4))):
            changed[int(rng.integers(len(changed)))] = int(rng.integers(256))
        chunks[at] = kind, bytes(changed)
    return _png(chunks)


def _png_size(content: bytes, rng: np.random.Generator) -> bytes:
    """Other numbers in the header, its checksum right: sizes, bits, colour, interlacing."""
    chunks = _png_chunks(content)
    if not chunks or len(chunks[0][1]) < 13:
        return content
    header = bytearray(chunks[0][1])
    if rng.random() < 0.5:
        header[0:8] = struct.pack(">II", *(int(rng.choice(_EXTREMES)) for _ in range(2)))
    else:
        header[int(rng.integers(8, 13))] = int(rng.integers(17))
    return _png([(chunks[0][0], bytes(header)), *chunks[1:]])


def _png_rows(content: bytes, rng: np.random.Generator) -> bytes:
    """The pixels unpacked, some bytes of them changed, and packed again."""
    chunks = _png_chunks(content)
    packed = b"".join(body for kind, body in chunks if kind == b"IDAT")
    try:
        rows = bytearray(zlib.decompressobj().decompress(packed, 1 << 20))
    except zlib.error:
        return content
    for _ in range(int(rng.integers(1, 9))):
        if rows:
            rows[int(rng.integers(len(rows)))] = int(rng.integers(256))
    length = len(rows) if rng.random() < 0.6 else int(rng.integers(2 * len(rows) + 1))
    fresh = (b"IDAT", zlib.compress((bytes(rows) * 2)[:length]))
    others = [chunk for chunk in chunks if chunk[0] != b"IDAT"]
    return _png([*others[:-1], fresh, *others[-1:]])


def _jpeg_size(content: bytes, rng: np.random.Generator) -> bytes:
    """Other numbers in the frame header: precision, height, width, components, sampling."""
    for marker in (b"\xff\xc0", b"\xff\xc2"):
        at = content.find(marker)
        if 0 < at < len(content) - 20:
            offset, size = int(rng.integers(4, 18)), int(rng.choice([1, 2]))
            value = int(rng.choice(_EXTREMES)) & (256**size - 1)
            place = at + offset
            return content[:place] + value.to_bytes(size, "big") + content[place + size :]
    return content


def _jpeg_segment(content: bytes, rng: np.random.Generator) -> bytes:
    """One of the segments before the scan gone, doubled, or moved behind another."""
    marks = [0, 2]
    while marks[-1] + 4 <= len(content) and content[marks[-1]] == 0xFF:
        if content[marks[-1] + 1] == 0xDA:
            break
        marks.append(marks[-1] + 2 + int.from_bytes(content[marks[-1] + 2 : marks[-1] + 4], "big"))
    parts = [content[start:stop] for start, stop in pairwise(marks)]
    if len(parts) < 3:
        return content
    at = int(rng.integers(1, len(parts)))
    part = parts.pop(at) if rng.random() < 0.6 else parts[at]
    if rng.random() < 0.7:
        parts.insert(int(rng.integers(1, len(parts) + 1)), part)
    return b"".join(parts) + content[marks[-1] :]


def _png_chunks(content: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at + 12 <= len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        if at + 12 + length > len(content):
            break
        found.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def _png(chunks: list[tuple[bytes, bytes]]) -> bytes:
    pieces = [b"\x89PNG\r\n\x1a\n"]
    for kind, body in chunks:
        pieces += [struct.pack(">I", len(body)), kind, body]
        pieces.append(struct.pack(">I", zlib.crc32(kind + body)))
    return b"".join(pieces)


_EVERYWHERE: tuple[Spoil, ...] = (
    _cut,
    _bits,
    _noise,
    _number,
    _number,
    _without,
    _twice,
    _splice,
    _junk,
)
_OWN: dict[str, tuple[Spoil, ...]] = {
    "png": (_png_chunk, _png_size, _png_rows),
    "jpeg": (_jpeg_size, _jpeg_segment),
}
