"""What the segments of a JPEG say: its EXIF block, how four colours are stored, which scans it has.

A file is followed by one rule, also in the graph that is served: a segment begins at the next
0xFF that has one of `WITH_LENGTH` behind it, and is as long as it says, at least 2 bytes. All
else up to there is passed over: fill, junk, markers that stand alone. That is how Pillow reads.
"""

import re
from collections.abc import Iterator, Sequence

SCAN = 0xDA
WITH_LENGTH = bytes((*range(0xC0, 0xC8), *range(0xC9, 0xD0), *range(SCAN, 0xF0), 0xFE))
"""Markers, by their second byte, behind which a length follows."""
UNKNOWN = bytes(range(0x01, 0xC0))
"""Second bytes with which Pillow gives a file up, where they come before its first scan."""
EXIF = b"Exif\0\0"

_ADOBE_BYTES = 12  # of the segment that says how the colours are stored; libjpeg wants them all
_COEFFICIENTS = 64
_PROGRESSIVE, _END = 0xC2, 0xD9
_NEXT = re.compile(rb"\xff([\xd9" + re.escape(WITH_LENGTH) + rb"])")


def exif_block(segments: Sequence[tuple[str, bytes]]) -> bytes:
    """The first EXIF segment's TIFF block, empty where there is none.

    EXIF is made to be one segment. Pillow joins several; a served graph stops at the first.

    >>> exif_block([("APP0", b"JFIF"), ("APP1", b"Exif\\0\\0II*"), ("APP1", b"Exif\\0\\0MM")])
    b'II*'
    """
    marked = (body for name, body in segments if name == "APP1" and body.startswith(EXIF))
    return next(marked, EXIF)[len(EXIF) :]


def is_adobe(segments: Sequence[tuple[str, bytes]]) -> bool:
    """Whether libjpeg takes a file with these segments for one of Adobe's, colours inverted.

    >>> is_adobe([("APP14", b"Adobe" + bytes(7))]), is_adobe([("APP14", b"Adobe" + bytes(3))])
    (True, False)
    """
    return any(
        name == "APP14" and content.startswith(b"Adobe") and len(content) >= _ADOBE_BYTES
        for name, content in segments
    )


def lacks_scans(data: bytes) -> bool:
    """Whether a progressive file ends before every coefficient was sent in full.

    libjpeg then guesses what is missing, and each of its releases guesses differently. The
    successive approximation of ITU-T T.81, G.1.2: a scan sends coefficients `first` to `last` of
    some components but for their `low` lowest bits. False for every other file.

    >>> lacks_scans(b"no JPEG")
    False
    """
    missing: dict[int, list[int]] = {}
    for marker, body in _segments(data):
        if marker == _PROGRESSIVE:
            components = body[6 : 6 + 3 * body[5] : 3] if len(body) > 5 else b""
            missing = {component: [-1] * _COEFFICIENTS for component in components}
        elif marker == SCAN and missing and len(body) >= 4 and len(body) >= 4 + 2 * body[0]:
            first, last, low = body[-3], min(body[-2], _COEFFICIENTS - 1), body[-1] & 15
            for component in body[1 : 1 + 2 * body[0] : 2]:
                if component in missing:
                    missing[component][first : last + 1] = [low] * max(0, last + 1 - first)
    return any(bits != 0 for each in missing.values() for bits in each)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Marker and content of each segment, as far as the file can be followed."""
    at = 2
    while at + 4 <= len(data):
        found = _NEXT.search(data, at)
        if found is None or found[1][0] == _END:
            return
        marker, at = found[1][0], found.end()
        length = int.from_bytes(data[at : at + 2], "big")
        yield marker, data[at + 2 : at + length]
        at += max(length, 2)
