"""Attention: one operation of Keras, and ONNX's own operator with all that it can do besides.

Vaswani and others, "Attention is all you need", 2017, section 3.2.1.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from keras import KerasTensor
from keras import ops as K

from converters.onnx_to_keras.ops import Operand
from converters.onnx_to_keras.ops.arithmetic import sum_of
from converters.onnx_to_keras.registry import op

if TYPE_CHECKING:
    from converters.onnx_to_keras.build import Build


@op("Attention", order="own")
def attention(
    build: Build,
    query: Operand,
    key: Operand,
    value: Operand,
    bias: Operand | None = None,
    *,
    scale: float | None = None,
) -> KerasTensor:
    """query, key, value (batch, tokens, heads, depth), bias (batch | 1, heads | 1, to, from).

    → (batch, tokens, heads, depth): softmax(scale query keyᵀ + bias) value.
    """
    return K.dot_product_attention(
        build.tensor(query),
        build.tensor(key),
        build.tensor(value),
        bias=None if bias is None else build.tensor(bias),
        scale=scale,
        flash_attention=False,
    )


@op("FullAttention", order="fixed")
def full_attention(
    build: Build,
    query: Operand,
    key: Operand,
    value: Operand,
    mask: Operand | None = None,
    past_key: Operand | None = None,
    past_value: Operand | None = None,
    lengths: Operand | None = None,
    *,
    q_num_heads: int | None = None,
    kv_num_heads: int | None = None,
    scale: float | None = None,
    is_causal: int = 0,
    softcap: float = 0.0,
    softmax_precision: int = 0,
    qk_matmul_output_mode: int = 0,
) -> tuple[KerasTensor, ...]:
    """ONNX's Attention of opset 23: result, keys and values with the past, scores.

    query, key, value (batch, heads, tokens, depth), or (batch, tokens, heads * depth).
    """
    flat = len(build.tensor(query).shape) == 3
    query = _heads(build, query, q_num_heads)
    key, value = (_heads(build, part, kv_num_heads) for part in (key, value))
    past = 0 if past_key is None else int(build.tensor(past_key).shape[2])
    if past_key is not None and past_value is not None:
        key = K.concatenate([build.tensor(past_key), key], axis=2)
        value = K.concatenate([build.tensor(past_value), value], axis=2)
    shared = query.shape[1] // key.shape[1]  # queries of several heads that share one key
    keys, values = (K.repeat(x, shared, axis=1) if shared > 1 else x for x in (key, value))
    factor = 1 / math.sqrt(query.shape[3]) if scale is None else scale
    scores = K.matmul(K.multiply(query, factor), K.swapaxes(keys, 2, 3))
    biased = scores
    for bias in _biases(build, (query.shape[2], keys.shape[2]), mask, lengths, past, is_causal):
        biased = sum_of(biased, bias)
    capped = K.multiply(K.tanh(K.divide(biased, softcap)), softcap) if softcap else biased
    weights = K.softmax(capped, axis=-1)
    y = K.matmul(weights, values)
    if flat:
        y = K.reshape(K.swapaxes(y, 1, 2), (-1, query.shape[2], y.shape[1] * y.shape[3]))
    return y, key, value, (scores, biased, capped, weights)[qk_matmul_output_mode]


def _heads(build: Build, part: Operand, heads: int | None) -> KerasTensor:
    """(batch, heads, tokens, depth)."""
    x = build.tensor(part)
    if len(x.shape) == 4 or heads is None:
        return x
    split = K.reshape(x, (-1, x.shape[1], heads, x.shape[2] // heads))
    return K.swapaxes(split, 1, 2)


def _biases(
    build: Build,
    sizes: tuple[int | None, int | None],
    mask: Operand | None,
    lengths: Operand | None,
    past: int,
    is_causal: int,
) -> list[KerasTensor | np.ndarray]:
    """What is added to the scores (batch, heads, to, from): zero, or minus infinity to forbid."""
    to, source = sizes
    if to is None or source is None:
        raise build.fail("a fixed number of tokens", "Export with a fixed length.")
    found: list[KerasTensor | np.ndarray] = []
    if mask is not None:
        tensor = build.tensor(mask)
        short = source - tensor.shape[-1]
        if np.dtype(tensor.dtype) == bool:
            tensor = _forbidding(tensor)
        edges = [(0, 0)] * (len(tensor.shape) - 1) + [(0, short)]
        found.append(K.pad(tensor, edges, constant_values=-np.inf) if short else tensor)
    if is_causal:
        later = np.arange(source) - past > np.arange(to)[:, None]
        found.append(np.where(later, -np.inf, 0.0).astype(np.float32))
    if lengths is not None:
        filled = K.reshape(build.tensor(lengths), (-1, 1, 1, 1))
        found.append(_forbidding(K.less(np.arange(source), K.cast(filled, "int64"))))
    return found


def _forbidding(allowed: KerasTensor) -> KerasTensor:
    nothing = np.zeros((1,), dtype=np.float32)
    return K.where(allowed, nothing, nothing - np.float32(np.inf))
