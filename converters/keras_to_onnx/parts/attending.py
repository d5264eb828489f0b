"""Scaled dot-product attention over heads."""

import math
from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.movement import repeated
from converters.keras_to_onnx.parts.reduction import chosen, softmax_over
from converters.keras_to_onnx.value import UnwrittenError, Value, straight

_TRILU_SINCE = 14


def attend(
    g: Graph,
    q: Value,
    k: Value,
    v: Value,
    *,
    scale: float | None,
    mask: Value | None = None,
    bias: Any = None,
    causal: bool = False,
) -> tuple[Value, Value]:
    """q, k, v (n, t, heads, size) → what is attended (n, t, heads, size), shares (n, heads, t, s).

    `mask` (bool) and `bias` broadcast over the scores; a fully masked row gets equal shares.
    """
    heads, size = q.shape[2], q.shape[3]
    if heads is None or size is None:
        raise UnwrittenError(f"expected known heads and sizes in attention, came {q.shape}")
    factor = 1 / math.sqrt(size) if scale is None else scale
    k, v = _spread(g, k, heads), _spread(g, v, heads)
    # The factor goes on the queries, which are fewer than the scores.
    q = pointwise(g, "Mul", q, np.float32(factor))
    left, right = g.turned(q, (0, 2, 1, 3)), g.turned(k, (0, 2, 3, 1))
    shape = (q.shape[0], heads, q.shape[1], k.shape[1])
    scores = g.emit("MatMul", [left, right], shape, "float32")
    if bias is not None:
        scores = pointwise(g, "Add", scores, bias)
    if causal:
        lower = _lower(g, scores)
        mask = lower if mask is None else pointwise(g, "And", mask, lower, work="bool")
    if mask is not None:
        scores = chosen(g, mask, scores, np.float32(-0.7 * np.finfo(np.float32).max))
    shares = softmax_over(g, scores, [-1])
    seen = [shares, g.turned(v, (0, 2, 1, 3))]
    result = (q.shape[0], q.shape[1], heads, v.shape[3])
    return g.emit("MatMul", seen, result, "float32", (0, 2, 1, 3)), shares


def _spread(g: Graph, x: Value, heads: int) -> Value:
    """Keys or values shared by groups of query heads, once for each of them."""
    own = x.shape[2]
    if own == heads or own is None:
        return x
    return repeated(g, x, (*x.shape[:2], heads, x.shape[3]), heads // own, 2)


def _lower(g: Graph, scores: Value) -> Value:
    """True where a query may look: at its own step and before."""
    steps, seen = scores.shape[2:]
    if steps is not None and seen is not None:
        array = np.tril(np.ones((steps, seen), bool))
        return Value(g.constant(array, "causal"), array.shape, "bool", straight(2))
    if g.opset < _TRILU_SINCE:
        raise UnwrittenError("expected known lengths for a causal mask below opset 14")
    from onnx import helper

    sizes = g.node("Slice", [g.node("Shape", [scores])[0], np.array([2]), np.array([4])])[0]
    fill = helper.make_tensor(
        "one", helper.np_dtype_to_tensor_dtype(np.dtype("float32")), [1], [1.0]
    )
    ones = g.node("ConstantOfShape", [sizes], value=fill)[0]
    lower = g.emit("Trilu", [ones], (steps, seen), "float32", upper=0)
    return g.cast(lower, "bool")


def sliding_mask(g: Graph, query: Value, value: Value, window: int) -> Value:
    """True where query and key are less than `window` steps apart."""
    steps, seen = query.shape[1], value.shape[1]
    if steps is None or seen is None:
        raise UnwrittenError("expected known lengths for a sliding window, came open ones")
    apart = np.abs(np.arange(steps)[:, None] - np.arange(seen)[None, :])
    array = apart < window
    return Value(g.constant(array, "window"), array.shape, "bool", straight(2))
