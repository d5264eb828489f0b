"""How much memory a file would take once parsed, found without parsing it.

Two bytes of an empty message become 160 in memory: a file of 2 GB could ask for 160 GB. So
the fields are walked on the wire, weights skipped by their length, and messages counted.
Wire format: https://protobuf.dev/programming-guides/encoding
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from converters.errors import ReadError
from converters.onnx_to_keras.read import limits

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GROUPS = (3, 4)  # the begin and the end of one; parsers skip it, and read on behind it

# The fields of onnx.proto that are messages: kind → field number → kind.
MESSAGES: Mapping[str, Mapping[int, str]] = {
    "model": {7: "graph", 8: "leaf", 14: "leaf", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph", 3: "leaf", 4: "leaf"},
    "graph": {1: "node", 5: "tensor", 11: "value", 12: "value", 13: "value", 14: "leaf"}
    | {15: "sparse", 16: "leaf"},
    "function": {7: "node", 9: "leaf", 11: "attribute", 12: "value", 14: "leaf"},
    "node": {5: "attribute", 9: "leaf", 10: "any"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 14: "type", 15: "type"}
    | {22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {3: "leaf", 13: "leaf", 16: "leaf"},
    "value": {2: "type", 4: "leaf"},
    "type": {1: "array", 4: "type_of", 5: "type_of", 8: "array", 9: "type_of"},
    "type_of": {1: "type", 2: "type"},
    "array": {2: "shape"},
    "shape": {1: "leaf"},
    "leaf": {},
}
_PACKED = {"tensor": {1, 5, 7, 11}, "attribute": {8}}  # one byte here is eight in memory
_PACKED_PER_MESSAGE = 20
_NUMBERS = {4, 9, 10}  # float_data, raw_data, double_data of a tensor: no larger once parsed


def check_wire(data: bytes) -> None:
    """Nothing when parsing `data` takes memory in proportion, else ReadError; bounded time."""
    weights = sum(length for _, length in _big_tensors(data))
    if len(data) - weights <= limits.STRUCTURE_BYTES:
        return
    count = 0
    waiting = [("model", 0, len(data))]
    while waiting:
        kind, start, end = waiting.pop()
        inner = MESSAGES.get(kind, {})
        packed = _PACKED.get(kind, ())
        for number, wire, at, length in fields(data, start, end):
            count += 1 + (length // _PACKED_PER_MESSAGE if number in packed else 0)
            if count > limits.MESSAGES:
                raise ReadError(
                    f"Expected a network of at most {limits.MESSAGES} fields, got more in a file "
                    f"of {len(data)} bytes. Export a part of the network."
                )
            if wire == _BYTES and length and (number in inner or kind == "any"):
                waiting.append((inner.get(number, "any"), at, at + length))


def _big_tensors(data: bytes) -> Iterator[tuple[int, int]]:
    """Place and length of the weights of the main graph, of one initializer after the other."""
    budget = limits.NODES
    for number, wire, at, length in fields(data, 0, len(data)):
        if wire != _BYTES or number != 7:
            continue
        for inner, inner_wire, start, size in fields(data, at, at + length):
            budget -= 1
            if budget < 0:
                return
            if inner_wire == _BYTES and inner == 5 and size > 1024:
                for part, part_wire, begin, extent in fields(data, start, start + size):
                    if part_wire == _BYTES and part in _NUMBERS:
                        yield begin, extent


def fields(data: bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, place and length of each field; ends at the first broken one.

    What is broken is told by the parser itself.

    >>> list(fields(bytes([0x0A, 2, 65, 66, 0x10, 7]), 0, 6))
    [(1, 2, 2, 2), (2, 0, 5, 1)]
    """
    at = start
    while at < end:
        tag, at = _varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        length = {_FIXED64: 8, _FIXED32: 4, **dict.fromkeys(_GROUPS, 0)}.get(wire, -1)
        begin = at
        if wire == _VARINT:
            _, stop = _varint(data, at, end)
            length = stop - at
        elif wire == _BYTES:
            length, begin = _varint(data, at, end)
        if length < 0 or begin + length > end or number == 0:
            return
        yield number, wire, begin, length
        at = begin + length


def _varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7
    return 0, end + 1  # broken: the caller's length check ends the walk
