"""Decomposed layers become layers again: one rule a file, a rule is graph in, graph out.

The sequence below matters where one rule's result is another's pattern; the reason stands beside.
"""

from __future__ import annotations

from collections.abc import Callable

from converters.onnx_to_keras.fuse.activation import fuse_gates, fuse_gelu, fuse_hard_sigmoid
from converters.onnx_to_keras.fuse.attention import fuse_attention
from converters.onnx_to_keras.fuse.dense import fuse_dense
from converters.onnx_to_keras.fuse.global_pool import fuse_global_pool
from converters.onnx_to_keras.fuse.group_norm import fuse_group_norm
from converters.onnx_to_keras.fuse.layer_norm import fuse_layer_norm
from converters.onnx_to_keras.fuse.lrn import fuse_lrn
from converters.onnx_to_keras.fuse.quantised import drop_rounding
from converters.onnx_to_keras.fuse.shuffle import fuse_shuffle
from converters.onnx_to_keras.fuse.swap import fuse_swap
from converters.onnx_to_keras.graph import Graph

RULES: tuple[Callable[[Graph], Graph], ...] = (
    drop_rounding,  # first: a pair stands between the parts of every other pattern
    fuse_hard_sigmoid,  # before the gates, which look for a HardSigmoid
    fuse_gates,
    fuse_gelu,
    fuse_layer_norm,
    fuse_group_norm,
    fuse_lrn,
    fuse_shuffle,
    fuse_global_pool,
    fuse_swap,  # before attention: it is how the key is turned
    fuse_attention,  # before dense: a product with constants is no attention
    fuse_dense,
)


def fuse(graph: Graph) -> Graph:
    """The graph after every rule, in their sequence."""
    for rule in RULES:
        graph = rule(graph)
    return graph
