"""Writes an ONNX file with one weight in memory at a time.

ModelProto and GraphProto are length-delimited messages, whose fields may stand in any order:
the graph's header is written first, then each tensor behind its length, straight from the
variable. Nothing but the weight at hand is copied. Source: the protocol buffers encoding guide
and onnx.proto3 (graph = 7 in ModelProto, initializer = 5 in GraphProto, raw_data = 9 in
TensorProto).

    ModelProto ─ ir_version, opset_import … ─ 7: GraphProto ─ nodes … ─ 5: tensor ─ 5: tensor …
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from converters.keras_to_onnx.graph import Parameter

GRAPH, INITIALIZER, RAW_DATA = 7, 5, 9
EXTERNAL_OVER_BYTES = 2_000_000_000  # protobuf's own limit is 2 GiB
_SMALL_BYTES = 1024  # stays in the file when the rest goes beside it
_CHUNK_BYTES = 16 * 2**20
_PAGE_BYTES = 4096  # external weights begin on a page, so that they can be mapped


def write_model(model: Any, parameters: Sequence[Parameter], path: Path) -> Path:
    """The file at `path`: `model`, which has no initializers, with these written into it.

    More than 2 GB go to a file of the same name with .data behind it.
    """
    total = sum(parameter.size_bytes for parameter in parameters)
    if total > EXTERNAL_OVER_BYTES:
        return _write_beside(model, parameters, path)
    return _write_inside(model, parameters, path)


def _write_inside(model: Any, parameters: Sequence[Parameter], path: Path) -> Path:
    heads = [_tensor(parameter) + _key(RAW_DATA, parameter.size_bytes) for parameter in parameters]
    with path.open("wb") as file:
        _begin(file, model, [len(h) + p.size_bytes for h, p in zip(heads, parameters, strict=True)])
        for head, parameter in zip(heads, parameters, strict=True):
            file.write(_key(INITIALIZER, len(head) + parameter.size_bytes) + head)
            _write_numbers(file, parameter)
    return path


def _write_beside(model: Any, parameters: Sequence[Parameter], path: Path) -> Path:
    data = path.with_name(path.name + ".data")
    inside = [p for p in parameters if p.size_bytes <= _SMALL_BYTES]
    tensors = [_tensor(p) + _key(RAW_DATA, p.size_bytes) + _raw(p) for p in inside]
    with data.open("wb") as file:
        for parameter in parameters:
            if parameter.size_bytes > _SMALL_BYTES:
                file.write(b"\0" * (-file.tell() % _PAGE_BYTES))
                tensors.append(_tensor(parameter, data.name, file.tell()))
                _write_numbers(file, parameter)
    with path.open("wb") as file:
        _begin(file, model, [len(tensor) for tensor in tensors])
        for tensor in tensors:
            file.write(_key(INITIALIZER, len(tensor)) + tensor)
    return path


def _begin(file: IO[bytes], model: Any, tensor_sizes: Sequence[int]) -> None:
    """Everything before the first tensor; the graph's length counts the tensors to come."""
    graph = model.graph.SerializeToString()
    without = type(model)()
    without.CopyFrom(model)
    without.ClearField("graph")
    following = sum(len(_key(INITIALIZER, size)) + size for size in tensor_sizes)
    file.write(without.SerializeToString() + _key(GRAPH, len(graph) + following) + graph)


def _tensor(parameter: Parameter, location: str = "", offset: int = 0) -> bytes:
    """A TensorProto with everything but its numbers."""
    from onnx import TensorProto, helper

    tensor = TensorProto(
        name=parameter.name,
        dims=parameter.shape,
        data_type=helper.np_dtype_to_tensor_dtype(parameter.dtype),
    )
    if location:
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in [
            ("location", location),
            ("offset", offset),
            ("length", parameter.size_bytes),
        ]:
            tensor.external_data.add(key=key, value=str(value))
    return bytes(tensor.SerializeToString())


def _write_numbers(file: IO[bytes], parameter: Parameter) -> None:
    for chunk in _chunks(parameter):
        file.write(chunk.data)


def _raw(parameter: Parameter) -> bytes:
    return b"".join(chunk.tobytes() for chunk in _chunks(parameter))


def _chunks(parameter: Parameter) -> Iterator[np.ndarray]:
    """The numbers in stored order, little-endian, some rows of the first axis at a time."""
    array = parameter.read()
    if array.size * array.itemsize != parameter.size_bytes:
        raise ValueError(f"'{parameter.name}' has {array.shape}, declared was {parameter.shape}")
    rows = array.reshape(1) if array.ndim == 0 else array
    step = max(1, _CHUNK_BYTES * len(rows) // max(parameter.size_bytes, 1))
    dtype = parameter.dtype.newbyteorder("<")
    for begin in range(0, len(rows), step):
        yield np.ascontiguousarray(rows[begin : begin + step], dtype).view(np.uint8)


def _key(field: int, size: int) -> bytes:
    """A length-delimited field's tag and length.

    >>> _key(5, 300)
    b'*\\xac\\x02'
    """
    return _varint(field << 3 | 2) + _varint(size)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first.

    >>> _varint(300)
    b'\\xac\\x02'
    """
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
