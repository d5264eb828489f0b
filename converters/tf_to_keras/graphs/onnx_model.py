"""A flat TensorFlow graph → ONNX by tf2onnx, without the folding that loses weights and names."""

import json
import logging
import math
import re
from typing import TYPE_CHECKING

import numpy as np
import onnx
from onnx import numpy_helper

from converters.errors import ConversionError, MissingExtraError, ReadError, UnsupportedError
from converters.tf_to_keras.graphs.batch_norm import restore_batch_norm
from converters.tf_to_keras.graphs.bias import take_in_biases
from converters.tf_to_keras.graphs.freeze import Frozen, plain_step
from converters.tf_to_keras.graphs.names import parameter_names, renamed, shorten_nodes
from converters.tf_to_keras.graphs.rewrite import rewrite

if TYPE_CHECKING:
    import tensorflow as tf

OPSET = 17
_LOG = logging.getLogger(__name__)
_MOST_ELEMENTS = 2**28  # of one value for one sample; a gigabyte of float32
# Of tf2onnx's twelve: the others move weights, fold BatchNorm or reorder axes.
_OPTIMISERS = ("remove_identity", "loop_optimizer", "einsum_optimizer")


def to_onnx(frozen: Frozen, name: str = "network") -> onnx.ModelProto:
    """ONNX network (opset 17) with float32 weights under their layers' names, batch free.

    Raises UnsupportedError that lists every operator tf2onnx has no converter for.
    """
    rewrite(frozen)
    proto = _run_tf2onnx(frozen, name)
    _fill_weights(proto, frozen)
    _rename_ends(proto, frozen)
    _free_dimensions(proto)
    for node in proto.graph.node:
        node.name = plain_step(node.name)
    shorten_nodes(proto)
    take_in_biases(proto)
    restore_batch_norm(proto)
    return _rename_weights(proto, frozen)


def _run_tf2onnx(frozen: Frozen, name: str) -> onnx.ModelProto:
    try:
        import tf2onnx  # type: ignore[import-untyped,unused-ignore]
        from tf2onnx import optimizer  # type: ignore[import-untyped,unused-ignore]
    except ImportError as err:
        raise MissingExtraError("tf2onnx", "convert", "Converting a TensorFlow graph") from err
    import tensorflow as tf

    inputs = [*frozen.inputs.values(), *(f"{weight}:0" for weight in frozen.weights)]
    chosen = {
        key: factory for key, factory in optimizer._get_optimizers().items() if key in _OPTIMISERS
    }
    try:
        with tf.Graph().as_default() as graph:
            tf.import_graph_def(frozen.graph, name="")
        _check_shapes(graph)
        # continue_on_error: what has no converter is listed below, all at once.
        converted = tf2onnx.tfonnx.process_tf_graph(
            graph, opset=OPSET, input_names=inputs, output_names=list(frozen.outputs.values()),
            continue_on_error=True,
        )  # fmt: skip
        _check_operators(converted)
        converted = optimizer.optimize_graph(converted, catch_errors=False, optimizers=chosen)
        proto: onnx.ModelProto = converted.make_model(name, graph_name=name)
    except ConversionError:
        raise
    except Exception as err:  # tf2onnx and TensorFlow raise whatever they stumble over
        raise ConversionError(
            "Expected a graph that tf2onnx can convert, got "
            f"{type(err).__name__}: {(str(err) or 'no message').splitlines()[0]}. Export the "
            "network to ONNX where it was made, or convert its .tflite file."
        ) from err
    return proto


def _check_shapes(graph: "tf.Graph") -> None:
    """Raises ReadError for a value too large to compute: tf2onnx computes what is constant."""
    for operation in graph.get_operations():
        for output in operation.outputs:
            sizes = output.shape.as_list() if output.shape.rank is not None else []
            if math.prod(size or 1 for size in sizes) > _MOST_ELEMENTS:
                raise ReadError(
                    f"Expected values of at most {_MOST_ELEMENTS:,} numbers, got the shape {sizes} "
                    f"from {operation.type} '{operation.name[:100]}'. The file is damaged or made "
                    "to exhaust memory, or its input shapes are too large: give smaller ones with "
                    "input_shapes."
                )


def _check_operators(graph: object) -> None:
    unknown: dict[str, list[str]] = {}
    for node in getattr(graph, "get_nodes")():  # noqa: B009
        if node.domain or node.type in ("Const", "Placeholder"):
            continue
        if not _is_onnx(node.type):
            unknown.setdefault(node.type, []).append(plain_step(node.name))
    if unknown:
        listed = ", ".join(
            f"{op} ({len(names)}, first '{names[0]}')" for op, names in unknown.items()
        )
        raise UnsupportedError(
            f"Expected operators that ONNX has, got {len(unknown)} without: {listed}. Cut them "
            "off (preprocessing and postprocessing often hold them), or export the network to "
            "ONNX where it was made.",
            unknown,
        )


def _is_onnx(op: str) -> bool:
    try:
        onnx.defs.get_schema(op, OPSET)
    except Exception:  # onnx raises its own SchemaError, which it does not export by name
        return False
    return True


def _fill_weights(proto: onnx.ModelProto, frozen: Frozen) -> None:
    """Inputs that stand for weights become initializers."""
    weights = {f"{name}:0": variable for name, variable in frozen.weights.items()}
    kept = [value for value in proto.graph.input if value.name not in weights]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    used = {name for node in proto.graph.node for name in node.input}
    for name, variable in weights.items():
        if name in used:
            value = variable.value
            if value.dtype.kind == "f":
                value = value.astype(np.float32)
            proto.graph.initializer.append(
                numpy_helper.from_array(np.ascontiguousarray(value), name)
            )


def _rename_ends(proto: onnx.ModelProto, frozen: Frozen) -> None:
    """Inputs and outputs under the names that the signature has for them."""
    names = {tensor: name for name, tensor in frozen.inputs.items()}
    taken = {name for node in proto.graph.node for name in node.output}
    outputs = {}
    for name, tensor in frozen.outputs.items():
        final = name
        while final in taken or final in names.values():
            final = f"{final}_output"
        if tensor not in names and tensor not in outputs:
            outputs[tensor] = final
    names.update(outputs)
    for node in proto.graph.node:
        for values in (node.input, node.output):
            for index, name in enumerate(values):
                if name in names:
                    values[index] = names[name]
    for value in [*proto.graph.input, *proto.graph.output]:
        value.name = names.get(value.name, value.name)


def _free_dimensions(proto: onnx.ModelProto) -> None:
    """tf2onnx invents names for open sizes; the first axis is the batch."""
    del proto.graph.value_info[:]
    for value in [*proto.graph.input, *proto.graph.output]:
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if not size.HasField("dim_value") or size.dim_value <= 0:
                size.ClearField("dim_value")
                size.dim_param = "batch" if axis == 0 else f"{value.name}_{axis}"


def _rename_weights(proto: onnx.ModelProto, frozen: Frozen) -> onnx.ModelProto:
    present = [
        tensor.name.removesuffix(":0")
        for tensor in proto.graph.initializer
        if tensor.name.removesuffix(":0") in frozen.weights
    ]
    names = {node: _variable_name(node, frozen) for node in present}
    parameters = parameter_names(list(names.values()))
    trainable = [
        f"{node}:0"
        for node in present
        if frozen.weights[node].trainable and frozen.weights[node].value.dtype.kind == "f"
    ]
    buffers = [f"{node}:0" for node in present if f"{node}:0" not in trainable]
    for kind, listed in (("parameters", trainable), ("buffers", buffers)):
        proto.metadata_props.add(key=f"converters.{kind}", value=json.dumps(listed))
    return renamed(proto, {f"{node}:0": parameters[name] for node, name in names.items()})


def _variable_name(node: str, frozen: Frozen) -> str:
    name = frozen.weights[node].name
    # Without a table of names there is the node's, with a number that the graph put there.
    return re.sub(r"_\d+$", "", name) if name == node else name
