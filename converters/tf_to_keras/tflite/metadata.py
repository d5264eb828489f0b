"""Labels and scaling that a .tflite file carries along.

Labels lie in a zip archive at the file's end; which of its files they are, and how pixels are
scaled, says a second flatbuffer ("TFLITE_METADATA", schema `metadata_schema.fbs`). A broken
block gives no labels: it is an extra, and the network does not depend on it.
"""

import io
import struct
import zipfile
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from flatbuffers import encode, number_types, packer, table  # type: ignore[import-untyped,unused-ignore]

from converters.tf_to_keras.tflite.network import Network
from converters.tf_to_keras.tflite.ops.convolution import is_image

LARGEST_LABELS = 4 * 2**20  # bytes
MOST_ENTRIES = 1000
_LABEL_TYPES = (2, 3)  # AssociatedFileType: TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS
_NORMALISATION = 1  # ProcessUnitOptions.NormalizationOptions
_BROKEN = (struct.error, ValueError, IndexError, TypeError, OverflowError, zipfile.BadZipFile,
           EOFError, NotImplementedError, RuntimeError, OSError, KeyError)  # fmt: skip
_Found = TypeVar("_Found")


def labels_of(data: bytes, network: Network) -> list[str] | None:
    """Class names of the first output that has some, in its order; None if there are none."""
    return _or_none(lambda: _labels(data, network))


def preprocessing_of(data: bytes, network: Network) -> dict[str, list[float]] | None:
    """{"mean": …, "std": …}: the network takes (pixel - mean) / std of pixels in [0, 255]."""
    tensor = network.tensors[network.inputs[0]]
    channels = tensor.shape[-1] if tensor.shape else None
    image = channels is not None and is_image(tensor.shape, np.dtype(np.float32))
    if image and tensor.type == "UINT8" and tensor.quantisation is not None:
        # Such a network takes the pixels themselves, so its own scale is the preprocessing.
        scale, zero = (
            float(tensor.quantisation.scales[0]),
            float(tensor.quantisation.zero_points[0]),
        )
        return {"mean": [zero] * (channels or 0), "std": [1 / scale] * (channels or 0)}
    if not image:
        return None
    return _or_none(lambda: _normalisation(network))


def _or_none(read: Callable[[], _Found | None]) -> _Found | None:
    try:
        return read()
    except _BROKEN:
        return None


def _labels(data: bytes, network: Network) -> list[str] | None:
    names = _label_files(network)
    if not names:
        return None
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for name in names:
            if archive.getinfo(name).file_size > LARGEST_LABELS:
                continue
            with archive.open(name) as file:
                text = file.read(LARGEST_LABELS).decode()
            labels = [line.strip() for line in text.splitlines()]
            while labels and not labels[-1]:
                labels.pop()
            if labels:
                return labels
    return None


def _label_files(network: Network) -> list[str]:
    found = []
    for graph in _Block.root(network).tables(3):
        for tensor in graph.tables(3):
            for file in tensor.tables(6):
                if file.number(2, number_types.Int8Flags) in _LABEL_TYPES:
                    found.append(file.text(0))
    return found


def _normalisation(network: Network) -> dict[str, list[float]] | None:
    for graph in _Block.root(network).tables(3):
        for tensor in graph.tables(2)[:1]:
            for unit in tensor.tables(4):
                if unit.number(0, number_types.Uint8Flags) == _NORMALISATION:
                    mean, std = unit.table(1).floats(0), unit.table(1).floats(1)
                    if mean and len(mean) == len(std) and min(std) > 0:
                        return {"mean": mean, "std": std}
    return None


class _Block:
    """A flatbuffer table read by field number."""

    def __init__(self, inner: table.Table) -> None:
        self.inner = inner

    @classmethod
    def root(cls, network: Network) -> "_Block":
        raw = network.metadata.get("TFLITE_METADATA")
        if raw is None or bytes(raw[4:8]) != b"M001":
            raise ValueError("no metadata")
        data = bytearray(raw)
        return cls(table.Table(data, encode.Get(packer.uoffset, data, 0)))

    def offset(self, field: int) -> int:
        return int(self.inner.Offset(4 + 2 * field))

    def number(self, field: int, flags: type) -> int:
        offset = self.offset(field)
        return int(self.inner.Get(flags, offset + self.inner.Pos)) if offset else 0

    def text(self, field: int) -> str:
        offset = self.offset(field)
        return self.inner.String(offset + self.inner.Pos).decode() if offset else ""

    def table(self, field: int) -> "_Block":
        offset = self.offset(field)
        if not offset:
            raise ValueError(f"field {field} is missing")
        return _Block(table.Table(self.inner.Bytes, self.inner.Indirect(offset + self.inner.Pos)))

    def tables(self, field: int) -> list["_Block"]:
        offset = self.offset(field)
        if not offset:
            return []
        count, start = min(self.inner.VectorLen(offset), MOST_ENTRIES), self.inner.Vector(offset)
        places = [self.inner.Indirect(start + 4 * index) for index in range(count)]
        return [_Block(table.Table(self.inner.Bytes, place)) for place in places]

    def floats(self, field: int) -> list[float]:
        offset = self.offset(field)
        if not offset:
            return []
        values = self.inner.GetVectorAsNumpy(number_types.Float32Flags, offset)
        return [float(value) for value in values[:MOST_ENTRIES]]
