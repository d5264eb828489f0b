"""MultiHeadAttention as ONNX Runtime's own fusions look for it."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.layers.activate import activated
from converters.keras_to_onnx.layers.dense import projected
from converters.keras_to_onnx.parts.align import pointwise
from converters.keras_to_onnx.parts.attending import attend, sliding_mask
from converters.keras_to_onnx.parts.reduction import unsqueezed
from converters.keras_to_onnx.registry import layer
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value


@layer("MultiHeadAttention")
def multi_head_attention(
    g: Graph,
    op: Any,
    out: Spec | list[Spec],
    query: Value,
    value: Value,
    key: Value | None = None,
    *,
    return_attention_scores: bool = False,
    use_causal_mask: bool = False,
    **masks: Any,
) -> Value | list[Value]:
    """Projections, scores (n, heads, t, s), softmax, the sum of values, and the last projection."""
    key = value if key is None else key
    if query.rank != 3 or len(op._attention_axes) != 1:
        raise UnwrittenError(f"expected sequences (n, t, d) to attend over, came {query.shape}")
    specs = out if isinstance(out, list) else [out]
    q = _heads(g, op._query_dense, "query", query)
    k = _heads(g, op._key_dense, "key", key)
    v = _heads(g, op._value_dense, "value", value)
    mask = _mask(g, query, value, masks)
    if op._sliding_window is not None:
        mask = _both(g, mask, sliding_mask(g, query, value, op._sliding_window))
    context, shares = attend(
        g, q, k, v, scale=op._inverse_sqrt_key_dim, mask=mask, causal=use_causal_mask
    )
    if op._use_gate:
        gate = _heads(g, op._gate_dense, "gate", query)
        context = pointwise(g, "Mul", context, activated(g, op._gate_dense.activation, gate))
    with g.scoped("attention_output"):
        result = projected(g, op._output_dense, context, specs[0].shape)
    return [result, shares] if return_attention_scores else result


def _heads(g: Graph, dense: Any, name: str, x: Value) -> Value:
    """The projection (n, t, heads, size)."""
    with g.scoped(name):
        return projected(g, dense, x, (*x.shape[:-1], *dense.kernel.shape[1:]))


def _mask(g: Graph, query: Value, value: Value, masks: dict[str, Any]) -> Value | None:
    """What Keras' masks and the given one keep, to broadcast over (n, heads, t, s)."""
    kept: Value | None = None
    for name, axes in [("query_mask", [1, 3]), ("value_mask", [1, 2]), ("key_mask", [1, 2])]:
        if isinstance(masks.get(name), Value):
            kept = _both(g, kept, unsqueezed(g, g.cast(masks[name], "bool"), axes))
    given = masks.get("attention_mask")
    if given is None:
        return kept
    if not isinstance(given, Value):
        array = np.asarray(given, bool)
        array = array[:, None] if array.ndim == 3 else array
        return Value(g.constant(array), array.shape, "bool", tuple(range(array.ndim)))
    given = g.cast(given, "bool")
    return _both(g, kept, unsqueezed(g, given, [1]) if given.rank == 3 else given)


def _both(g: Graph, first: Value | None, second: Value) -> Value:
    return second if first is None else pointwise(g, "And", first, second, work="bool")
