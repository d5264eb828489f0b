"""What can be known before building: shapes, constants, and numbers that follow the batch.

    Shape(x) ─ Gather ─ Concat ─ Reshape        ─▶   Reshape(shape=[-1, 196, 192])
    W ─ Transpose ─ MatMul                      ─▶   MatMul with the transposed W

Every node is looked at once, for two batch sizes (graph.PROBES) side by side: ONNX's own shape
inference sees plain numbers only, and whatever differs between the two follows the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import onnx
from onnx import defs, numpy_helper

from converters.errors import ConversionError, NodeError, TooLargeError
from converters.onnx_to_keras.fold.batch import Pair, freed_target, linear, repeated_row
from converters.onnx_to_keras.fold.evaluate import evaluate
from converters.onnx_to_keras.fold.infer import infer_shapes, tensor_type, to_proto
from converters.onnx_to_keras.graph import PROBES, Graph, Node, Shape, Value
from converters.onnx_to_keras.parse import element_type, to_node
from converters.onnx_to_keras.registry import Constant

ShapeOf = Callable[[Node, list[Value | Constant | None]], list[Value] | None]

_MOST_ELEMENTS = 2**28  # of one value for one sample; a gigabyte of float32
_MOST_FOLDED = 2**24  # of a folded array, unless its inputs are as large
_RANDOM = ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Bernoulli")
_MOST_RANK = 12
_RECURRENT = ("LSTM", "GRU", "RNN")


def fold(graph: Graph, shape_of: ShapeOf | None = None) -> Graph:
    """The graph with its shapes known, constants folded and dead nodes gone.

    Args:
        graph: as parsed.
        shape_of: shapes of the outputs of nodes that ONNX itself does not know.
    """
    return _Fold(graph, shape_of).run()


class _Fold:
    """What is known so far, walking the nodes in their order."""

    def __init__(self, graph: Graph, shape_of: ShapeOf | None) -> None:
        self.graph = graph
        self.shape_of = shape_of
        self.constants = dict(graph.constants)
        self.values = dict(graph.values)
        self.pairs: dict[str, Pair] = {}
        self.alias: dict[str, str] = {}
        self.nodes: list[Node] = []
        inputs = (name for node in graph.nodes for name in node.inputs if name)
        self.asked_for = {*graph.outputs, *inputs}

    def run(self) -> Graph:
        for node in self.graph.nodes:
            self.visit(node)
        symbolic = {name: linear(pair) for name, pair in self.pairs.items()}
        for name in self.graph.outputs:
            self.keep_name(name)
        self.nodes = [self.spelled_out(node) for node in self.nodes]
        return replace(
            self.graph,
            nodes=tuple(self.nodes),
            constants=self.constants,
            values=self.values,
            symbolic={name: found for name, found in symbolic.items() if found is not None},
        ).without_dead()

    def keep_name(self, output: str) -> None:
        """An output of the graph that is another name for a value keeps its own."""
        source = self.alias.get(output)
        if source is None:
            return
        self.nodes.append(Node("Identity", (source,), (output,), source=(output,)))
        self.values[output] = self.value(source)

    def spelled_out(self, node: Node) -> Node:
        """A node whose result is known but for the batch becomes the simplest that makes it.

        A row repeated for the batch is an Expand of that row, 0, 1, 2, … a BatchRange; a state
        of zeros is what a recurrent layer starts from anyway.
        """
        if node.op in _RECURRENT:
            states = [
                "" if place > 3 and name in self.pairs and not self.pairs[name][0].any() else name
                for place, name in enumerate(node.inputs)
            ]
            return replace(node, inputs=tuple(states))
        pair = self.pairs.get(node.output)
        if pair is None or len(node.outputs) > 1 or pair[0].shape == pair[1].shape:
            return node
        row = repeated_row(pair)
        if row is not None:
            name = f"{node.output}/row"
            self.constants[name] = Constant(name, row)
            return replace(node, op="Expand", inputs=(name,), attributes={})
        first, second = pair
        step = first[1] - first[0] if first.ndim == 1 and first.size > 1 else None
        if step is not None and all(
            np.array_equal(array, first[0] + step * np.arange(batch))
            for array, batch in zip((first, second), PROBES, strict=True)
        ):
            attributes = {"start": first[0].item(), "step": step.item()}
            return replace(node, op="BatchRange", inputs=(), attributes=attributes)
        return node

    def visit(self, node: Node) -> None:
        node = replace(node, inputs=tuple(self.alias.get(name, name) for name in node.inputs))
        if node.op == "Dropout" and any(name in self.asked_for for name in node.outputs[1:]):
            raise NodeError(
                f"Expected a {node} whose mask nobody asks for, got one that is used. Export "
                "the network for inference: model.eval() in torch."
            )
        if node.op == "CastLike" and not node.domain and self.maybe(node.inputs[1]) is not None:
            like = self.value(node.inputs[1]).dtype
            kind = onnx.helper.np_dtype_to_tensor_dtype(like)
            node = replace(node, op="Cast", inputs=node.inputs[:1], attributes={"to": kind})
        if node.op in ("Identity", "Dropout") and not node.domain:
            self.alias[node.output] = node.inputs[0]
        elif node.op == "If" and not node.domain and node.inputs[0] in self.constants:
            self.inline(node)
        elif node.domain or not defs.has(node.op, ""):
            self.foreign(node)
        elif not self.known_constant(node):
            self.infer(node)

    def inline(self, node: Node) -> None:
        """An If whose condition is known becomes the branch that it takes."""
        taken = bool(np.asarray(self.constants[node.inputs[0]].value).ravel()[0])
        branch = node.attributes["then_branch" if taken else "else_branch"]
        assert isinstance(branch, onnx.GraphProto)
        prefix = f"{node.name or node.output}/"
        own = {name for inner in branch.node for name in inner.output if name}
        own |= {tensor.name for tensor in branch.initializer}
        for tensor in branch.initializer:
            name = prefix + tensor.name
            self.constants[name] = Constant(name, numpy_helper.to_array(tensor))
        for proto in branch.node:
            inner = to_node(proto)
            inner = replace(
                inner,
                inputs=tuple(prefix + n if n in own else n for n in inner.inputs),
                outputs=tuple(prefix + n if n else n for n in inner.outputs),
            )
            value = inner.attributes.get("value") if inner.op == "Constant" else None
            if isinstance(value, np.ndarray):
                self.constants[inner.output] = Constant(inner.output, value)
            else:
                self.visit(inner)
        for mine, result in zip(node.outputs, branch.output, strict=False):
            inside = prefix + result.name if result.name in own else result.name
            self.alias[mine] = self.alias.get(inside, inside)

    def foreign(self, node: Node) -> None:
        """A node of a domain that ONNX does not know: shapes by whoever supplies the operator."""
        self.nodes.append(node)
        self.supply(node)

    def supply(self, node: Node) -> None:
        """Shapes of the outputs by whoever supplies the operator, if all inputs are known."""
        inputs = [self.constants.get(name) or self.values.get(name) for name in node.inputs]
        unknown = any(name and v is None for name, v in zip(node.inputs, inputs, strict=True))
        found = None if unknown or self.shape_of is None else self.shape_of(node, inputs)
        if found is not None:
            self.values.update(zip(node.outputs, found, strict=False))

    def known_constant(self, node: Node) -> bool:
        """Evaluates a node whose inputs are known; whether it is done with."""
        names = [name for name in node.inputs if name]
        if node.op in _RANDOM or any(
            isinstance(a, onnx.GraphProto) for a in node.attributes.values()
        ):
            return False
        if all(name in self.constants for name in names):
            return self.evaluate_once(node)
        if node.op in ("Shape", "Size") and names[0] in self.values:
            first, second = (self.measure(node, shape) for shape in self.values[names[0]].shapes)
            return self.enter_pairs(node, [(first, second)])
        if not all(name in self.constants or name in self.pairs for name in names):
            return False
        if any(name in self.constants and self.constants[name].trainable for name in names):
            return False
        return self.evaluate_twice(node)

    def evaluate_once(self, node: Node) -> bool:
        inputs = [self.constants.get(name) for name in node.inputs]
        arrays = [None if constant is None else constant.value for constant in inputs]
        outputs = self.evaluate(node, arrays)
        weight = next((c for c in inputs if c is not None and c.trainable), None)
        for name, array in zip(node.outputs, outputs, strict=False):
            is_weight = weight is not None and array.dtype.kind == "f"
            stands_for = weight.name if weight is not None and is_weight else name
            self.constants[name] = Constant(stands_for, array, is_weight)
        return True

    def evaluate_twice(self, node: Node) -> bool:
        both = []
        for probe in (0, 1):
            arrays = [self.at(name, probe) if name else None for name in node.inputs]
            both.append(self.evaluate(node, arrays))
        return self.enter_pairs(node, list(zip(*both, strict=True)))

    def enter_pairs(self, node: Node, pairs: list[Pair]) -> bool:
        """Records outputs known at both probes; equal ones are plain constants."""
        settled = True
        for name, (first, second) in zip(node.outputs, pairs, strict=False):
            if first.shape == second.shape and np.array_equal(first, second):
                self.constants[name] = Constant(name, first)
                continue
            settled = False
            self.pairs[name] = (first, second)
            self.values[name] = Value((first.shape, second.shape), first.dtype)
        if not settled:
            self.nodes.append(node)  # somebody may need it while the network runs
        return True

    def at(self, name: str, probe: int) -> np.ndarray:
        return self.pairs[name][probe] if name in self.pairs else self.constants[name].value

    def evaluate(self, node: Node, arrays: list[np.ndarray | None]) -> list[np.ndarray]:
        proto = to_proto(node)
        try:
            types = {
                n: tensor_type(a.shape, a.dtype)
                for n, a in zip(node.inputs, arrays, strict=True)
                if a is not None
            }
            data = {
                n: a
                for n, a in zip(node.inputs, arrays, strict=True)
                if a is not None and a.size <= 4096
            }
            inferred = infer_shapes(node, proto, self.graph.opset, types, data)
            given = sum(array.size for array in arrays if array is not None)
            for shape, _ in inferred:
                if shape is not None and math.prod(shape) > max(_MOST_FOLDED, given):
                    raise TooLargeError(
                        f"Expected that {node} can be computed from its constants, got a result "
                        f"of the shape {shape}. The file is damaged or made to exhaust "
                        "memory: export the network again."
                    )
            return evaluate(node, proto, arrays, self.graph.opset)
        except TooLargeError:
            raise
        except Exception as err:  # the kernels raise whatever they stumble over
            raise NodeError(
                f"Expected that {node} can be computed from its constants, got "
                f"{[None if a is None else a.shape for a in arrays]} and: {_short(err)}. "
                "The file is damaged, or its exporter wrote a wrong node."
            ) from err

    def measure(self, node: Node, shape: Shape) -> np.ndarray:
        if node.op == "Size":
            return np.array(math.prod(shape), dtype=np.int64)
        start, end = node.attributes.get("start", 0), node.attributes.get("end", len(shape))
        assert isinstance(start, int)
        assert isinstance(end, int)
        return np.array(shape[start:end], dtype=np.int64)

    def maybe(self, name: str) -> Value | None:
        if name in self.values:
            return self.values[name]
        if name in self.constants:
            return self.value(name)
        return None

    def value(self, name: str) -> Value:
        if name in self.constants:
            array = self.constants[name].value
            return Value((array.shape, array.shape), array.dtype)
        return self.values[name]

    def infer(self, node: Node) -> None:
        """Shapes of a node's outputs at both probes; unknown ones stay unknown."""
        node = self.follow_batch(node)
        if node.op == "Concat":
            node = self.spread_batch(node)
        self.nodes.append(node)
        if any(name and self.maybe(name) is None for name in node.inputs):
            return
        proto = to_proto(node)
        found = []
        for probe in (0, 1):
            types, data = {}, {}
            for name in node.inputs:
                if not name:
                    continue
                value = self.value(name)
                types[name] = tensor_type(value.shapes[probe], value.dtype)
                if name in self.pairs or name in self.constants:
                    data[name] = self.at(name, probe)
            try:
                found.append(infer_shapes(node, proto, self.graph.opset, types, data))
            except Exception as err:  # C++ exceptions of several kinds
                raise NodeError(
                    f"Expected inputs that fit {node} (opset {self.graph.opset}), got "
                    f"{ {n: self.value(n).target for n in node.inputs if n} }: {_short(err)}. "
                    "The file is damaged, or its exporter wrote a wrong node."
                ) from err
        known = True
        for shape, _ in found[0]:
            if shape is not None and math.prod(shape) > PROBES[0] * _MOST_ELEMENTS:
                raise TooLargeError(
                    f"Expected values of at most {_MOST_ELEMENTS} numbers for each sample, got "
                    f"{shape} for a batch of {PROBES[0]} from {node}. The file is damaged, or its "
                    "input shapes are too large: give smaller ones with input_shapes."
                )
        for name, (shape, kind), (other, _) in zip(node.outputs, *found, strict=False):
            if name and shape is not None and other is not None and len(shape) <= _MOST_RANK:
                self.values[name] = Value((shape, other), element_type(kind))
            elif name:
                known = False
        if not known:
            self.supply(node)

    def spread_batch(self, node: Node) -> Node:
        """A class token of a fixed-batch export is repeated for every row again."""
        values = [self.maybe(name) for name in node.inputs]
        if node.attributes.get("axis") == 0 or any(v is None or not v.rank for v in values):
            return node
        grown = next((v for v in values if v is not None and v.target[0] == -1), None)
        if grown is None:
            return node
        inputs = []
        for name, value in zip(node.inputs, values, strict=True):
            assert value is not None
            if value.shapes[0][0] == 1 and value.shapes[1][0] == 1:
                shapes = tuple((batch, *value.shape[1:]) for batch in PROBES)
                shape = f"{name}/{node.output}/shape"
                self.pairs[shape] = (np.array(shapes[0]), np.array(shapes[1]))
                self.values[shape] = Value(((value.rank,),) * 2, np.dtype(np.int64))
                spread = f"{name}/{node.output}"
                self.nodes.append(Node("Expand", (name, shape), (spread,), source=node.source))
                self.values[spread] = Value((shapes[0], shapes[1]), value.dtype)
                name = spread
            inputs.append(name)
        return replace(node, inputs=tuple(inputs))

    def follow_batch(self, node: Node) -> Node:
        """A shape that a fixed-batch export wrote down grows with the batch again."""
        if (
            node.op == "Reshape"
            and node.inputs[1] in self.constants
            and node.inputs[0] in self.values
        ):
            shapes = self.values[node.inputs[0]].shapes
            target = self.constants[node.inputs[1]].value
            freed = freed_target(target, shapes)
            if freed is not None:
                name = f"{node.inputs[1]}/{node.output}"
                self.pairs[name] = freed
                self.values[name] = Value((target.shape, target.shape), target.dtype)
                return replace(node, inputs=(node.inputs[0], name))
        return node


def _short(err: Exception) -> str:
    text = str(err).strip() or type(err).__name__
    if isinstance(err, ConversionError):
        return text
    return text.splitlines()[0][:300]
