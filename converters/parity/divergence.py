"""The first value at which a model leaves its source, looked for in order of computation.

source   ─ a ─ b ─ c ─ d ─ y        every value that the import has recorded for a layer,
model    ─ a ─ b ─ C ─ D ─ Y        taken from both in one run each: here the fault is at c
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from converters.errors import ConversionError
from converters.onnx_to_keras.read import read
from converters.parity.comparison import open_pair, row
from converters.parity.network import Network, keras_network
from converters.parity.onnx_runs import onnx_network
from converters.parity.operator import cut_out
from converters.parity.orders import inverse, permuted
from converters.parity.result import Divergence

if TYPE_CHECKING:
    import keras
    import onnx

    from converters.report.facts import LayerRow


def first_divergence(
    source: Any, model: Any, inputs: Sequence[np.ndarray], tolerance: float
) -> Divergence | None:
    """The first recorded value that differs; None when all of them agree.

    Raises:
        ConversionError: the source is no ONNX model, or the model was not imported from it.
    """
    from converters.report import import_report

    report = import_report(model)
    if isinstance(source, Network) or not _is_onnx(source):
        raise ConversionError(
            "Expected an ONNX source to look for the first node that differs, got "
            f"{type(source).__name__}. Compare with the .onnx file, or leave out bisect=True."
        )
    proto = read(source)
    values = _values(model, report.layers, _computed(proto))
    pair = open_pair(proto, model)
    size = pair.source.fixed_batch
    sample = [array[:size] for array in inputs] if size else list(inputs)
    theirs = onnx_network(proto, extra=list(values))
    wanted = dict(zip(theirs.outputs, theirs.run(sample), strict=True))
    found = _intermediate(
        model, [tensor for _, _, tensor in values.values()], pair.to_model(sample)
    )
    agreed = ""
    for (name, (layer, order, _)), answer in zip(values.items(), found, strict=True):
        turned = permuted([answer], [inverse(order)])[0] if order else answer
        difference = row(name, wanted[name], turned, tolerance)
        if not difference.passed and not _nothing_to_see(wanted[name], turned):
            node = _computed(proto)[name][1]
            return Divergence(
                node.name,
                node.op_type,
                name,
                layer.layer,
                difference.shape,
                difference.max_abs,
                difference.max_rel,
                agreed,
                tuple(order),
                cut_out(proto, node, sample),
            )
        agreed = name
    return None


def _is_onnx(source: object) -> bool:
    if isinstance(source, bytes) or type(source).__name__ == "ModelProto":
        return True
    return isinstance(source, str) or hasattr(source, "__fspath__")


def _computed(model: onnx.ModelProto) -> dict[str, tuple[int, onnx.NodeProto]]:
    return {
        name: (position, node)
        for position, node in enumerate(model.graph.node)
        for name in node.output
        if name
    }


def _values(
    model: keras.Model,
    layers: Sequence[LayerRow],
    computed: dict[str, tuple[int, onnx.NodeProto]],
) -> dict[str, tuple[LayerRow, tuple[int, ...], object]]:
    """Source value → its layer, axis order and Keras tensor, in order of computation."""
    found = {}
    calls: dict[str, int] = {}
    operations = {operation.name: operation for operation in model.operations}
    for layer in layers:
        call = calls.setdefault(layer.layer, 0)
        calls[layer.layer] += 1  # a layer that is used twice has two rows
        tensors = list(_outputs(operations.get(layer.layer), call))
        for position, (name, tensor) in enumerate(zip(layer.outputs, tensors, strict=False)):
            if name in computed:
                order = layer.orders[position] if position < len(layer.orders) else ()
                found[name] = (layer, order, tensor)
    return dict(sorted(found.items(), key=lambda item: computed[item[0]][0]))


def _outputs(operation: object, call: int) -> Iterator[object]:
    nodes = getattr(operation, "_inbound_nodes", [])
    if call < len(nodes):
        yield from nodes[call].output_tensors


def _intermediate(
    model: keras.Model, tensors: list[object], arrays: list[np.ndarray]
) -> list[np.ndarray]:
    import keras

    if not tensors:
        return []
    return keras_network(keras.Model(model.input, tensors)).run(arrays)


def _nothing_to_see(wanted: np.ndarray, found: np.ndarray) -> bool:
    """Whether both are without a finite number, as a mask of -inf is."""
    if wanted.shape != found.shape:
        return False
    return not np.isfinite(wanted).any() and bool(np.all(np.isfinite(found) == np.isfinite(wanted)))
