"""Values of nodes whose inputs are all known: NumPy for shape arithmetic, onnx.reference else."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from converters.onnx_to_keras.graph import Node
from converters.onnx_to_keras.parse import as_float32

Array = np.ndarray


def evaluate(
    node: Node, proto: onnx.NodeProto, inputs: Sequence[Array | None], opset: int
) -> list[Array]:
    """The node's outputs; raises whatever the kernel raises on inputs that do not fit."""
    kernel = _KERNELS.get(node.op) if not node.domain else None
    known = [array for array in inputs if array is not None]
    if kernel is not None and len(known) == len(inputs):
        found = kernel(node, known, opset)
        if found is not None:
            return [as_float32(np.asarray(found))]
    names = [name for name in dict.fromkeys(node.inputs) if name]
    feeds = {n: a for n, a in zip(node.inputs, inputs, strict=True) if a is not None}
    graph = onnx.helper.make_graph(
        [proto],
        "one",
        [
            onnx.helper.make_tensor_value_info(
                name, onnx.helper.np_dtype_to_tensor_dtype(feeds[name].dtype), feeds[name].shape
            )
            for name in names
        ],
        [onnx.ValueInfoProto(name=name) for name in node.outputs if name],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)])
    outputs = ReferenceEvaluator(model).run(None, feeds)
    return [as_float32(np.asarray(array)) for array in outputs]


def _axes(node: Node, inputs: list[Array], opset: int, since: int) -> list[int] | None:
    if opset >= since:
        return [int(a) for a in inputs[1].ravel()] if len(inputs) > 1 else None
    axes = node.attributes.get("axes")
    return [int(a) for a in axes] if isinstance(axes, list) else None


def _unsqueeze(node: Node, inputs: list[Array], opset: int) -> Array:
    axes = _axes(node, inputs, opset, 13) or []
    rank = inputs[0].ndim + len(axes)
    return np.expand_dims(inputs[0], tuple(axis % rank for axis in axes))


def _squeeze(node: Node, inputs: list[Array], opset: int) -> Array:
    axes = _axes(node, inputs, opset, 13)
    return np.squeeze(inputs[0], None if axes is None else tuple(axes))


def _slice(node: Node, inputs: list[Array], opset: int) -> Array | None:
    if opset < 10:
        return None
    data, starts, ends = inputs[:3]
    axes = inputs[3] if len(inputs) > 3 else np.arange(len(starts))
    steps = inputs[4] if len(inputs) > 4 else np.ones(len(starts), np.int64)
    index: list[slice] = [slice(None)] * data.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        if step < 0:
            return None
        index[int(axis)] = slice(int(start), int(end), int(step))
    return data[tuple(index)]


def _reshape(node: Node, inputs: list[Array], opset: int) -> Array | None:
    if len(inputs) < 2 or node.attributes.get("allowzero"):
        return None
    target = [inputs[0].shape[i] if n == 0 else int(n) for i, n in enumerate(inputs[1])]
    return inputs[0].reshape(target)


def _divide(node: Node, inputs: list[Array], opset: int) -> Array:
    a, b = inputs
    if a.dtype.kind in "iu":  # the spec truncates towards zero
        return (np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b))).astype(a.dtype)
    with np.errstate(divide="ignore", invalid="ignore"):
        return a / b


def _fill(node: Node, inputs: list[Array], opset: int) -> Array:
    value = node.attributes.get("value")
    fill = value.ravel() if isinstance(value, np.ndarray) else np.zeros(1, np.float32)
    return np.full(tuple(int(n) for n in inputs[0]), fill[0], fill.dtype)


def _cast(node: Node, inputs: list[Array], opset: int) -> Array:
    to = node.attributes["to"]
    assert isinstance(to, int)
    with np.errstate(invalid="ignore", over="ignore"):
        return inputs[0].astype(onnx.helper.tensor_dtype_to_np_dtype(to))


def _gather(node: Node, inputs: list[Array], opset: int) -> Array:
    axis = node.attributes.get("axis", 0)
    assert isinstance(axis, int)
    return np.take(inputs[0], inputs[1].astype(np.int64), axis=axis)


def _concat(node: Node, inputs: list[Array], opset: int) -> Array:
    axis = node.attributes.get("axis", 1)
    assert isinstance(axis, int)
    return np.concatenate(inputs, axis=axis)


def _transpose(node: Node, inputs: list[Array], opset: int) -> Array:
    perm = node.attributes.get("perm")
    return np.ascontiguousarray(np.transpose(inputs[0], perm if isinstance(perm, list) else None))


def _plain(function: Callable[..., Array]) -> Callable[[Node, list[Array], int], Array]:
    return lambda node, inputs, opset: function(*inputs)


_KERNELS: dict[str, Callable[[Node, list[Array], int], Array | None]] = {
    "Add": _plain(np.add),
    "Cast": _cast,
    "Concat": _concat,
    "ConstantOfShape": _fill,
    "Div": _divide,
    "Equal": _plain(np.equal),
    "Expand": lambda node, inputs, opset: (
        inputs[0] * np.ones(inputs[1], inputs[0].dtype)
        if inputs[0].dtype.kind != "b"
        else inputs[0] & np.ones(inputs[1], bool)
    ),
    "Gather": _gather,
    "Identity": lambda node, inputs, opset: inputs[0],
    "Mul": _plain(np.multiply),
    "Neg": _plain(np.negative),
    "Not": _plain(np.logical_not),
    "Range": lambda node, inputs, opset: np.arange(
        *(array.item() for array in inputs), dtype=inputs[0].dtype
    ),
    "Reshape": _reshape,
    "Slice": _slice,
    "Squeeze": _squeeze,
    "Sub": _plain(np.subtract),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _plain(np.where),
}
