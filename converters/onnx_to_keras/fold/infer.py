"""Shapes of a node's outputs, by ONNX's own shape inference on plain numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import onnx
from onnx import defs, numpy_helper, shape_inference

from converters.onnx_to_keras.graph import Node, Shape
from converters.onnx_to_keras.read.sanity import NEVER_INFERRED, misfit

_AS_FIRST = ("GroupNormalization", "MeanVarianceNormalization")
_COMPARISONS = ("GreaterOrEqual", "LessOrEqual")
LARGEST_PARAMETER = 4096  # elements of an array that inference looks into


def infer_shapes(
    node: Node,
    proto: onnx.NodeProto,
    opset: int,
    types: Mapping[str, onnx.TypeProto],
    data: Mapping[str, np.ndarray],
) -> list[tuple[Shape | None, int]]:
    """Shape (None where it cannot be told) and ONNX element type of each output.

    Raises:
        Exception: of several kinds, from C++, where the inputs do not fit the operator.
    """
    unknown: list[tuple[Shape | None, int]] = [(None, 1)] * len(node.outputs)
    if node.op in NEVER_INFERRED:
        return unknown
    shapes = [_plain(types[name])[0] if name else None for name in node.inputs]
    wrong = misfit(
        node.op,
        [None if shape is None else len(shape) for shape in shapes],
        [None if shape is None else math.prod(shape) for shape in shapes],
    )
    if wrong:  # onnx crashes on what does not fit, instead of saying so
        raise ValueError(wrong)
    try:
        schema = defs.get_schema(node.op, opset, node.domain)
    except Exception:  # onnx raises a SchemaError of its own, which it does not export by name
        return unknown
    inferred = shape_inference.infer_node_outputs(
        schema,
        proto,
        dict(types),
        {
            name: numpy_helper.from_array(array, name)
            for name, array in data.items()
            if array.size <= LARGEST_PARAMETER
        },
        opset_imports=[onnx.helper.make_opsetid("", opset)],
    )
    found = [_plain(inferred[name]) if name in inferred else (None, 1) for name in node.outputs]
    return [_by_hand(node, types)] if found == [(None, 1)] else found


def _by_hand(node: Node, types: Mapping[str, onnx.TypeProto]) -> tuple[Shape | None, int]:
    """Operators that ONNX defines by others, whose shapes its inference leaves out."""
    shapes = [_plain(types[name])[0] for name in node.inputs if name]
    if node.op in _AS_FIRST:
        return shapes[0], onnx.TensorProto.FLOAT
    if node.op in _COMPARISONS and None not in shapes:
        return np.broadcast_shapes(*[s for s in shapes if s is not None]), onnx.TensorProto.BOOL
    return None, 1


def to_proto(node: Node) -> onnx.NodeProto:
    """The node as protobuf again."""
    proto = onnx.helper.make_node(node.op, node.inputs, node.outputs, node.name, domain=node.domain)
    for name, value in node.attributes.items():
        if isinstance(value, np.ndarray):
            value = numpy_helper.from_array(value, name)
        if isinstance(value, list) and not value:
            entry = onnx.AttributeProto(name=name, type=onnx.AttributeProto.INTS)
            proto.attribute.append(entry)
        else:
            proto.attribute.append(onnx.helper.make_attribute(name, value))
    return proto


def tensor_type(shape: Shape, dtype: np.dtype) -> onnx.TypeProto:
    """ONNX's type of an array."""
    kind = onnx.helper.np_dtype_to_tensor_dtype(dtype)
    return onnx.helper.make_tensor_type_proto(kind, shape)


def _plain(kind: onnx.TypeProto) -> tuple[Shape | None, int]:
    tensor = kind.tensor_type
    if not kind.HasField("tensor_type") or not tensor.HasField("shape"):
        return None, 1
    if not all(dim.HasField("dim_value") for dim in tensor.shape.dim):
        return None, tensor.elem_type
    return tuple(dim.dim_value for dim in tensor.shape.dim), tensor.elem_type
