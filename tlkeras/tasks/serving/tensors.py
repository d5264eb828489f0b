"""JSON values ⇄ named tensors, by the rules of TensorFlow Serving's REST interface.

row form       {"instances": [row, row, …]}              ─▶ {"predictions": [row, row, …]}
columnar form  {"inputs": value or {name: value, …}}     ─▶ {"outputs": value or {name: value}}

Bytes are {"b64": "…"} objects wherever a string tensor is expected. Written from
https://www.tensorflow.org/tfx/serving/api_rest.
"""

import base64
import binascii
from collections.abc import Mapping
from itertools import repeat
from typing import TypeAlias

import numpy as np

from tlkeras.tasks.serving.servable import Field, Tensors

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
Fields = Mapping[str, Field]

BYTES_SUFFIX = "_bytes"
_SHOWN = 80  # characters of a value in an error
_WHITE = str.maketrans("", "", " \t\r\n")


class RequestError(Exception):
    """A request that is answered with an error: `status` of HTTP and a message for its sender."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def from_instances(rows: Json, inputs: Fields, most: int) -> dict[str, np.ndarray]:
    """Tensors of a request in row form; side 0 of each is the number of rows.

    Raises:
        RequestError: 400 for what the signature does not take, 413 for more than `most` rows.

    >>> from_instances([1.0, 2.0], {"x": Field("float32", (None,))}, most=10)["x"].tolist()
    [1.0, 2.0]
    """
    if not isinstance(rows, list):
        raise RequestError(400, f"'instances' must be a list. Received: {_shown(rows)}")
    if not rows:
        raise RequestError(
            400, "'instances' must have at least one element. Received: an empty list"
        )
    _check_count(len(rows), most)
    named = _is_map(rows[0])
    for number, row in enumerate(rows):
        if _is_map(row) != named:
            expected = "an object of named inputs" if named else "a value or a list"
            raise RequestError(
                400,
                f"Elements of 'instances' must all be alike: element 0 is {expected}, element "
                f"{number} is not. Received: {_shown(row)}",
            )
        if isinstance(row, dict) and named and set(row) != set(inputs):
            raise RequestError(
                400,
                f"Element {number} of 'instances' must have the keys {_names(inputs)}. "
                f"Received: {_names(row)}",
            )
    if named:
        return {
            name: _to_tensor([row[name] for row in rows], name, field)  # type: ignore[index,call-overload]
            for name, field in inputs.items()
        }
    return {name: _to_tensor(rows, name, field) for name, field in _only(inputs, "instances")}


def from_inputs(given: Json, inputs: Fields, most: int) -> dict[str, np.ndarray]:
    """Tensors of a request in columnar form.

    Raises:
        RequestError: 400 for what the signature does not take, 413 for more than `most` rows.

    >>> from_inputs({"x": [1, 2]}, {"x": Field("float32", (None,))}, most=10)["x"].tolist()
    [1.0, 2.0]
    """
    if not isinstance(given, dict) or _is_b64(given):
        columns = [(name, field, given) for name, field in _only(inputs, "inputs")]
    else:
        missing = [name for name in inputs if name not in given]
        if missing:
            raise RequestError(
                400, f"'inputs' must have the keys {_names(inputs)}. Received: {_names(given)}"
            )
        columns = [(name, field, given[name]) for name, field in inputs.items()]
    for _, _, value in columns:
        _check_count(len(value) if isinstance(value, list) else 1, most)
    return {name: _to_tensor(value, name, field) for name, field, value in columns}


def to_predictions(outputs: Tensors) -> Json:
    """Rows of the outputs: objects, or bare values where there is one output only.

    Raises:
        RequestError: 400 where the outputs have not one row each for the same rows.

    >>> to_predictions({"y": np.array([3.5, 4.0], "float32")})
    [3.5, 4.0]
    >>> to_predictions({"label": np.array(["cat"], object), "ok": np.array([True])})
    [{'label': 'cat', 'ok': True}]
    """
    counts = {array.shape[:1] for array in outputs.values()}
    if len(counts) != 1 or not counts.isdisjoint({()}):
        raise RequestError(
            400,
            "The outputs have not the same number of rows and can't be given row by row. "
            "Send the request in columnar form, with 'inputs'",
        )
    columns = [_rows(name, array) for name, array in outputs.items()]
    if len(columns) == 1:
        return columns[0]
    return [dict(zip(outputs, row, strict=True)) for row in zip(*columns, strict=True)]


def to_outputs(outputs: Tensors) -> Json:
    """The outputs by name, or the bare value where there is one only.

    >>> to_outputs({"y": np.array([3.5, 4.0], "float32")})
    [3.5, 4.0]
    """
    columns = {name: _to_json(name, array) for name, array in outputs.items()}
    return next(iter(columns.values())) if len(columns) == 1 else columns


def _only(inputs: Fields, key: str) -> list[tuple[str, Field]]:
    if len(inputs) != 1:
        raise RequestError(400, f"'{key}' must name its inputs: {_names(inputs)}. Received: none")
    return list(inputs.items())


def _check_count(count: int, most: int) -> None:
    if count > most:
        raise RequestError(
            413, f"A request may have {most:,} rows. Received: {count:,}. Send it in parts"
        )


def _to_tensor(value: Json, name: str, field: Field) -> np.ndarray:
    array = _strings(value, name) if field.dtype == "string" else _numbers(value, name, field)
    free = len(array.shape) == len(field.shape) and all(
        wanted in (None, found) for wanted, found in zip(field.shape, array.shape, strict=True)
    )
    if not free and not (array.size == 0 and array.shape == (0,)):
        raise RequestError(
            400,
            f"Input '{name}' must have the shape {_shape(field.shape)}. "
            f"Received: {_shape(array.shape)}",
        )
    if array.shape == (0,):
        array = array.reshape(0, *(side or 1 for side in field.shape[1:]))
    return array


def _strings(value: Json, name: str) -> np.ndarray:
    """Object array of bytes; lists may nest, the lengths of a level must agree."""
    shape: list[int] = []
    level: list[Json] = [value]
    while level and isinstance(level[0], list):
        count = len(level[0])
        if any(not isinstance(each, list) or len(each) != count for each in level):
            raise RequestError(400, f"Lists of input '{name}' must be of one length at each level")
        shape.append(count)
        level = [inner for each in level if isinstance(each, list) for inner in each]
    array = np.empty(len(level), object)
    array[:] = [_bytes(each, name) for each in level]
    return array.reshape(shape)


def _bytes(value: Json, name: str) -> bytes:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if not _is_b64(value):
        raise RequestError(
            400,
            f"Input '{name}' takes strings, or bytes as {{\"b64\": text}}. "
            f"Received: {_shown(value)}",
        )
    text = str(value["b64"]).translate(_WHITE)  # type: ignore[index,call-overload]
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(
            400,
            f"Input '{name}' has a \"b64\" that is not base64 ({error}). Encode the file's bytes "
            "by the standard alphabet, A-Z a-z 0-9 + /",
        ) from error


def _numbers(value: Json, name: str, field: Field) -> np.ndarray:
    try:
        array = np.array(value)
    except (ValueError, OverflowError) as error:
        raise RequestError(
            400, f"Lists of input '{name}' must be of one length at each level"
        ) from error
    if not array.size:
        return array.astype(field.dtype)
    allowed = {"float32": "iuf", "uint8": "iu", "bool": "b"}[field.dtype]
    if array.dtype.kind not in allowed:
        raise RequestError(
            400, f"Input '{name}' takes numbers of type {field.dtype}. Received: {_shown(value)}"
        )
    if field.dtype == "uint8" and not 0 <= array.min() <= array.max() <= 255:
        raise RequestError(
            400,
            f"Input '{name}' takes whole numbers from 0 to 255. "
            f"Received: {array.min()} to {array.max()}",
        )
    with np.errstate(over="ignore"):
        cast = array.astype(field.dtype)
    if field.dtype == "float32" and (np.isinf(cast) & np.isfinite(array)).any():
        raise RequestError(400, f"Input '{name}' has numbers that are too large for float32")
    return cast


def _rows(name: str, array: np.ndarray) -> list[Json]:
    found = _to_json(name, array)
    return found if isinstance(found, list) else [found]


def _to_json(name: str, array: np.ndarray) -> Json:
    """Nested lists; floats in the fewest digits that read back as the same float32."""
    if array.dtype == np.float32:
        shortest = [float(text) for text in map(str, array.ravel())]
        return _nested(shortest, array.shape)
    if array.dtype == object:
        binary = name.endswith(BYTES_SUFFIX)
        return _nested(list(map(_text, array.ravel(), repeat(binary))), array.shape)
    nested: Json = array.tolist()
    return nested


def _nested(flat: list, shape: tuple[int, ...]) -> Json:
    array = np.empty(len(flat), object)
    array[:] = flat
    nested: Json = array.reshape(shape).tolist()
    return nested


def _text(value: str | bytes, binary: bool) -> Json:
    raw = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else bytes(value)
    if binary:
        return {"b64": base64.b64encode(raw).decode("ascii")}
    return raw.decode("utf-8", "backslashreplace")


def _is_b64(value: Json) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"} and isinstance(value["b64"], str)


def _is_map(value: Json) -> bool:
    return isinstance(value, dict) and not _is_b64(value)


def _shape(shape: tuple[int | None, ...]) -> str:
    return "[" + ",".join("?" if side is None else str(side) for side in shape) + "]"


def _names(found: Mapping[str, object]) -> str:
    shown = ", ".join(f"'{name[:_SHOWN]}'" for name in list(found)[:8])
    return (shown or "none") + (", …" if len(found) > 8 else "")


def _shown(value: Json) -> str:
    """The value's beginning, without writing all of a large one."""
    if isinstance(value, dict):
        return f"an object with the keys {_names(value)}"
    if isinstance(value, list):
        return f"a list of {len(value)}"
    text = repr(value[:_SHOWN] if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN + 2 else text[:_SHOWN] + "…"
