"""One operator of a network with what went into it, as a file to look at or to report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from converters.errors import ConversionError
from converters.exported.staging import staged
from converters.parity.onnx_runs import onnx_network
from converters.parity.result import Divergence, Operator

if TYPE_CHECKING:
    import onnx


def cut_out(model: onnx.ModelProto, node: onnx.NodeProto, inputs: Sequence[np.ndarray]) -> Operator:
    """A model of one node: weights inside, everything else an input, with its actual arrays."""
    from onnx import helper

    weights = [tensor for tensor in model.graph.initializer if tensor.name in node.input]
    inside = {tensor.name for tensor in weights}
    wanted = list(dict.fromkeys(name for name in node.input if name and name not in inside))
    made = [name for name in node.output if name]
    graph_inputs = {value.name for value in model.graph.input}
    network = onnx_network(model, extra=[n for n in (*wanted, *made) if n not in graph_inputs])
    values = dict(zip(network.outputs, network.run(inputs), strict=True))
    values |= {
        spec.name: np.asarray(array)
        for spec, array in zip(network.inputs or (), inputs, strict=True)
    }

    def described(names: Sequence[str]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(values[name].dtype), values[name].shape
            )
            for name in names
        ]

    graph = helper.make_graph([node], "operator", described(wanted), described(made), weights)
    single = helper.make_model(
        graph, opset_imports=list(model.opset_import), ir_version=model.ir_version
    )
    return Operator(
        single, {name: values[name] for name in wanted}, {name: values[name] for name in made}
    )


def write_operator(divergence: Divergence | None, path: str | Path) -> Path:
    """The `.onnx` file of the operator at which two networks part; its arrays in an `.npz`."""
    if divergence is None or divergence.operator is None:
        raise ConversionError(
            "Expected a comparison that found the first operator that differs, got one that did "
            "not look for it or found none. Use converters.compare(…, bisect=True)."
        )
    operator, target = divergence.operator, Path(path)
    arrays = {f"inputs/{name}": value for name, value in operator.inputs.items()}
    arrays |= {f"outputs/{name}": value for name, value in operator.outputs.items()}
    with staged(target) as fresh:
        fresh.write_bytes(operator.model.SerializeToString())
        with fresh.with_suffix(".npz").open("wb") as file:
            np.savez(file, **arrays)
    return target
