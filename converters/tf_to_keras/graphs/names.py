"""Weights of a converted network under the names of their layers.

model/conv1/kernel, model/conv1/bias, model/bn/gamma   ─▶   conv1.weight, conv1.bias, bn.weight
"""

import json
from collections.abc import Mapping, Sequence

import onnx

# Keras' names of variables → PyTorch's, which the importer reads.
_KINDS = {
    "kernel": "weight",
    "weights": "weight",
    "embeddings": "weight",
    "gamma": "weight",
    "beta": "bias",
    "biases": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_DEPTHWISE = ("depthwise_kernel", "depthwise_weights")
_POINTWISE = ("pointwise_kernel", "pointwise_weights")


def parameter_names(variables: Sequence[str]) -> dict[str, str]:
    """Variable → parameter, without the steps that all begin with.

    >>> parameter_names(["net/conv1/kernel:0", "net/bn/gamma"])
    {'net/conv1/kernel:0': 'conv1.weight', 'net/bn/gamma': 'bn.weight'}
    """
    split = {name: [step for step in name.split(":")[0].split("/") if step] for name in variables}
    separable = {
        tuple(steps[:-1]) for steps in split.values() if steps[-1:] and steps[-1] in _POINTWISE
    }
    found = {}
    for name, steps in split.items():
        layer, kind = steps[:-1], steps[-1] if steps else "weight"
        if kind in _DEPTHWISE + _POINTWISE:  # two kernels in one layer need a name each
            part = ["depthwise" if kind in _DEPTHWISE else "pointwise"]
            layer, kind = layer + (part if tuple(steps[:-1]) in separable else []), "weight"
        found[name] = ".".join([*layer, _KINDS.get(kind, kind)])
    short = shortened(list(found.values()))
    return {name: short[parameter] for name, parameter in found.items()}


def shortened(names: Sequence[str], separator: str = ".") -> dict[str, str]:
    """Name → name without the leading steps that all share; each keeps at least two.

    >>> shortened(["net.conv1.weight", "net.conv2.weight"])["net.conv1.weight"]
    'conv1.weight'
    """
    steps = [name.split(separator) for name in names]
    shared = 0
    while len(steps) > 1 and all(len(one) > shared + 2 for one in steps):
        if len({one[shared] for one in steps}) > 1:
            break
        shared += 1
    return {name: separator.join(name.split(separator)[shared:]) for name in names}


def without_common_prefix(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model, in place, without the steps that all of its weights, or all nodes, begin with."""
    shorten_nodes(proto)
    return renamed(proto, shortened([tensor.name for tensor in proto.graph.initializer]))


def shorten_nodes(proto: onnx.ModelProto) -> None:
    """Node names, in place, without the steps that all of them begin with."""
    long = [node.name for node in proto.graph.node if node.name.count("/") > 1]
    short = shortened(long, "/")
    for node in proto.graph.node:
        node.name = short.get(node.name, node.name)


def renamed(proto: onnx.ModelProto, names: Mapping[str, str]) -> onnx.ModelProto:
    """The model, in place, with its weights renamed wherever they are used."""
    taken = {name for node in proto.graph.node for name in node.output}
    taken |= {value.name for value in proto.graph.input}
    final: dict[str, str] = {}
    for old, new in names.items():
        candidate, number = new, 1
        while candidate in taken:
            number += 1
            candidate = f"{new}_{number}"
        taken.add(candidate)
        final[old] = candidate
    for tensor in proto.graph.initializer:
        tensor.name = final.get(tensor.name, tensor.name)
    for node in proto.graph.node:
        for index, name in enumerate(node.input):
            if name in final:
                node.input[index] = final[name]
    for entry in proto.metadata_props:
        if entry.key in ("converters.parameters", "converters.buffers"):
            listed = json.loads(entry.value)
            entry.value = json.dumps([final.get(name, name) for name in listed])
    return proto
