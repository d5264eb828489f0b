"""Sparse weights made dense, so that there is one kind of weight."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ReadError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.walk import graphs

if TYPE_CHECKING:
    import onnx


def densify(model: onnx.ModelProto) -> None:
    """Put a dense initializer in the place of each sparse one, in place; ReadError if too big."""
    room = limits.TENSOR_BYTES
    for graph, _ in graphs(model):
        if not hasattr(graph, "sparse_initializer"):
            continue
        for sparse in graph.sparse_initializer:
            tensor = _dense(sparse, room)
            room -= len(tensor.raw_data)
            graph.initializer.append(tensor)
        graph.ClearField("sparse_initializer")


def _dense(sparse: onnx.SparseTensorProto, room: int) -> onnx.TensorProto:
    from onnx import TensorProto, numpy_helper

    name, shape = sparse.values.name, list(sparse.dims)
    if sparse.values.data_type == TensorProto.STRING or sparse.indices.data_type != 7:
        raise ReadError(
            f"Expected sparse initializer '{name}' to hold numbers at int64 places, got another "
            "kind. Export the network with dense weights."
        )
    values = numpy_helper.to_array(sparse.values)
    places = numpy_helper.to_array(sparse.indices)
    size = math.prod(shape)
    if min(shape, default=0) < 0 or len(shape) > limits.RANK or size * values.itemsize > room:
        raise ReadError(
            f"Expected sparse initializer '{name}' to fit in memory, got shape {shape[:8]}. "
            "Export the network with smaller weights."
        )
    if places.ndim == 2 and places.shape == (values.size, len(shape)):
        inside = bool(np.all((places >= 0) & (places < np.array(shape))))
        flat = places @ np.cumprod([1, *shape[:0:-1]])[::-1] if inside else places
    else:
        inside = places.shape == (values.size,) and bool(np.all((places >= 0) & (places < size)))
        flat = places
    if not inside or values.ndim != 1:
        raise ReadError(
            f"Expected the places of sparse initializer '{name}' within its shape {shape[:8]}, "
            "got others. The file is damaged: export it again."
        )
    dense = np.zeros(size, values.dtype)
    dense[flat] = values
    return numpy_helper.from_array(dense.reshape(shape), name)
