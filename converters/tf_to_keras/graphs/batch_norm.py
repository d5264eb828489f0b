"""BatchNorm that a framework wrote out as arithmetic becomes one node again.

    scale = gamma / sqrt(variance + epsilon)
    y = x * scale + (beta - mean * scale)        ─▶    y = BatchNormalization(x, gamma, beta, …)

Keras 3 writes every BatchNorm of an exported network like this, Keras 2 those on flat inputs.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper


@dataclass(frozen=True)
class _Match:
    last: onnx.NodeProto
    x: str
    gamma: str
    beta: str
    mean: str
    variance: str
    epsilon: float


def restore_batch_norm(proto: onnx.ModelProto) -> int:
    """Rewrites the model in place; how many nodes of BatchNormalization were made."""
    graph = Values(proto)
    matches = [match for node in proto.graph.node for match in graph.matches(node)]
    for match in matches:
        _replace(proto, graph, match)
    if matches:
        drop_unused(proto)
    return len(matches)


class Values:
    """Who makes each value, and which values are weights."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.makers = {name: node for node in proto.graph.node for name in node.output}
        self.weights = {tensor.name: tensor for tensor in proto.graph.initializer}
        self.ranks = _ranks(proto)

    def source(self, name: str) -> str:
        """The value behind Identity and Cast."""
        for _ in range(16):
            maker = self.makers.get(name)
            if maker is None or maker.op_type not in ("Identity", "Cast"):
                return name
            name = maker.input[0]
        return name

    def vector(self, name: str) -> str | None:
        """The weight of rank 1 that a value is, reshaped for broadcasting or not."""
        for _ in range(4):
            name = self.source(name)
            maker = self.makers.get(name)
            if maker is None or maker.op_type not in ("Reshape", "Unsqueeze", "Squeeze"):
                break
            name = maker.input[0]
        tensor = self.weights.get(name)
        return name if tensor is not None and len(tensor.dims) == 1 else None

    def number(self, name: str) -> float | None:
        """A constant single number."""
        name = self.source(name)
        tensor = self.weights.get(name)
        maker = self.makers.get(name)
        if maker is not None and maker.op_type == "Constant" and maker.attribute[0].HasField("t"):
            tensor = maker.attribute[0].t
        if tensor is None:
            return None
        array = numpy_helper.to_array(tensor)
        return float(array.ravel()[0]) if array.size == 1 else None

    def made(self, name: str, op: str) -> onnx.NodeProto | None:
        """The node that makes a value, if it is this operator."""
        maker = self.makers.get(self.source(name))
        return maker if maker is not None and maker.op_type == op else None

    def either(self, node: onnx.NodeProto) -> Iterator[tuple[str, str]]:
        """The two inputs of a node whose order does not matter, both ways."""
        if len(node.input) == 2:
            yield node.input[0], node.input[1]
            yield node.input[1], node.input[0]

    def matches(self, node: onnx.NodeProto) -> Iterator[_Match]:
        """The pattern that ends in this Add."""
        if node.op_type != "Add":
            return
        for scaled, shift in self.either(node):
            product, difference = self.made(scaled, "Mul"), self.made(shift, "Sub")
            if product is None or difference is None:
                continue
            for x, scale in self.either(product):
                found = self.statistics(scale)
                mean = self.mean(difference.input[1], scale)
                beta = self.vector(difference.input[0])
                beta = beta or self.zero(difference.input[0])
                if found is not None and mean is not None and beta is not None:
                    variance, epsilon, gamma = found
                    yield _Match(node, x, gamma, beta, mean, variance, epsilon)
                    return

    def statistics(self, scale: str) -> tuple[str, float, str] | None:
        """(variance, epsilon, gamma or "") of gamma / sqrt(variance + epsilon)."""
        product = self.made(scale, "Mul")
        pairs = list(self.either(product)) if product is not None else [(scale, "")]
        for root, gamma in pairs:
            reciprocal = self.made(root, "Reciprocal")
            square_root = self.made(reciprocal.input[0], "Sqrt") if reciprocal is not None else None
            total = self.made(square_root.input[0], "Add") if square_root is not None else None
            weight = self.vector(gamma) if gamma else ""
            if total is None or weight is None:
                continue
            for variance, epsilon in self.either(total):
                vector, number = self.vector(variance), self.number(epsilon)
                if vector is not None and number is not None and number > 0:
                    return vector, number, weight
        return None

    def mean(self, name: str, scale: str) -> str | None:
        """The mean in mean * scale."""
        product = self.made(name, "Mul")
        if product is None:
            return None
        for mean, other in self.either(product):
            if self.source(other) == self.source(scale):
                return self.vector(mean)
        return None

    def zero(self, name: str) -> str | None:
        """ "" where beta is missing: 0 - mean * scale."""
        return "" if self.number(name) == 0.0 else None


def _ranks(proto: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(_without_weights(proto), data_prop=True)
    values = [*inferred.graph.value_info, *inferred.graph.input, *inferred.graph.output]
    return {
        value.name: len(value.type.tensor_type.shape.dim)
        for value in values
        if value.type.tensor_type.HasField("shape")
    }


def _without_weights(proto: onnx.ModelProto) -> onnx.ModelProto:
    """A copy with large weights as inputs: shapes do not depend on their values."""
    graph = proto.graph
    small = [tensor for tensor in graph.initializer if np.prod(tensor.dims, dtype=np.int64) <= 64]
    names = {tensor.name for tensor in small}
    declared = [
        helper.make_tensor_value_info(tensor.name, tensor.data_type, list(tensor.dims))
        for tensor in graph.initializer
        if tensor.name not in names
    ]
    copy = helper.make_graph(graph.node, "shapes", [*graph.input, *declared], graph.output, small)
    return helper.make_model(copy, opset_imports=proto.opset_import)


def _replace(proto: onnx.ModelProto, graph: Values, match: _Match) -> None:
    rank = graph.ranks.get(match.x)
    if rank is None or rank < 2:
        return
    channels = graph.weights[match.variance].dims[0]
    name = match.last.name or match.last.output[0]
    weights = []
    for given, kind, fill in ((match.gamma, "weight", 1.0), (match.beta, "bias", 0.0)):
        if not given:
            given = f"{name}/{kind}"
            proto.graph.initializer.append(
                numpy_helper.from_array(np.full(channels, fill, np.float32), given)
            )
        weights.append(given)
    first, normal = f"{name}/first", f"{name}/normal"
    inside = [match.x, *weights, match.mean, match.variance]
    output = match.last.output[0]
    nodes = []
    if rank > 2:
        to_first, to_last = [0, rank - 1, *range(1, rank - 1)], [0, *range(2, rank), 1]
        nodes.append(helper.make_node("Transpose", [match.x], [first], name=first, perm=to_first))
        inside[0] = first
        nodes.append(
            helper.make_node(
                "BatchNormalization", inside, [normal], name=name, epsilon=match.epsilon
            )
        )
        nodes.append(helper.make_node("Transpose", [normal], [output], name=normal, perm=to_last))
    else:
        nodes.append(
            helper.make_node(
                "BatchNormalization", inside, [output], name=name, epsilon=match.epsilon
            )
        )
    place = list(proto.graph.node).index(match.last)
    del proto.graph.node[place]
    for offset, node in enumerate(nodes):
        proto.graph.node.insert(place + offset, node)


def drop_unused(proto: onnx.ModelProto) -> None:
    """Takes nodes and weights out, in place, that no output depends on."""
    alive = {value.name for value in proto.graph.output}
    kept = []
    for node in reversed(proto.graph.node):
        if alive.intersection(node.output):
            kept.append(node)
            alive.update(node.input)
    kept.reverse()
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    weights = [tensor for tensor in proto.graph.initializer if tensor.name in alive]
    del proto.graph.initializer[:]
    proto.graph.initializer.extend(weights)
