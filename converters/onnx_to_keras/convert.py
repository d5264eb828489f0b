"""The door of the importer: a file or model in, a trainable Keras model out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError, NodeError, UnsupportedError
from converters.onnx_to_keras.graph import Graph, Node, Value
from converters.onnx_to_keras.registry import Constant, known_ops

if TYPE_CHECKING:
    import keras
    import onnx

    from converters.onnx_to_keras.build import Build
    from converters.onnx_to_keras.layout import LaidOut

_LOG = logging.getLogger(__name__)

TOLERANCE = 1e-4
"""Largest difference to the source, as a part of its largest answer, that passes."""
ROUNDED_TOLERANCE = 0.2
"""The same where the source rounds to 8 bits and the Keras model does not."""
_ROUNDED = (
    "it rounds to 8 bits (QuantizeLinear) and the Keras model computes in float32: the two agree "
    "as far as that rounding allows"
)

OwnOps = Mapping[str, Callable[..., object]]


def onnx_to_keras(
    source: str | Path | bytes | onnx.ModelProto,
    *,
    ops: OwnOps | None = None,
    placeholders: bool = False,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    verify: bool = True,
    allow_mismatch: bool = False,
    name: str | None = None,
) -> keras.Model:
    """Trainable Keras model, channels last, that answers as the ONNX model does.

    Layers are Keras' own and are named after the source's weights; every floating-point weight
    trains. `converters.import_report(model)` has the proof, and the table from layers to nodes.

    Args:
        source: an `.onnx` file, its bytes, or a model in memory.
        ops: functions for operators that have no converter, by operator name. Each takes the
            node's inputs, in ONNX's order of axes, and its attributes by name, and answers with
            `keras.ops`.
        placeholders: put an Identity layer where an operator has no converter, to look at the
            rest; no comparison with the source is made then.
        input_shapes: input name → shape in ONNX's order, for inputs whose size is open in the
            file; None stands for the batch.
        verify: compare with the source at two batch sizes and take a gradient.
        allow_mismatch: give the model even if it answers differently.
        name: of the Keras model; the graph's own when None.

    Raises:
        ReadError: not an ONNX model, or one that is not safe to read.
        UnsupportedError: operators without a converter, all of them, with counts and nodes.
        NodeError: one node that cannot be converted, with its shapes.
        MismatchError: the Keras model answers differently from the source.

    Example::

        model = converters.onnx_to_keras("resnet50.onnx")
        model.get_layer("layer4_2_conv3").trainable = False
        print(converters.import_report(model))
    """
    from converters.onnx_to_keras.certificate import describe
    from converters.onnx_to_keras.read import read
    from converters.parity.certificate import certify, count
    from converters.report import record

    proto = read(source)
    label = str(source) if isinstance(source, (str, Path)) else (proto.graph.name or "ONNX model")
    own = dict(ops or {})
    (model, laid_out, build), notes = _freed_or_fixed(proto, own, input_shapes, placeholders, name)
    if any(node.op_type == "QuantizeLinear" for node in proto.graph.node):
        notes += (_ROUNDED,)
    report = describe(proto, label, laid_out, build, notes)
    missing = any(row.operation.name.startswith("placeholder_") for row in build.rows)
    del laid_out, build  # with the arrays of the file
    if verify and not missing and not own:
        del proto  # it is read again for the comparison, so as not to lie beside the model
        tolerance = ROUNDED_TOLERANCE if _ROUNDED in notes else TOLERANCE
        certify(
            model,
            source,
            report,
            tolerance=tolerance,
            batch_sizes=(1, 2),  # the gradient is taken on the first
            allow_mismatch=allow_mismatch,
        )
    else:
        record(model, replace(report, counts=count(model)))
    for note in notes:
        _LOG.warning("%s: %s", label, note)
    return model


def _freed_or_fixed(
    proto: onnx.ModelProto,
    ops: OwnOps,
    input_shapes: Mapping[str, Sequence[int | None]] | None,
    placeholders: bool,
    name: str | None,
) -> tuple[tuple[keras.Model, LaidOut, Build], tuple[str, ...]]:
    """The model with a free batch; with the file's own where its graph allows no other."""
    try:
        return assemble(proto, ops, input_shapes, placeholders=placeholders, name=name), ()
    except NodeError as err:
        if not _has_fixed_batch(proto):
            raise
        try:
            fixed = assemble(
                proto, ops, input_shapes, placeholders=placeholders, static=True, name=name
            )
        except NodeError:
            raise err from None
        return fixed, (f"its batch stays fixed, as in the file, because of: {err}",)


def _has_fixed_batch(proto: onnx.ModelProto) -> bool:
    weights = {tensor.name for tensor in proto.graph.initializer}
    shapes = [v.type.tensor_type.shape.dim for v in proto.graph.input if v.name not in weights]
    return all(dim.dim_value > 0 for shape in shapes for dim in shape[:1])


def assemble(
    proto: onnx.ModelProto,
    ops: OwnOps,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    *,
    placeholders: bool = False,
    static: bool = False,
    name: str | None = None,
) -> tuple[keras.Model, LaidOut, Build]:
    """The model with the graph it was built from and the record of its building."""
    from converters.onnx_to_keras.build import Build
    from converters.onnx_to_keras.fold import fold
    from converters.onnx_to_keras.fuse import fuse
    from converters.onnx_to_keras.layout import lay_out
    from converters.onnx_to_keras.normalise import normalise
    from converters.onnx_to_keras.parse import parse

    try:
        graph = parse(proto, input_shapes, static=static)
        graph = fold(graph, _Shapes(ops, placeholders=placeholders))
        _check_supported(graph, ops, placeholders=placeholders)
        graph = fuse(normalise(graph))
        laid_out = lay_out(graph, {op.name: op.order for op in known_ops().values()})
        build = Build(laid_out, ops, static=static)
        return build.run(name or proto.graph.name), laid_out, build
    except ConversionError:
        raise
    except RecursionError as err:
        raise UnsupportedError(
            "Expected a network that Keras can build, got one whose "
            f"{len(proto.graph.node):,} nodes follow one another deeper than Python's stack: "
            "Keras walks its layers by recursion. "
            "Export a part of the network."
        ) from err
    except (ArithmeticError, LookupError, MemoryError, TypeError, ValueError) as err:
        raise ConversionError(
            f"Expected a graph whose nodes fit together, got one that does not: "
            f"{type(err).__name__}: {str(err)[:300]}. The file is damaged; if onnx.checker takes "
            "it, report it with the file."
        ) from err


class _Shapes:
    """Shapes of operators that ONNX does not know: from a call of the user's function."""

    def __init__(self, ops: OwnOps, *, placeholders: bool) -> None:
        self.ops = ops
        self.placeholders = placeholders

    def __call__(self, node: Node, inputs: list[Value | Constant | None]) -> list[Value] | None:
        function = self.ops.get(node.op)
        if function is not None:
            return self._by_calling(function, node, inputs)
        first = next((value for value in inputs if isinstance(value, Value)), None)
        if not self.placeholders or first is None:
            return None
        return [first] * len(node.outputs)

    def _by_calling(
        self,
        function: Callable[..., object],
        node: Node,
        inputs: list[Value | Constant | None],
    ) -> list[Value]:
        import keras

        found = []
        for probe in (0, 1):
            arguments = [
                keras.KerasTensor(value.shapes[probe], value.dtype.name)
                if isinstance(value, Value)
                else (value.value if isinstance(value, Constant) else None)
                for value in inputs
            ]
            try:
                result = function(*arguments, **node.attributes)
            except Exception as err:  # the user's own code
                raise NodeError(
                    f"Expected that the function given for '{node.op}' takes the inputs and "
                    f"attributes of {node}, got {type(err).__name__}: {err}. Its arguments are the "
                    f"inputs (shapes {[getattr(a, 'shape', None) for a in arguments]}), by name "
                    f"the attributes {list(node.attributes)}."
                ) from err
            found.append(result if isinstance(result, (tuple, list)) else (result,))
        return [
            Value((tuple(a.shape), tuple(b.shape)), np.dtype(a.dtype))
            for a, b in zip(*found, strict=True)
        ]


def _check_supported(graph: Graph, ops: OwnOps, *, placeholders: bool) -> None:
    """Every operator without a converter, in one error; then what has no shape."""
    missing = unsupported(graph, ops)
    if missing and not placeholders:
        listed = "\n".join(
            f"  {op:<24} {len(nodes):>4}x  first at '{nodes[0]}'"
            for op, nodes in sorted(missing.items())
        )
        example = min(missing).rpartition(".")[2]
        raise UnsupportedError(
            f"Expected operators that have a converter (opset {graph.opset}), got "
            f"{len(missing)} that have none:\n{listed}\nGive a function for each, which takes the "
            f"inputs and attributes and answers with keras.ops: ops={{'{example}': function}}. Or "
            "look at the rest of the network with placeholders=True.",
            missing,
        )
    for node in graph.nodes:
        for output in filter(None, node.outputs):
            if output not in graph.values and output not in graph.constants:
                shapes = {n: graph.values[n].target for n in node.inputs if n in graph.values}
                raise NodeError(
                    f"Expected an output of {node} (opset {graph.opset}) whose shape follows from "
                    f"its inputs, got one that depends on their numbers (inputs: {shapes}). A "
                    "Keras model has fixed axes: export the network up to the value before it."
                )


def unsupported(graph: Graph, ops: OwnOps) -> dict[str, list[str]]:
    """Operators of a folded graph that have no converter → names of their nodes."""
    from converters.onnx_to_keras.normalise import REWRITTEN

    known = {*known_ops(), *REWRITTEN}
    missing: dict[str, list[str]] = {}
    for node in graph.nodes:
        if node.op in ops or (not node.domain and node.op in known):
            continue
        if all(name in graph.symbolic for name in node.outputs if name):
            continue
        name = f"{node.domain}.{node.op}".lstrip(".")
        missing.setdefault(name, []).append(node.name or node.output)
    return missing
