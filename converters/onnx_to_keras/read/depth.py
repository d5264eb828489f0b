"""How many nodes follow one another: what is built of them is walked by recursion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from converters.errors import UnsupportedError
from converters.onnx_to_keras.read import limits
from converters.onnx_to_keras.read.walk import graphs

if TYPE_CHECKING:
    import onnx


def check_depth(model: onnx.ModelProto) -> None:
    """Nothing for graphs, their nodes in order, that are no deeper than any real network.

    Raises:
        UnsupportedError: deeper ones; told before anything is built, which would take minutes.
    """
    for graph, _ in graphs(model):
        depth: dict[str, int] = {}
        deepest = 0
        for node in graph.node:
            own = 1 + max((depth.get(name, 0) for name in node.input), default=0)
            depth.update(dict.fromkeys(node.output, own))
            deepest = max(deepest, own)
        if deepest > limits.DEPTH:
            raise UnsupportedError(
                f"Expected at most {limits.DEPTH:,} nodes that follow one another, got "
                f"{deepest:,}. No network that can be trained is deeper than that: export a part "
                "of it."
            )
