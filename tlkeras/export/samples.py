"""A few generated pictures, encoded, for when no real ones are at hand to verify with."""

import io

import numpy as np
from PIL import Image

_ORIENTATION = 0x0112


def sample_pictures(size_px: int) -> list[bytes]:
    """Five encoded pictures, none square: JPEG, turned JPEG, grey JPEG, PNG, palette PNG.

    The same bytes for the same size; sides are between size_px / 2 and 2 * size_px.

    >>> [picture[:4] for picture in sample_pictures(32)][-1]
    b'\\x89PNG'
    """
    half = max(size_px // 2, 4)
    turned = Image.Exif()
    turned[_ORIENTATION] = 6
    return [
        _encoded(_scene(3 * half, 4 * half, seed=0), "JPEG"),
        _encoded(_scene(2 * half, 3 * half, seed=1), "JPEG", exif=turned.tobytes()),
        _encoded(_scene(3 * half, half + 1, seed=2).convert("L"), "JPEG"),
        _encoded(_scene(half + 3, 2 * half, seed=3), "PNG"),
        _encoded(_scene(4 * half, 2 * half + 1, seed=4).quantize(64), "PNG"),
    ]


def _scene(width: int, height: int, seed: int) -> Image.Image:
    """Colour ramps in two directions, a bright corner and noise: no symmetry is left."""
    rng = np.random.default_rng(seed)
    across = np.linspace(0, 1, width)[np.newaxis, :, np.newaxis]
    down = np.linspace(0, 1, height)[:, np.newaxis, np.newaxis]
    shade = rng.uniform(-160, 160, (2, 3))
    scene = rng.uniform(60, 200, 3) + across * shade[0] + down * shade[1]
    scene = scene + rng.normal(0, 10, (height, width, 3))
    scene[: height // 3, : width // 4] += rng.uniform(-120, 120, 3)
    return Image.fromarray(np.clip(scene, 0, 255).astype(np.uint8))


def _encoded(picture: Image.Image, kind: str, exif: bytes = b"") -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, exif=exif)
    return buffer.getvalue()
