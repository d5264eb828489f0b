"""A tensor's declared shape and kind against the bytes that it has."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from converters.errors import ReadError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.walk import tensors

if TYPE_CHECKING:
    import onnx

# Bits of one element, by the numbers of onnx.TensorProto.DataType; 8 is text.
_BITS = {
    1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64,
    14: 64, 15: 128, 16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8,
}  # fmt: skip
_TEXT, _COMPLEX = 8, (14, 15)
_FIELD = {1: "float_data", 7: "int64_data", 8: "string_data", 11: "double_data"} | {
    12: "uint64_data", 13: "uint64_data", 14: "float_data", 15: "double_data",
}  # fmt: skip
_FIELDS = ("float_data", "int32_data", "string_data", "int64_data", "double_data", "uint64_data")
EXTERNAL = 1


def elements(tensor: onnx.TensorProto, place: str) -> int:
    """How many values the declared shape has; ReadError for a shape that cannot be."""
    dims = list(tensor.dims)
    count = math.prod(dims)
    if len(dims) > limits.RANK or any(size < 0 for size in dims) or count > limits.TENSOR_BYTES:
        raise ReadError(
            f"Expected {place} to have a shape of at most {limits.RANK} sizes and "
            f"{limits.TENSOR_BYTES} values, got {dims[:8]}. The file is damaged: export it again."
        )
    return count


def expected_bytes(tensor: onnx.TensorProto, place: str) -> int:
    """How many raw bytes the declared shape and kind take."""
    bits = _BITS.get(tensor.data_type)
    if bits is None:
        raise ReadError(
            f"Expected {place} to hold numbers of a kind that ONNX names, got kind number "
            f"{tensor.data_type}. The file is damaged or needs a newer onnx package."
        )
    return (elements(tensor, place) * bits + 7) // 8


def check_tensors(model: onnx.ModelProto) -> None:
    """Nothing when each tensor has the bytes it declares and all fit the limit, else ReadError."""
    total = 0
    for tensor, place in tensors(model):
        total += _check(tensor, place)
        if total > limits.TENSOR_BYTES:
            raise ReadError(
                f"Expected at most {limits.TENSOR_BYTES} bytes of weights, got more. Models of "
                "this size are beyond this converter: export a part of it."
            )


def _check(tensor: onnx.TensorProto, place: str) -> int:
    if tensor.data_location == EXTERNAL or tensor.HasField("segment"):
        raise ReadError(
            f"Expected {place} to have its values in the model, got a reference to somewhere "
            "else. Give the path of the file, so that its folder is known."
        )
    filled = [name for name in _FIELDS if len(getattr(tensor, name))]
    raw = len(tensor.raw_data)
    if len(filled) + bool(raw) > 1:
        raise ReadError(
            f"Expected {place} to store its values once, got {filled} and {raw} raw bytes. "
            "The file is damaged: export it again."
        )
    if tensor.data_type == _TEXT:
        wanted, found = elements(tensor, place), len(tensor.string_data)
        size = sum(map(len, tensor.string_data))
    elif raw or not filled:
        size = wanted = expected_bytes(tensor, place)
        found = raw
    else:
        size = expected_bytes(tensor, place)
        wanted, found = _stored_values(tensor, place), len(getattr(tensor, filled[0]))
        if filled[0] != _FIELD.get(tensor.data_type, "int32_data"):
            found = -1
    if wanted != found:
        raise ReadError(
            f"Expected {place} of shape {list(tensor.dims)[:8]} to store {wanted} "
            f"{'bytes' if raw or not filled else 'values'}, got "
            f"{'them in ' + filled[0] if found < 0 else found}. The file is damaged or cut short: "
            "download or export it again."
        )
    return size


def _stored_values(tensor: onnx.TensorProto, place: str) -> int:
    count = elements(tensor, place)
    if tensor.data_type in _COMPLEX:
        return 2 * count
    return (count + 1) // 2 if _BITS[tensor.data_type] == 4 else count
