"""A bias that is added behind a convolution goes into it.

Conv ─ Transpose (channels last) ─ Add(vector)   ─▶   Conv(bias) ─ Transpose
"""

import onnx

from converters.tf_to_keras.graphs.batch_norm import Values, drop_unused

_CONVOLUTIONS = ("Conv", "ConvTranspose")


def take_in_biases(proto: onnx.ModelProto) -> None:
    """Rewrites the model in place; biases that somebody else uses too stay where they are."""
    values = Values(proto)
    taken: dict[str, int] = {}
    for node in proto.graph.node:
        for name in node.input:
            taken[name] = taken.get(name, 0) + 1
    outputs = {value.name for value in proto.graph.output}
    for node in list(proto.graph.node):
        if node.op_type != "Add":
            continue
        for first, second in values.either(node):
            back = values.makers.get(first)
            convolution = values.makers.get(back.input[0]) if back is not None else None
            vector = values.vector(second)
            if back is None or convolution is None or vector is None or first in outputs:
                continue
            if not _is_channels_last(back) or convolution.op_type not in _CONVOLUTIONS:
                continue
            alone = taken[first] == 1 and taken[back.input[0]] == 1
            if alone and len(convolution.input) == 2:
                convolution.input.append(vector)
                back.output[0] = node.output[0]
                proto.graph.node.remove(node)
                break
    drop_unused(proto)


def _is_channels_last(node: onnx.NodeProto) -> bool:
    order = next((list(entry.ints) for entry in node.attribute if entry.name == "perm"), [])
    return node.op_type == "Transpose" and order == [0, *range(2, len(order)), 1]
