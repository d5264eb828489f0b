"""Names of layers: those of the source's weights and modules, as Keras and people can read them.

weight "layer1.0.conv1.weight"          ─▶ layer1_0_conv1
node   "/layer1/layer1.0/relu/Relu"     ─▶ layer1_0_relu
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

import onnx

_SUFFIXES = {
    "weight", "bias", "kernel", "gamma", "beta", "running_mean", "running_var", "moving_mean",
    "moving_variance", "alpha", "embeddings", "depthwise_kernel", "pointwise_kernel", "weights",
    "recurrent_kernel", "scale", "mean", "variance", "var", "in_proj_weight", "in_proj_bias",
}  # fmt: skip
_NAMELESS = re.compile(
    r"(onnx::|val_|Constant|const|node_|_?\d+$|tmp|scalar_tensor)", re.IGNORECASE
)
_LONGEST = 120


def module_scope(node: onnx.NodeProto) -> str:
    """The torch module that a node comes from, where the exporter wrote it down."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes" and len(entry.value) < 10_000:
            try:
                scopes = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                return ""
            if isinstance(scopes, list) and len(scopes) > 1:
                return str(scopes[-2])
    return ""


def readable(text: str) -> str:
    """Letters, digits and single underscores.

    >>> readable("layer1.0.conv1"), readable("input.1")
    ('layer1_0_conv1', 'input_1')
    """
    return re.sub(r"[^0-9A-Za-z]+", "_", text).strip("_")[:_LONGEST]


def of_weight(name: str) -> str:
    """Name of the module that a weight belongs to; "" if its name says nothing.

    >>> of_weight("layer1.0.conv1.weight"), of_weight("conv1/kernel:0"), of_weight("onnx::Conv_193")
    ('layer1_0_conv1', 'conv1', '')
    """
    if _NAMELESS.match(name):
        return ""
    parts = [part for part in re.split(r"[./]", name.split(":")[0]) if part]
    if len(parts) > 1 and parts[-1] in _SUFFIXES:
        parts = parts[:-1]
    return readable("_".join(parts))


def of_node(name: str, op: str) -> str:
    """Name that a node's own name gives; "" if it says nothing.

    >>> of_node("/layer1/layer1.0/conv1/Conv", "Conv"), of_node("Conv_12", "Conv")
    ('layer1_0_conv1', '')
    """
    parts = [part for part in name.split("/") if part]
    # Torch ends a node's name with its operator, whatever the operator has become since.
    if name.startswith("/") or (parts and re.fullmatch(rf"{re.escape(op)}(_\d+)?", parts[-1])):
        parts = parts[:-1]
    kept = [
        part
        for part, following in zip(parts, [*parts[1:], ""], strict=False)
        if not following.startswith(f"{part}.")
    ]
    text = readable("_".join(kept))
    return "" if not text or _NAMELESS.match(text) else text


def choose(taken: set[str], weights: Sequence[str], scope: str, node: str, op: str) -> str:
    """A name that is not taken yet, and takes it."""
    candidates = (*(of_weight(name) for name in weights), readable(scope), of_node(node, op))
    base = next((name for name in candidates if name), readable(op).lower())
    name, number = base, 1
    while name.lower() in taken:
        number += 1
        name = f"{base}_{number}"
    taken.add(name.lower())
    return name
