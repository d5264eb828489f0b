"""ModelProto → Graph: Python values instead of protobuf, floating point as float32.

initializers, Constant nodes ─▶ constants     inputs ─▶ values, with a batch axis that is free
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from onnx import numpy_helper

from converters.doors.json_text import read_json
from converters.errors import ConversionError, ReadError
from converters.onnx_to_keras.graph import PROBES, Graph, Node, Value
from converters.onnx_to_keras.names import module_scope
from converters.onnx_to_keras.registry import Constant

FLOATS = {
    onnx.TensorProto.FLOAT,
    onnx.TensorProto.FLOAT16,
    onnx.TensorProto.BFLOAT16,
    onnx.TensorProto.DOUBLE,
}
_WHOLE: dict[int, str] = {
    onnx.TensorProto.BOOL: "bool",
    **{getattr(onnx.TensorProto, f"{u}INT{n}"): f"{u.lower()}int{n}"
       for u in ("", "U") for n in (8, 16, 32, 64)},
}  # fmt: skip
_NAMED = set(onnx.TensorProto.DataType.values())
_OF_MODULE = re.compile(r"[A-Za-z_]\w*(\.\w+)*\.[A-Za-z_]\w*")
_TYPED = ("Cast", "CastLike", "ConstantOfShape", "EyeLike", "RandomNormal", "RandomUniform")


def parse(
    proto: onnx.ModelProto,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    *,
    static: bool = False,
) -> Graph:
    """Graph of a checked model; `static` keeps the shapes of the file as they are.

    Raises:
        ConversionError: an axis besides the batch has no size, in the file or in `input_shapes`.
    """
    graph = proto.graph
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    constants = _initializers(graph.initializer, metadata)
    nodes = []
    for node in graph.node:
        if node.op_type == "Constant" and node.domain in ("", "ai.onnx"):
            value = _constant_node(node)
            is_weight = not graph.initializer and value.dtype.kind == "f" and value.size > 1
            constants[node.output[0]] = Constant(node.output[0], value, is_weight)
        else:
            nodes.append(to_node(node))
    inputs = [value for value in graph.input if value.name not in constants]
    if not inputs:
        raise ConversionError(
            f"Expected a network with an input, got '{graph.name}', whose results are fixed. "
            "There is nothing to train in it."
        )
    unknown = set(input_shapes or ()) - {value.name for value in inputs}
    if unknown:
        raise ConversionError(
            f"Expected names of inputs in input_shapes, got {sorted(unknown)}. The inputs are "
            f"{[value.name for value in inputs]}."
        )
    return Graph(
        nodes=tuple(nodes),
        inputs=tuple(value.name for value in inputs),
        outputs=tuple(value.name for value in graph.output),
        constants=constants,
        values=_input_values(inputs, input_shapes or {}, static),
        opset=next((o.version for o in proto.opset_import if o.domain in ("", "ai.onnx")), 0),
        metadata=metadata,
    )


def to_node(node: onnx.NodeProto) -> Node:
    """A node with its attributes as Python values; tensors as arrays, subgraphs as they are."""
    attributes = {entry.name: _attribute(entry) for entry in node.attribute}
    if node.op_type in _TYPED:
        for key in ("to", "dtype"):
            if attributes.get(key) in FLOATS:
                attributes[key] = onnx.TensorProto.FLOAT
    return Node(
        op=node.op_type,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        attributes=attributes,
        name=node.name,
        domain="" if node.domain == "ai.onnx" else node.domain,
        source=(node.name or node.output[0],),
        scope=module_scope(node),
    )


def as_float32(array: np.ndarray) -> np.ndarray:
    """Any floating-point array as float32; others as they are, NaN and infinity included."""
    if array.dtype.kind == "f" or array.dtype.name.startswith(("bfloat", "float8")):
        with np.errstate(over="ignore"):
            return np.ascontiguousarray(array, dtype=np.float32).reshape(array.shape)
    return array


def element_type(onnx_type: int) -> np.dtype:
    """NumPy's type of an ONNX element type; every floating type is float32."""
    if onnx_type in FLOATS:
        return np.dtype(np.float32)
    found = _WHOLE.get(onnx_type)
    if found is None:
        name = onnx.TensorProto.DataType.Name(onnx_type) if onnx_type in _NAMED else onnx_type
        raise ConversionError(
            f"Expected numbers that a Keras tensor can hold, got values of the type {name}. "
            "Export the network with float32, int64 or bool values."
        )
    return np.dtype(found)


def _attribute(entry: onnx.AttributeProto) -> object:
    value = onnx.helper.get_attribute_value(entry)
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    if isinstance(value, onnx.TensorProto):
        return as_float32(numpy_helper.to_array(value))
    if entry.type == onnx.AttributeProto.STRINGS:
        return [text.decode("utf-8", errors="replace") for text in value]
    if entry.type in (onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS):
        return list(value)
    return value


def _constant_node(node: onnx.NodeProto) -> np.ndarray:
    entry = node.attribute[0]
    value = _attribute(entry)
    if isinstance(value, np.ndarray):
        return value
    if entry.name in ("value_float", "value_floats"):
        return np.array(value, dtype=np.float32)
    if entry.name in ("value_int", "value_ints"):
        return np.array(value, dtype=np.int64)
    raise ConversionError(
        f"Expected numbers in the Constant '{node.name or node.output[0]}', got its attribute "
        f"'{entry.name}'. Text and sparse constants have no place in a Keras model."
    )


def _initializers(
    tensors: Iterable[onnx.TensorProto], metadata: Mapping[str, str]
) -> dict[str, Constant]:
    """The file's weights. Trainable: what the source calls parameters, else arrays of floats."""
    parameters, buffers = _names(metadata, "parameters"), _names(metadata, "buffers")
    found = {}
    for tensor in tensors:
        array = as_float32(numpy_helper.to_array(tensor))
        is_weight = array.dtype.kind == "f" and tensor.name not in (buffers or ())
        if parameters is not None:
            is_weight = is_weight and tensor.name in parameters
        elif array.size < 2:  # a number that the code has, unless a module owns it
            is_weight = is_weight and _OF_MODULE.fullmatch(tensor.name) is not None
        found[tensor.name] = Constant(tensor.name, array, is_weight)
    return found


def _names(metadata: Mapping[str, str], kind: str) -> set[str] | None:
    """Names that an exporter of ours left in the file; None where it left none."""
    try:
        names = read_json(metadata.get(f"converters.{kind}", "null"), "the metadata")
    except ReadError:
        return None
    return {str(name) for name in names} if isinstance(names, list) else None


def _input_values(
    inputs: Sequence[onnx.ValueInfoProto],
    given: Mapping[str, Sequence[int | None]],
    static: bool,
) -> dict[str, Value]:
    declared = {value.name: _declared(value, given) for value in inputs}
    if not static:
        _free_batch(declared)
    unknown = {
        name: ["?" if size is None else size for size in shape]
        for name, shape in declared.items()
        if None in shape[1:] or (static and None in shape)
    }
    if unknown:
        first = next(iter(unknown))
        example = tuple(
            (None if axis == 0 else 224) if size == "?" else size
            for axis, size in enumerate(unknown[first])
        )
        raise ConversionError(
            f"Expected inputs whose only unknown size is the batch, got {unknown}. Say the sizes, "
            f"in the file's own order of axes: input_shapes={{'{first}': {example}}}"
        )
    values = {}
    for value in inputs:
        shape = declared[value.name]
        small, large = (tuple(n if s is None else s for s in shape) for n in PROBES)
        dtype = element_type(value.type.tensor_type.elem_type)
        values[value.name] = Value((small, large), dtype)
    return values


def _declared(
    value: onnx.ValueInfoProto, given: Mapping[str, Sequence[int | None]]
) -> list[int | None]:
    tensor = value.type.tensor_type
    if not value.type.HasField("tensor_type"):
        raise ConversionError(
            f"Expected arrays as inputs, got '{value.name}', a "
            f"{value.type.WhichOneof('value')}. Export the network with arrays as its inputs."
        )
    if value.name in given:
        return [None if size in (None, -1) else int(size) for size in given[value.name]]
    if not tensor.HasField("shape"):
        raise ConversionError(
            f"Expected a shape for the input '{value.name}', got none in the file. Say it: "
            f"input_shapes={{'{value.name}': (None, 3, 224, 224)}}"
        )
    # A size of 0 or below is how some exporters write "unknown".
    return [
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None
        for dim in tensor.shape.dim
    ]


def _free_batch(declared: dict[str, list[int | None]]) -> None:
    """Frees the first axis of every input, if they all agree on its size."""
    firsts = {shape[0] for shape in declared.values() if shape}
    if len(firsts) == 1 or None in firsts:
        for shape in declared.values():
            if shape and (len(firsts) == 1 or shape[0] == 1):
                shape[0] = None
