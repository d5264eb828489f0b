"""One picture, from a file, bytes or an array, as upright RGB.

    source ─bytes─▶ header: known format? few enough pixels? ─▶ decode ─▶ RGB ─▶ upright

The pixels are those of TensorFlow's own decoders, so that training sees what a served graph
sees: `tf.io.decode_jpeg(dct_method="INTEGER_ACCURATE")` for JPEG, `tf.io.decode_image` for PNG,
24- and 32-bit BMP and GIF. They differ where TensorFlow has no answer of its own: it ignores the
EXIF orientation, gives palette indices for a palette BMP, crops a GIF to its first frame when
that is smaller than the canvas, and has no decoder for WebP, TIFF, AVIF and other kinds of BMP.
"""

import io
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, JpegImagePlugin

from tlkeras.data.jpeg.segments import EXIF, exif_block, is_adobe, lacks_scans
from tlkeras.errors import DecodeError

Source = str | Path | bytes | np.ndarray

MAX_PIXELS = 89_478_485  # Pillow's own limit: 256 MiB of RGB
# That of JPEG and GIF. To resize, 224 or so lines of the full width are held: 3 kB of PNG that
# are 1,000,000 pixels wide took 2.7 GB.
MAX_SIDE = 65_535
MAX_BYTES = 1 << 29
SUFFIXES = frozenset(
    ".jpg .jpeg .jpe .jfif .png .bmp .dib .gif .webp .tif .tiff .avif".split()  # noqa: SIM905
)

Box = tuple[float, float, float, float]  # top, left, bottom, right in pixels

_FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "AVIF")
_ORIENTATION = 0x0112  # EXIF tag
# What makes a picture upright: reverse the rows, reverse the columns, then swap the two.
_TURNS = {
    2: (False, True, False),
    3: (True, True, False),
    4: (True, False, False),
    5: (False, False, True),
    6: (True, False, True),
    7: (True, True, True),
    8: (False, True, True),
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """A decoded picture: `pixels` uint8 (h, w, 3), and what its file said of itself.

    `size_px` is the upright height and width of the whole picture, also where `pixels` are of
    a reduced one; `box` is the part of `pixels` that the picture fills (top, left, bottom,
    right): the last pixels of a reduced one may reach beyond it.
    """

    pixels: np.ndarray
    mode: str
    orientation: int
    size_px: tuple[int, int]
    box: Box


class _Jpeg(JpegImagePlugin.JpegImageFile):
    def _read_dpi_from_exif(self) -> None:
        # The resolution is of no use here, and reading it warns about every camera's bad EXIF.
        return


def decode(source: Source, at_least_px: tuple[int, int] | None = None) -> np.ndarray:
    """Upright RGB pixels uint8 (h, w, 3) of one file, encoded picture or array.

    Files and bytes: JPEG, PNG, BMP, GIF (first frame), WebP, TIFF, and AVIF where Pillow has it.
    Grey, palette, CMYK and 16-bit pictures become RGB, alpha is dropped.
    Arrays: (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), uint8 or float in [0, 255].

    With `at_least_px` (height, width) a JPEG may come out at a half, a quarter or an eighth of
    its size, as small as it can be with neither side below that; see `decode_source`.

    Raises:
        DecodeError: the picture cannot be read; `.name` says which and `.reason` why.

    >>> import numpy as np
    >>> decode(np.array([[0, 255, 7]], dtype="uint8")).tolist()
    [[[0, 0, 0], [255, 255, 255], [7, 7, 7]]]
    """
    return decode_source(source, at_least_px).pixels


def decode_source(source: Source, at_least_px: tuple[int, int] | None = None) -> Decoded:
    """As `decode`, with what the file said of itself, and where in its pixels the picture lies.

    The reduced JPEG is libjpeg's scaled decoding: each block of 8 x 8 pixels is made from fewer
    of its cosines. It reads the whole file, so damage is found as in a full decode. Asked for
    three times the size that it is then resized to, it is 0.1 to 0.3 of 255 grey levels from the
    full decode in the mean of a photograph (0.7 in the worst of a hundred), where `box` is given
    to the resizing.

    >>> import numpy as np
    >>> decode_source(np.zeros((3, 5), "uint8")).size_px
    (3, 5)
    """
    if isinstance(source, np.ndarray):
        pixels = array_to_rgb(source)
        return Decoded(pixels, "RGB", 1, *_whole(pixels))
    if isinstance(source, bytes):
        return decode_bytes(source, f"<{len(source):,} bytes>", at_least_px)
    return decode_bytes(read_file(source), str(source), at_least_px)


def read_file(path: str | Path) -> bytes:
    """The bytes of one regular file; a pipe, a folder or a device is refused, never opened."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, socket or device"
            raise DecodeError(str(path), f"expected a regular file, found {kind}")
        if found.st_size > MAX_BYTES:
            raise DecodeError(
                str(path), f"the file has {found.st_size:,} bytes, the limit is {MAX_BYTES:,}"
            )
        return Path(path).read_bytes()
    except FileNotFoundError as err:
        raise DecodeError(str(path), "there is no such file") from err
    except (OSError, ValueError) as err:
        reason = getattr(err, "strerror", None) or str(err)
        raise DecodeError(str(path), f"the file cannot be read: {reason}") from err


def decode_bytes(data: bytes, name: str, at_least_px: tuple[int, int] | None = None) -> Decoded:
    """The picture decoded from its encoded bytes; `name` is for the error."""
    if not data:
        raise DecodeError(name, "the file is empty (0 bytes)")
    try:
        image = _open(data)
        if image is None:
            raise DecodeError(name, f"not a picture in a known format; {_looks_like(data)}")
        width, height = image.size
        _check_size(name, height, width)
        if image.info.get("progressive") and lacks_scans(data):
            raise DecodeError(name, "broken picture: scans of the progressive JPEG are missing")
        orientation = _orientation(_exif(image))
        if image.format == "TIFF":
            # Pillow turns a TIFF upright as it loads it, and forgets the tag.
            turned = int(getattr(image, "tag_v2", {}).get(_ORIENTATION, 1))
            pixels = _to_rgb(image)
            return Decoded(pixels, image.mode, turned, *_whole(pixels))
        scale = _reduce(image, orientation, at_least_px) if at_least_px else 1
        box = (0.0, 0.0, height / scale, width / scale)
        pixels, box = _upright(_to_rgb(image), box, orientation)
        size = (width, height) if _TURNS.get(orientation, (0, 0, False))[2] else (height, width)
        return Decoded(pixels, image.mode, orientation, size, box)
    except DecodeError:
        raise
    except Exception as err:
        # Broken files make Pillow raise a dozen kinds of error; each means the same here.
        raise DecodeError(name, f"broken picture: {str(err) or type(err).__name__}") from err


def array_to_rgb(array: np.ndarray) -> np.ndarray:
    """Pixels uint8 (h, w, 3) from a grey, RGB or RGBA array, uint8 or float in [0, 255]."""
    name = f"<array {array.shape} {array.dtype}>"
    grey = array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 1)
    if not grey and not (array.ndim == 3 and array.shape[2] in (3, 4)):
        raise DecodeError(
            name,
            "expected one picture of shape (h, w), (h, w, 1), (h, w, 3) or (h, w, 4), "
            f"got {array.shape}; choose or merge channels first, channels go last",
        )
    if array.size == 0:
        raise DecodeError(name, f"the picture has no pixels: shape {array.shape}")
    _check_size(name, *array.shape[:2])
    pixels = _to_uint8(array, name)
    if grey:
        return np.repeat(pixels.reshape(*array.shape[:2], 1), 3, axis=2)
    return pixels[..., :3]


def _check_size(name: str, height: int, width: int) -> None:
    if width * height <= MAX_PIXELS and max(width, height) <= MAX_SIDE:
        return
    raise DecodeError(
        name,
        f"{width:,} x {height:,} pixels are more than the limit of {MAX_PIXELS:,}, or "
        f"{MAX_SIDE:,} in one direction; make the picture smaller, or cut it",
    )


def _to_uint8(array: np.ndarray, name: str) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if not np.issubdtype(array.dtype, np.floating):
        raise DecodeError(
            name,
            f"expected uint8, or float in [0, 255], got {array.dtype}; "
            'bring the values into 0 to 255, then use .astype("uint8")',
        )
    low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DecodeError(name, "the array holds NaN or infinity; replace those values")
    if low < 0 or high > 255:
        raise DecodeError(
            name, f"expected floats in [0, 255], got [{low:.4g}, {high:.4g}]; rescale them"
        )
    if 0 < high <= 1:
        raise DecodeError(
            name, f"expected floats in [0, 255], got [{low:.4g}, {high:.4g}]; multiply by 255"
        )
    return np.rint(array).astype(np.uint8)


def _open(data: bytes) -> ImageFile.ImageFile | None:
    """The picture with only its header read, or None where no format claims the bytes."""
    # Image.open would do, but warns about large pictures before their size can be looked at.
    # Most pictures are of the five formats that preinit loads; init loads all forty.
    for load_formats in (Image.preinit, Image.init):
        load_formats()
        for format_name in _FORMATS:
            factory, accept = Image.OPEN.get(format_name, (None, None))
            claimed = accept(data[:16]) if accept else False
            if isinstance(claimed, str):
                raise ValueError(f"this Pillow cannot read it: {claimed}")
            if factory and claimed:
                maker = _Jpeg if format_name == "JPEG" else factory
                return maker(io.BytesIO(data), "")
    return None


def _looks_like(data: bytes) -> str:
    start = data[:256].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<svg")):
        return "it is a text page (HTML, XML or SVG)"
    return f"it begins with {data[:8]!r}"


def _to_rgb(image: ImageFile.ImageFile) -> np.ndarray:
    image.load()
    mode = image.mode
    if mode == "P":
        return _palette_to_rgb(image)
    if mode == "CMYK":
        return _cmyk_to_rgb(image)
    if mode.startswith("I;16"):
        pixels = (np.asarray(image) >> 8).astype(np.uint8)
    elif mode in ("I", "F"):
        raise ValueError(f"32-bit pixels (mode {mode}) of unknown range; save it with 8 or 16 bits")
    elif mode in ("L", "RGB"):
        pixels = np.asarray(image)
    elif mode in ("LA", "RGBA", "RGBX"):
        pixels = np.asarray(image)[..., : len(mode) - 1]
    else:
        image.info.pop("transparency", None)  # convert() would warn about it
        pixels = np.asarray(image.convert("RGB"))
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    if mode == "L" and image.format == "GIF":
        pixels = np.where(_transparent(image, pixels), np.uint8(0), pixels)
    return pixels if pixels.shape[2] == 3 else np.repeat(pixels[..., :1], 3, axis=2)


def _palette_to_rgb(image: ImageFile.ImageFile) -> np.ndarray:
    indices = np.asarray(image)
    palette = np.zeros((256, 3), np.uint8)
    colours = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    palette[: len(colours)] = colours
    pixels = palette[indices]
    if image.format == "GIF":
        # TensorFlow paints the see-through pixels of a first frame black.
        pixels[_transparent(image, indices)] = 0
    return pixels


def _transparent(image: ImageFile.ImageFile, indices: np.ndarray) -> np.ndarray:
    return indices == image.info.get("transparency", -1)


def _cmyk_to_rgb(image: ImageFile.ImageFile) -> np.ndarray:
    # As TensorFlow: colour times black, rounded down. Pillow inverts every CMYK JPEG as if it
    # came from Adobe; one that did not is inverted back.
    light = 255 - np.asarray(image).astype(np.uint16)
    if image.format == "JPEG" and not is_adobe(getattr(image, "applist", ())):
        light = 255 - light
    return (light[..., :3] * light[..., 3:] // 255).astype(np.uint8)


def _exif(image: ImageFile.ImageFile) -> bytes:
    """The TIFF block that holds the EXIF tags, empty where there is none."""
    if isinstance(image, _Jpeg):
        return exif_block(image.applist)
    found = image.info.get("exif", b"")
    return found.removeprefix(EXIF) if isinstance(found, bytes) else b""


def _orientation(block: bytes) -> int:
    """EXIF orientation 1 to 8, from the first directory; 1 where it is absent or broken."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2], "")
    if not order or len(block) < 10:
        return 1
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for entry in range(entries):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", block, start + 2 + 12 * entry)
            if tag == _ORIENTATION:
                return value if kind == 3 and 1 <= value <= 8 else 1
    except struct.error:
        return 1
    return 1


def _reduce(image: ImageFile.ImageFile, orientation: int, at_least_px: tuple[int, int]) -> int:
    """By how much the picture will be reduced as it is decoded: 1, 2, 4 or 8."""
    if not isinstance(image, _Jpeg):
        return 1
    high, wide = at_least_px
    if _TURNS.get(orientation, (0, 0, False))[2]:
        high, wide = wide, high
    width, height = image.size
    for scale in (8, 4, 2):
        if width >= scale * wide and height >= scale * high:
            image.draft(None, (width // scale, height // scale))
            return scale
    return 1


def _whole(pixels: np.ndarray) -> tuple[tuple[int, int], Box]:
    height, width = pixels.shape[:2]
    return (height, width), (0.0, 0.0, float(height), float(width))


def _upright(pixels: np.ndarray, box: Box, orientation: int) -> tuple[np.ndarray, Box]:
    if orientation not in _TURNS:
        return pixels, box
    rows, columns, swap = _TURNS[orientation]
    top, left, bottom, right = box
    if rows:
        pixels, top, bottom = pixels[::-1], len(pixels) - bottom, len(pixels) - top
    if columns:
        width = pixels.shape[1]
        pixels, left, right = pixels[:, ::-1], width - right, width - left
    if swap:
        pixels, top, left, bottom, right = pixels.transpose(1, 0, 2), left, top, right, bottom
    return np.ascontiguousarray(pixels), (top, left, bottom, right)
