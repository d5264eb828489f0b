"""A .tflite file → Network, every offset, index and size checked before it is used.

The file is a flatbuffer: tables that point at each other by offsets. A broken or hostile file
has offsets out of the file, lists of four thousand million entries, or a thousand tensors on
one buffer; each ends as a ReadError, and nothing is allocated that the file does not hold.
"""

import re
import struct
from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Protocol

import numpy as np

from converters.errors import ReadError, UnsupportedError
from converters.tf_to_keras.tflite.network import Network, Operator, Quantisation, Tensor

LARGEST_FILE = 2**31  # flatbuffers cannot be larger
LARGEST_RANK = 8
LONGEST_LIST = 200_000  # tensors, operators, buffers
MOST_ELEMENTS = 2**28  # of one tensor; a gigabyte of float32
MOST_COMPUTED = 2**30  # of all that are computed, for a batch of one
NUMPY_TYPES = {
    "FLOAT32": "<f4", "FLOAT16": "<f2", "FLOAT64": "<f8", "BOOL": "?",
    "INT8": "i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "UINT8": "u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
}  # fmt: skip


class Table(Protocol):
    """The accessors of a generated flatbuffer table, by name."""

    def __getattr__(self, name: str) -> Callable[..., object]: ...


def read_network(data: bytes, name: str = "the file") -> Network:
    """The checked content of a .tflite file.

    Raises ReadError for a file that is no TensorFlow Lite network or is damaged, and
    UnsupportedError for one with several subgraphs.
    """
    if len(data) > LARGEST_FILE or len(data) < 8 or data[4:8] != b"TFL3":
        raise ReadError(
            f"Expected a TensorFlow Lite file (bytes 4 to 8 are 'TFL3'), got {data[4:8]!r} in "
            f"{name} of {len(data):,} bytes. Check that it is a .tflite file, downloaded whole."
        )
    try:
        return _network(data)
    except (struct.error, ValueError, IndexError, TypeError, KeyError, AttributeError) as err:
        if isinstance(err, ReadError):
            raise
        raise _damaged(f"an offset or a value out of range ({err})") from err
    except (OverflowError, UnicodeDecodeError, MemoryError) as err:
        raise _damaged(f"a value that cannot be read ({err})") from err


def _network(data: bytes) -> Network:
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(data, 0)
    limit = min(len(data) // 4, LONGEST_LIST)
    if _count(model.SubgraphsLength(), limit) != 1:
        raise UnsupportedError(
            f"Expected one graph, got {model.SubgraphsLength()}: the file has control flow "
            "(IF, WHILE or CALL_ONCE), which has no Keras layer. Convert the network from its "
            "SavedModel, with the loops unrolled."
        )
    names = {code: op for op, code in vars(schema.BuiltinOperator).items() if op[0] != "_"}
    codes = [_op_name(code, names) for code in _tables(model, "OperatorCodes", limit)]
    buffers = [_raw(data, buffer) for buffer in _tables(model, "Buffers", limit)]
    types = {code: kind for kind, code in vars(schema.TensorType).items() if kind[0] != "_"}
    graph = model.Subgraphs(0)
    tensors = tuple(
        _tensor(index, table, buffers, types)
        for index, table in enumerate(_tables(graph, "Tensors", limit))
    )
    operators = tuple(
        _operator(table, codes, schema, limit) for table in _tables(graph, "Operators", limit)
    )
    network = Network(
        tensors, operators, _indices(graph.InputsAsNumpy()), _indices(graph.OutputsAsNumpy()),
        dict(_metadata(model, buffers, limit)),
    )  # fmt: skip
    _check_order(network)
    _check_size(network, len(data))
    return network


def _count(count: object, limit: int) -> int:
    if not isinstance(count, int) or not 0 <= count <= limit:
        raise _damaged(f"a list of {count} entries, more than the file has room for")
    return count


def _tables(owner: Table, name: str, limit: int) -> Iterator[Table]:
    for index in range(_count(getattr(owner, f"{name}Length")(), limit)):
        yield getattr(owner, name)(index)


def _indices(values: object) -> tuple[int, ...]:
    return tuple(int(value) for value in values) if isinstance(values, np.ndarray) else ()


def _op_name(code: Table, names: dict[int, str]) -> str:
    custom = code.CustomCode()
    if isinstance(custom, bytes):
        return custom.decode(errors="replace")
    # Files from before 2020 have only the old one-byte field; the larger of both is the truth.
    number = max(int(str(code.BuiltinCode())), int(str(code.DeprecatedBuiltinCode())))
    return names.get(number, f"operator number {number}")


def _raw(data: bytes, buffer: Table) -> memoryview | None:
    # Files above 2 GB keep buffers behind the flatbuffer; those are not read here.
    length = buffer.DataLength()
    if not isinstance(length, int) or length == 0:
        return None
    values = buffer.DataAsNumpy()
    return values.data if isinstance(values, np.ndarray) else None


def _tensor(
    index: int, table: Table, buffers: list[memoryview | None], types: dict[int, str]
) -> Tensor:
    shape = _indices(table.ShapeAsNumpy())
    signature = _indices(table.ShapeSignatureAsNumpy())
    open_shape = tuple(
        None if given < 0 else size
        for size, given in zip(
            shape, signature if len(signature) == len(shape) else shape, strict=True
        )
    )
    count = prod(max(size, 1) for size in shape)
    if len(shape) > LARGEST_RANK or any(size < -1 for size in shape) or count > MOST_ELEMENTS:
        raise _damaged(f"a tensor of shape {list(shape)}")
    kind = types[int(str(table.Type()))]
    raw = buffers[int(str(table.Buffer()))]
    if raw is not None and kind in NUMPY_TYPES:
        expected = prod(shape) * np.dtype(NUMPY_TYPES[kind]).itemsize
        if expected != len(raw):
            raise _damaged(
                f"a tensor of {expected:,} bytes (shape {list(shape)}, {kind}) whose buffer "
                f"holds {len(raw):,}"
            )
    name = table.Name()
    text = name.decode(errors="replace") if isinstance(name, bytes) else f"tensor_{index}"
    return Tensor(index, text, open_shape, kind, _quantisation(table, shape), raw)


def _quantisation(table: Table, shape: tuple[int, ...]) -> Quantisation | None:
    details = table.Quantization()
    scales = details.ScaleAsNumpy() if details is not None else 0  # type: ignore[attr-defined]
    if not isinstance(scales, np.ndarray) or not len(scales):
        return None
    scales = scales.astype(np.float32)
    zero_points = details.ZeroPointAsNumpy()  # type: ignore[attr-defined]
    if not isinstance(zero_points, np.ndarray) or len(zero_points) != len(scales):
        zero_points = np.zeros(len(scales), np.int64)
    axis = int(details.QuantizedDimension())  # type: ignore[attr-defined]
    if len(scales) > 1 and not (0 <= axis < len(shape) and shape[axis] == len(scales)):
        raise _damaged(f"{len(scales)} scales along axis {axis} of a tensor {list(shape)}")
    if not (np.isfinite(scales).all() and (scales >= 0).all()):
        raise _damaged("a quantisation scale that is negative or not finite")
    if not scales.any():
        return None  # older converters write a zero for "not quantised"
    return Quantisation(scales, zero_points, axis)


def _operator(table: Table, codes: list[str], schema: object, limit: int) -> Operator:
    kind = int(str(table.BuiltinOptionsType()))
    options = getattr(schema, "BuiltinOptionsCreator")(kind, table.BuiltinOptions())  # noqa: B009
    fields = vars(options) if options is not None else {}
    index = int(str(table.OpcodeIndex()))
    if index < 0:
        raise _damaged(f"an operator of kind {index}")
    return Operator(
        codes[index],
        _indices(table.InputsAsNumpy()),
        _indices(table.OutputsAsNumpy()),
        {re.sub("([A-Z])", r"_\1", name).lower(): value for name, value in fields.items()},
    )


def _metadata(
    model: Table, buffers: list[memoryview | None], limit: int
) -> Iterator[tuple[str, memoryview]]:
    for entry in _tables(model, "Metadata", limit):
        name, raw = entry.Name(), buffers[int(str(entry.Buffer()))]
        if isinstance(name, bytes) and raw is not None:
            yield name.decode(errors="replace"), raw


def _check_order(network: Network) -> None:
    """Every operator's inputs come from the file, the caller or an earlier operator."""
    count = len(network.tensors)
    known = {t.index for t in network.tensors if t.constant} | set(network.inputs)
    written: set[int] = set()
    for operator in network.operators:
        for index in operator.inputs:
            if not -1 <= index < count:
                raise _damaged(f"{operator.op} reads tensor {index} of {count}")
            if index in written or index == -1 or index in known:
                continue
            known.add(index)  # a state tensor (LSTM): zeros at the start
        for index in operator.outputs:
            if not 0 <= index < count or index in written or index in known:
                raise _damaged(f"{operator.op} writes tensor {index}, which is taken")
            written.add(index)
    for index in network.inputs + network.outputs:
        if not 0 <= index < count:
            raise _damaged(f"an input or output is tensor {index} of {count}")
    if missing := [i for i in network.outputs if i not in written and i not in known]:
        raise _damaged(f"output tensor {missing[0]} is never computed")
    if not network.operators or not network.outputs or not network.inputs:
        raise _damaged("a graph without operators, inputs or outputs")


def _check_size(network: Network, file_size: int) -> None:
    """Tensors that share one buffer cannot multiply the file's size."""
    used = sum(len(tensor.raw) for tensor in network.tensors if tensor.raw is not None)
    if used > 4 * file_size + 2**24:
        raise _damaged(f"constants of {used:,} bytes together in a file of {file_size:,}")
    computed = sum(prod(s or 1 for s in t.shape) for t in network.tensors if not t.constant)
    if computed > MOST_COMPUTED:
        raise _damaged(f"{computed:,} numbers to compute for one sample")


def _damaged(finding: str) -> ReadError:
    return ReadError(
        f"Expected a whole TensorFlow Lite file, got {finding}. Download or convert it again."
    )


def read_bytes(path: str | Path) -> bytes:
    """The content of a file that is not larger than a flatbuffer can be."""
    path = Path(path)
    try:
        size = path.stat().st_size
        if size <= LARGEST_FILE:
            return path.read_bytes()
    except OSError as err:
        raise ReadError(f"Expected a file that can be read, got {err}. Check the path.") from err
    raise ReadError(f"Expected at most {LARGEST_FILE:,} bytes, got {size:,} in {path}.")
