"""Small changes of a flat graph that let tf2onnx and the importer see layers."""

from typing import TYPE_CHECKING

from converters.tf_to_keras.graphs.freeze import Frozen, origin

if TYPE_CHECKING:
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.framework.node_def_pb2 import NodeDef

_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput", "Conv3D")


def rewrite(frozen: Frozen) -> None:
    """Every change, in place."""
    name_biases(frozen)
    join_tensordot(frozen)
    write_out_erfc(frozen.graph)


def name_biases(frozen: Frozen) -> None:
    """Conv2D + vector of weights ─▶ BiasAdd, which the layer takes in."""
    nodes = {node.name: node for node in frozen.graph.node}
    for node in frozen.graph.node:
        if node.op not in ("Add", "AddV2") or len(node.input) != 2:
            continue
        for first, second in (tuple(node.input), tuple(reversed(node.input))):
            maker = nodes.get(first.split(":")[0])
            vector = frozen.weights.get(origin(second.split(":")[0], nodes))
            if maker is None or maker.op not in _CONVOLUTIONS or vector is None:
                continue
            if vector.value.ndim == 1 and maker.attr["data_format"].s in (b"", b"NHWC", b"NDHWC"):
                node.op = "BiasAdd"
                node.input[:] = [first, second]
                break


def join_tensordot(frozen: Frozen) -> None:
    """A Dense on rank 3 and more, written as Reshape ─ MatMul ─ Reshape ─▶ one product."""
    nodes = {node.name: node for node in frozen.graph.node}
    for node in frozen.graph.node:
        product = nodes.get(node.input[0].split(":")[0]) if node.input else None
        if node.op != "Reshape" or product is None or product.name != f"{node.name}/MatMul":
            continue
        free, summed = (_integers(nodes.get(f"{node.name}/{part}")) for part in ("free", "axes"))
        rank = len(free) + len(summed)
        if [*free, *summed] != list(range(rank)) or len(summed) != 1 or rank < 3:
            continue
        source = nodes.get(product.input[0].split(":")[0])
        weight = origin(product.input[1].split(":")[0], nodes)
        while source is not None and source.name.startswith(f"{node.name}/"):
            before, source = source, nodes.get(source.input[0].split(":")[0])
        found = frozen.weights.get(weight)
        flipped = product.attr["transpose_a"].b or product.attr["transpose_b"].b
        if source is None or found is None or found.value.ndim != 2 or flipped:
            continue
        kind = product.attr["T"].type
        node.op = "BatchMatMulV2"
        node.input[:] = [before.input[0], product.input[1]]
        node.attr.clear()
        node.attr["T"].type = kind


def _integers(node: "NodeDef | None") -> list[int]:
    from tensorflow.python.framework import tensor_util

    if node is None or node.op != "Const":
        return []
    return [int(number) for number in tensor_util.MakeNdarray(node.attr["value"].tensor).ravel()]


def write_out_erfc(graph: "GraphDef") -> None:
    """erfc(-x * c) ─▶ 1 + erf(x * c), the form of GELU that ONNX has; erfc(x) ─▶ 1 - erf(x)."""
    nodes = {node.name: node for node in graph.node}
    for node in [node for node in graph.node if node.op == "Erfc"]:
        plain = _without_minus(graph, node, nodes)
        one = graph.node.add(name=f"{node.name}/one", op="Const")
        kind = node.attr["T"].type
        one.attr["dtype"].type = kind
        one.attr["value"].tensor.dtype = kind
        one.attr["value"].tensor.tensor_shape.SetInParent()
        one.attr["value"].tensor.float_val.append(1.0)
        erf = graph.node.add(name=f"{node.name}/erf", op="Erf", input=[plain or node.input[0]])
        erf.attr["T"].type = kind
        node.op = "AddV2" if plain else "Sub"
        node.input[:] = [one.name, erf.name]


def _without_minus(graph: "GraphDef", node: "NodeDef", nodes: dict[str, "NodeDef"]) -> str | None:
    """Name of x * c where the node's input is (-x) * c."""
    product = nodes.get(node.input[0].split(":")[0])
    if product is None or product.op != "Mul":
        return None
    for place, name in enumerate(product.input):
        minus = nodes.get(name.split(":")[0])
        if minus is not None and minus.op == "Neg":
            positive = graph.node.add(name=f"{node.name}/product")
            positive.CopyFrom(product)
            positive.name = f"{node.name}/product"
            positive.input[place] = minus.input[0]
            return positive.name
    return None
