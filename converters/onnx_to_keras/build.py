"""A laid-out graph → a Keras Functional model: one operator after the other, in its own words.

Conv(x, W, b; strides, pads)  ─▶  registry ─▶  ops/ ─▶  build.layer(keras.layers.Conv2D, …)
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import keras
import numpy as np
from keras import KerasTensor

from converters.errors import ConversionError, NodeError
from converters.onnx_to_keras import names
from converters.onnx_to_keras.graph import Graph, Node
from converters.onnx_to_keras.layout import LaidOut
from converters.onnx_to_keras.registry import Constant, known_ops

_FIXED = (keras.initializers.Zeros, keras.initializers.Ones, keras.initializers.Constant)

_SLOTS = {"depthwise_kernel": "depthwise", "recurrent_kernel": "recurrent"}
"""Variables whose initializer has another name than they do."""

Weights = Mapping[str, "np.ndarray | Constant | None"]


@dataclass(frozen=True)
class Row:
    """One layer or operation of the model, and what of the file it stands for."""

    operation: keras.Operation
    op: str
    nodes: tuple[str, ...]
    outputs: tuple[str, ...]
    weights: Mapping[str, str]  # variable of the layer → name in the file


class Build:
    """What an op sees while it builds: the current node, layers, weights, the batch."""

    def __init__(
        self,
        laid_out: LaidOut,
        own_ops: Mapping[str, Callable[..., object]],
        *,
        static: bool = False,
    ) -> None:
        self.graph: Graph = laid_out.graph
        self.node: Node = Node("", (), ())
        self.rows: list[Row] = []
        self.tensors: dict[str, KerasTensor] = {}
        self._laid_out = laid_out
        self._own_ops = own_ops
        self._static = static
        self._taken: set[str] = set()
        self._shared: dict[tuple[str, ...], keras.Layer] = {}
        self._parameters: dict[int, KerasTensor] = {}
        self._batch: KerasTensor | None = None

    def run(self, name: str | None) -> keras.Model:
        """The whole model."""
        inputs = [self._input(name) for name in self.graph.inputs]
        for node in self.graph.nodes:
            self._visit(node)
        outputs: list[KerasTensor] = []
        for output in self.graph.outputs:
            tensor = self._result(output)
            if any(tensor is other for other in (*inputs, *outputs)):
                tensor = keras.layers.Identity(name=self._name([], "", output, "identity"))(tensor)
            outputs.append(tensor)
        self._rename(outputs)
        single_in, single_out = len(inputs) == 1, len(outputs) == 1
        return keras.Model(
            inputs[0] if single_in else inputs,
            outputs[0] if single_out else outputs,
            name=names.readable(name or "") or "imported",
        )

    def layer(
        self,
        kind: type[keras.Layer],
        *inputs: object,
        weights: Weights | None = None,
        **config: object,
    ) -> KerasTensor:
        """Output of a built-in layer with these weights, named after them.

        The same weights with the same configuration are the same layer, called again.
        """
        given = {key: value for key, value in (weights or {}).items() if value is not None}
        arrays = {k: v.value if isinstance(v, Constant) else v for k, v in given.items()}
        origins = {key: self._source(value) for key, value in given.items()}
        sources = {key: found.name if found else "" for key, found in origins.items()}
        layer, key = None, self._sharing(kind, arrays, sources, config)
        if key is not None:
            layer = self._shared.get(key)
        if layer is None:
            own = self._layer_name(kind, [name for name in sources.values() if name])
            layer = kind(name=own, **config)
            result = _built(layer, inputs, arrays)
            if kind is not keras.layers.PReLU and _untrained(origins.values()):
                layer.trainable = False  # a slope is learnt even if it is a single number
            if key is not None:
                self._shared[key] = layer
        else:
            result = layer(*inputs)
        self._row(layer, {k: name for k, name in sources.items() if name})
        return result

    def tensor(self, value: KerasTensor | Constant) -> KerasTensor:
        """What keras.ops takes: a tensor as it is, a weight as a tensor, a number as an array."""
        if not isinstance(value, Constant):
            return value
        if not value.trainable:
            return value.value
        key = id(value.value)
        if key not in self._parameters:
            self._parameters[key] = self._parameter(value)
        return self._parameters[key]

    def batch_zeros(self, rank: int = 1, dtype: str = "float32") -> KerasTensor:
        """Zeros (batch, 1, …, 1) that have the batch of the model's input."""
        if self._batch is None:
            first = next(t for t in self.tensors.values() if t.shape and t.shape[0] is None)
            column = first[(slice(None), *(0,) * (len(first.shape) - 1))]
            self._batch = keras.ops.zeros_like(keras.ops.cast(column, "float32"))
        zeros = keras.ops.cast(self._batch, dtype)
        return keras.ops.reshape(zeros, (-1, *(1,) * (rank - 1)))

    def fail(self, expected: str, todo: str) -> NodeError:
        """The error of the current node, to be raised."""
        return NodeError(
            f"Expected {expected} in {self.node} (opset {self.graph.opset}), got inputs of the "
            f"shapes {self._shapes()} and {dict(self.node.attributes)}. {todo}"
        )

    def _visit(self, node: Node) -> None:
        self.node = node
        if node.outputs and all(name in self.graph.symbolic for name in node.outputs if name):
            for name in filter(None, node.outputs):
                self.tensors[name] = self._runtime(name)
            return
        inputs = [self._argument(name) for name in node.inputs]
        if node.op not in self._own_ops and (node.domain or node.op not in known_ops()):
            self._placeholder(node)
            return
        function = self._own_ops.get(node.op) or known_ops()[node.op].function
        rows = len(self.rows)
        try:
            if node.op in self._own_ops:
                result = function(*(self.tensor(value) for value in inputs), **node.attributes)
            else:
                result = function(self, *inputs, **node.attributes)
        except (ConversionError, MemoryError):
            raise
        except Exception as err:  # whatever Keras says about shapes that it does not take
            problem = (str(err).strip() or type(err).__name__).splitlines()[0][:300]
            raise NodeError(
                f"Expected that {node} (opset {self.graph.opset}) can be built, got inputs of the "
                f"shapes {self._shapes()}, attributes {_brief(node.attributes)} and: {problem}. "
                f"Give an operator of your own with ops={{'{node.op}': function}}, or export the "
                "network without it."
            ) from err
        results = result if isinstance(result, (tuple, list)) else (result,)
        self.tensors.update(zip(node.outputs, results, strict=False))
        last = getattr(results[0], "_keras_history", None)
        if last is not None and all(
            row.operation is not last.operation for row in self.rows[rows:]
        ):
            self._row(last.operation, {})

    def _placeholder(self, node: Node) -> None:
        """An Identity where an operator has no converter, named so that it is found."""
        first = next(n for n in node.inputs if n in self.tensors)
        name = names.choose(self._taken, [], f"placeholder_{node.op}", "", node.op)
        layer = keras.layers.Identity(name=name)
        result = layer(self.tensors[first])
        self._row(layer, {})
        self.tensors.update(dict.fromkeys(node.outputs, result))

    def _rename(self, outputs: list[KerasTensor]) -> None:
        """Names of plain operations that depend on this model alone, and on no counter.

        Keras numbers them for the whole process, and may take a name that a layer has.
        """
        waiting, seen = list(outputs), set()
        while waiting:
            history = waiting.pop()._keras_history
            operation = history.operation
            if id(operation) in seen:
                continue
            seen.add(id(operation))
            for node in operation._inbound_nodes:
                waiting.extend(node.input_tensors)
            if not isinstance(operation, keras.Layer):
                kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(operation).__name__)
                operation.name = self._name([], "", "", kind)

    def _row(self, layer: keras.Operation, weights: Mapping[str, str]) -> None:
        self.rows.append(Row(layer, self.node.op, self.node.source, self.node.outputs, weights))

    def _input(self, name: str) -> KerasTensor:
        value = self.graph.values[name].permuted(self._laid_out.input_orders[name])
        own = self._name([], "", name, "")
        if self._static:
            tensor = keras.Input(batch_shape=value.shape, dtype=value.dtype.name, name=own)
        else:
            shape = [None if size == -1 else size for size in value.target]
            tensor = keras.Input(batch_shape=shape, dtype=value.dtype.name, name=own)
        self.tensors[name] = tensor
        return tensor

    def _argument(self, name: str) -> object:
        if not name:
            return None
        if name in self.graph.constants:
            return self.graph.constants[name]
        return self.tensors[name]

    def _result(self, name: str) -> KerasTensor:
        if name in self.tensors:
            return self.tensors[name]
        constant = self.graph.constants[name]
        rank = constant.value.ndim
        if self._static:
            return keras.ops.add(keras.ops.reshape(self._anchor(), (1,) * rank), constant.value)
        return keras.ops.add(
            keras.ops.cast(self.batch_zeros(max(rank, 1)), constant.value.dtype.name),
            constant.value,
        )

    def _runtime(self, name: str) -> KerasTensor:
        """An integer array that follows the batch, computed while the network runs."""
        found = self.graph.symbolic[name]
        batch = keras.ops.sum(self.batch_zeros(1, "int32") + 1)
        slope, offset = found.slope.astype(np.int32), found.offset.astype(np.int32)
        return keras.ops.add(keras.ops.multiply(slope, batch), offset)

    def _anchor(self) -> KerasTensor:
        """A zero (1,) that hangs on the model's input, so that weights are part of its graph."""
        if self._static:
            whole = keras.ops.reshape(next(iter(self.tensors.values())), (-1,))
            zeros = keras.ops.cast(keras.ops.zeros_like(whole), "int32")
        else:
            zeros = self.batch_zeros(1, "int32")
        return keras.ops.sum(zeros, keepdims=True)

    def _parameter(self, constant: Constant) -> KerasTensor:
        """A weight as a tensor: an Embedding of one row, which loads without custom code."""
        own = self._name([constant.name], self.node.scope, self.node.name, self.node.op)
        layer = keras.layers.Embedding(1, constant.value.size, name=own)
        row = _built(layer, (self._anchor(),), {"embeddings": constant.value.reshape(1, -1)})
        self.rows.append(Row(layer, "Parameter", (), (), {"embeddings": constant.name}))
        return keras.ops.reshape(row, constant.value.shape)

    def _layer_name(self, kind: type[keras.Layer], weights: list[str]) -> str:
        """A layer's name; a padding in front leaves the layer with weights its own."""
        constants = self.graph.constants
        found = [constants[n].name for n in self.node.inputs if n in constants]
        if not weights and found and kind.__name__.startswith("ZeroPadding"):
            own = names.of_weight(found[0]) or names.of_node(self.node.name, self.node.op)
            return names.choose(self._taken, [], f"{own}_pad", "", "pad")
        return self._name(weights, self.node.scope, self.node.name, self.node.op)

    def _name(self, weights: list[str], scope: str, node: str, op: str) -> str:
        return names.choose(self._taken, weights, scope, node, op)

    def _source(self, value: np.ndarray | Constant) -> Constant | None:
        """The constant of the file that an array is, or is a turned view of."""
        if isinstance(value, Constant):
            return value
        constants = [self.graph.constants[n] for n in self.node.inputs if n in self.graph.constants]
        for constant in constants:
            if np.shares_memory(constant.value, value):
                return constant
        alike = [constant for constant in constants if constant.value.size == value.size]
        return alike[0] if len(alike) == 1 else None

    def _sharing(
        self,
        kind: type[keras.Layer],
        arrays: Mapping[str, np.ndarray],
        sources: Mapping[str, str],
        config: Mapping[str, object],
    ) -> tuple[str, ...] | None:
        """What makes two layers one: the same named weights, at least one of them a matrix."""
        if not arrays or not all(sources.values()) or max(a.ndim for a in arrays.values()) < 2:
            return None
        weights = [f"{key}={sources[key]}{array.shape}" for key, array in sorted(arrays.items())]
        return (kind.__name__, *weights, repr(sorted(config.items())))

    def _shapes(self) -> dict[str, object]:
        found: dict[str, object] = {}
        for name in filter(None, self.node.inputs):
            if name in self.graph.constants:
                found[name] = self.graph.constants[name].value.shape
            elif name in self.tensors:
                found[name] = tuple(self.tensors[name].shape)
        return found


def _built(
    layer: keras.Layer, inputs: tuple[object, ...], arrays: Mapping[str, np.ndarray]
) -> KerasTensor:
    """Calls a new layer, whose variables start as these arrays instead of random numbers."""
    owner = getattr(layer, "cell", layer)
    owners = [owner, *([layer] if owner is not layer else [])]
    kept = []
    for part in owners:
        for name, value in list(vars(part).items()):
            if name.endswith("_initializer") and not isinstance(value, _FIXED):
                kept.append((part, name, value))
                setattr(part, name, keras.initializers.Zeros())
    waiting = dict(arrays)
    for name, array in arrays.items():
        slot = f"{_SLOTS.get(name, name)}_initializer"
        if owner is layer and hasattr(layer, slot):
            kept.append((layer, slot, getattr(layer, slot)))
            setattr(layer, slot, _Given(name, array))
            del waiting[name]
    try:
        result = layer(*inputs)
    finally:
        for part, name, value in reversed(kept):
            setattr(part, name, value)
    for name, array in waiting.items():
        variable = getattr(owner, name)
        _same_shape(name, array, tuple(variable.shape))
        variable.assign(array)
    return result


def _untrained(origins: Iterable[Constant | None]) -> bool:
    """Whether all of a layer's numbers are ones that the source's training did not touch."""
    found = list(origins)
    return bool(found) and all(entry is not None and not entry.trainable for entry in found)


@dataclass(frozen=True)
class _Given:
    """An initializer that gives one array."""

    name: str
    array: np.ndarray

    def __call__(self, shape: tuple[int, ...], dtype: object = None) -> np.ndarray:
        _same_shape(self.name, self.array, tuple(shape))
        return self.array


def _same_shape(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if shape != array.shape:
        raise ValueError(f"{name} has the shape {array.shape}, the layer takes {shape}")


def _brief(attributes: Mapping[str, object]) -> str:
    return json.dumps({key: str(value)[:60] for key, value in attributes.items()})
