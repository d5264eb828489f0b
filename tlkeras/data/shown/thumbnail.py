"""A picture made small, as the bytes of a JPEG."""

from io import BytesIO

from tlkeras.data.decode import Source, decode
from tlkeras.errors import DecodeError

_QUALITY = 80
_SHARPER = 3  # times the side asked for, that a reduced decoding still has


def thumbnail(source: Source, side_px: int) -> bytes | None:
    """A small upright JPEG of a picture, None if it can't be read.

    Neither side is above `side_px`; a picture that is smaller keeps its size.

    >>> import numpy as np
    >>> thumbnail(np.zeros((300, 200, 3), "uint8"), 64)[:3]
    b'\\xff\\xd8\\xff'
    >>> thumbnail(b"no picture", 64) is None
    True
    """
    from PIL import Image

    at_least = _SHARPER * side_px
    try:
        small = Image.fromarray(decode(source, (at_least, at_least)))
    except DecodeError:
        return None
    small.thumbnail((side_px, side_px))
    out = BytesIO()
    # Colours at half the resolution are seen in pictures of few pixels.
    small.save(out, "JPEG", quality=_QUALITY, subsampling=0)
    return out.getvalue()
