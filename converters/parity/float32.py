"""Half-precision ONNX models in float32: what their numbers mean, without their rounding.

An import computes in float32, so its answers are compared with the same network in float32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from converters.onnx_to_keras.read.walk import graphs, tensors

if TYPE_CHECKING:
    import onnx

_FLOAT, _HALVES = 1, (10, 16)  # numbers of float32, float16 and bfloat16 in TensorProto


def in_float32(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with float32 for float16 and bfloat16; the same object when it has none."""
    import onnx
    from onnx import numpy_helper

    if not _has_halves(model):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    for tensor, _ in tensors(copy):
        if tensor.data_type in _HALVES:
            name = tensor.name
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, name))
    for graph, _ in graphs(copy):
        if not hasattr(graph, "value_info"):
            continue
        del graph.value_info[:]
        for value in (*graph.input, *graph.output):
            if value.type.tensor_type.elem_type in _HALVES:
                value.type.tensor_type.elem_type = _FLOAT
        for node in graph.node:
            for attribute in node.attribute:
                if attribute.name in ("to", "dtype", "stash_type") and attribute.i in _HALVES:
                    attribute.i = _FLOAT
    return copy


def _has_halves(model: onnx.ModelProto) -> bool:
    return any(tensor.data_type in _HALVES for tensor, _ in tensors(model)) or any(
        value.type.tensor_type.elem_type in _HALVES
        for value in (*model.graph.input, *model.graph.output)
    )
