"""One threaded pass over all pictures: every file read, hashed and decoded once.

Of each picture only a record of about 1 kB stays, most of it on disk. Records of files are kept
in `cache_folder()/scan.sqlite` by path, size and time of change, so that a folder opens at once
the second time; where that file cannot be used, the pass just takes its time.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL

from tlkeras.cache import cache_folder
from tlkeras.data.columns.each import each_record
from tlkeras.data.columns.kept import KeptRecords
from tlkeras.data.columns.records import RECORD, Scanned, ScanRecord
from tlkeras.data.decode import Decoded, Source, array_to_rgb, decode_bytes, read_file
from tlkeras.data.duplicates.small import LEAST_SIDE_PX, small_versions

__all__ = ["ScanRecord", "Scanned", "scan"]

_VERSION = f"5 pillow {PIL.__version__}"  # raise the number when decoding or the hashes change


def scan(sources: Sequence[Source], names: Sequence[Path]) -> Scanned:
    """A record, or the reason to set it aside, for each source, in order.

    Example::

        paths = [Path("a.jpg"), Path("broken.png")]
        record, reason = scan(paths, paths)
    """
    scanned = Scanned(names)
    kept = KeptRecords(cache_folder() / "scan.sqlite", _VERSION, RECORD)
    try:
        for block in each_record(sources, _record, kept):
            scanned.put(block.rows, block.records)
            scanned.reasons.update(block.reasons)
    finally:
        kept.close()
    return scanned


def _record(source: Source, record: np.void) -> None:
    """Fill `record`, one of `RECORD`, with what is kept of the source."""
    if isinstance(source, np.ndarray):
        pixels = array_to_rgb(source)
        digest = hashlib.sha256(repr((source.shape, source.dtype.str)).encode())
        digest.update(np.ascontiguousarray(source).data)
        height, width = pixels.shape[:2]
        decoded = Decoded(pixels, "RGB", 1, (height, width), (0, 0, height, width))
    else:
        data = source if isinstance(source, bytes) else read_file(source)
        digest = hashlib.sha256(data)
        # A reduced JPEG is read to its end as well, so that damage is found all the same.
        decoded = decode_bytes(data, str(source), (LEAST_SIDE_PX, LEAST_SIDE_PX))
    small, bits = small_versions(decoded.pixels, decoded.box)
    height, width = decoded.size_px
    facts = record["facts"]
    facts["sha256"] = np.frombuffer(digest.digest(), np.uint8)
    facts["width"], facts["height"] = width, height
    facts["rotated"] = decoded.orientation != 1
    facts["mode"] = decoded.mode.encode("ascii")
    record["dhash"] = bits
    record["thumbnail"] = small
