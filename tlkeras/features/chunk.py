"""One chunk of embeddings in one file: written once, never changed, and proven when read.

header (24 bytes): magic, version, width d, rows n, CRC-32 of all the rest
keys      n x 16 bytes
vectors   n x d little-endian float32
"""

import os
import secrets
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from tlkeras.disk import explained, unused

KEY_BYTES = 16
SUFFIX = ".chunk"

_MAGIC = b"tlkeras\x1a"
_VERSION = 1
_HEADER = struct.Struct("<8sIIII")


class DamagedChunkError(ValueError):
    """A file that is no chunk, was cut, or does not hold what was written."""


class OtherVersionError(ValueError):
    """A chunk as another version of tlkeras writes it."""


@dataclass(frozen=True, eq=False)
class Contents:
    """What a chunk says about itself: `keys` S16 (n,), vectors of `width`, their `crc`."""

    keys: np.ndarray
    width: int
    crc: int


def write_chunk(folder: Path, number: int, keys: np.ndarray, vectors: np.ndarray) -> Path:
    """The new file in `folder` that holds `keys` S16 (n,) and `vectors` (n, d) float32.

    It appears under its name only when it is whole, so any number of processes may write to one
    folder. It is not forced onto the disk: what a power cut leaves of it fails its checksum.

    Raises:
        OSError: it can't be written; nothing of it is left.

    >>> import tempfile
    >>> keys, vectors = np.array([b"a" * 16]), np.ones((1, 3), "float32")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with write_chunk(Path(folder), 7, keys, vectors).open("rb") as file:
    ...         read_vectors(file, read_contents(file))
    array([[1., 1., 1.]], dtype=float32)
    """
    names = np.ascontiguousarray(keys, f"S{KEY_BYTES}")
    values = np.ascontiguousarray(vectors, "<f4")
    crc = _checksum(names, values)
    header = _HEADER.pack(_MAGIC, _VERSION, values.shape[1], len(values), crc)
    path = folder / f"{number:06}-{secrets.token_hex(4)}{SUFFIX}"
    unfinished = unused(path.with_suffix(""))  # no chunk by its name yet
    size = len(header) + names.nbytes + values.nbytes
    try:
        with explained(folder, size, unfinished), unfinished.open("wb") as file:
            file.write(header)
            file.write(_bytes(names))
            file.write(_bytes(values))
        os.replace(unfinished, path)
    except BaseException:
        unfinished.unlink(missing_ok=True)
        raise
    return path


def read_contents(file: BinaryIO) -> Contents:
    """Keys and width of an open chunk; the checksum is not looked at yet.

    Raises:
        DamagedChunkError: the header is none, or the file is not as long as it says.
        OtherVersionError: written by another version.
    """
    header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise DamagedChunkError("it does not begin as a chunk")
    _, version, width, rows, crc = _HEADER.unpack(header)
    if version != _VERSION:
        raise OtherVersionError(f"version {version}, this is version {_VERSION}")
    expected = _HEADER.size + rows * (KEY_BYTES + 4 * width)
    size = os.fstat(file.fileno()).st_size
    if size != expected or not rows:
        raise DamagedChunkError(f"{size:,} bytes instead of {expected:,}")
    keys = np.frombuffer(file.read(rows * KEY_BYTES), f"S{KEY_BYTES}")
    return Contents(keys, width, crc)


def read_vectors(file: BinaryIO, contents: Contents) -> np.ndarray:
    """Vectors (n, d) float32 of a chunk whose contents were just read from the same file.

    Raises:
        DamagedChunkError: the checksum does not fit.
    """
    values = np.frombuffer(file.read(4 * len(contents.keys) * contents.width), "<f4")
    values = values.reshape(len(contents.keys), contents.width)
    if _checksum(contents.keys, values) != contents.crc:
        raise DamagedChunkError("its checksum does not fit")
    return values


def _checksum(keys: np.ndarray, vectors: np.ndarray) -> int:
    shape = struct.pack("<II", len(vectors), vectors.shape[1])
    return zlib.crc32(_bytes(vectors), zlib.crc32(_bytes(keys), zlib.crc32(shape)))


def _bytes(array: np.ndarray) -> memoryview:
    # NumPy does not lend arrays of text as a plain buffer.
    return array.reshape(-1).view(np.uint8).data
