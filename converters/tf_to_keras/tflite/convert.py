"""A .tflite network → ONNX, dequantised: float32 weights under their layers' names, batch free.

read ─▶ Network ─▶ each operator by its function ─▶ Writer ─▶ ModelProto (+ labels, scaling)
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import onnx
from onnx import helper

from converters.errors import ConversionError, NodeError, UnsupportedError
from converters.tf_to_keras.graphs.names import without_common_prefix
from converters.tf_to_keras.tflite.dequantise import real_dtype, real_range, real_values
from converters.tf_to_keras.tflite.metadata import labels_of, preprocessing_of
from converters.tf_to_keras.tflite.names import layer_name, plain_name
from converters.tf_to_keras.tflite.network import Network, Operator, Tensor
from converters.tf_to_keras.tflite.read import read_network
from converters.tf_to_keras.tflite.registry import Call, known_ops, op
from converters.tf_to_keras.tflite.write import (
    FixedBatchError,
    Shape,
    Value,
    Writer,
    elements,
)

OPSET = 18
_LARGEST_STATE = 2**22  # elements of a tensor that starts as zeros
_ACTIVATIONS = {
    1: "RELU",
    2: "RELU_N1_TO_1",
    3: "RELU6",
    4: "TANH",
}  # schema.ActivationFunctionType
# Their results can be negative, so a range that starts at zero says that a ReLU was there.
_KERNELS = {
    "CONV_2D": "Conv2D", "DEPTHWISE_CONV_2D": "DepthwiseConv2D", "CONV_3D": "Conv3D",
    "TRANSPOSE_CONV": "Conv2DTranspose", "FULLY_CONNECTED": "MatMul",
}  # fmt: skip
_LINEAR = {
    "CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED", "CONV_3D",
    "ADD", "SUB", "MUL", "BATCH_MATMUL",
}  # fmt: skip


def tflite_to_onnx(
    data: bytes,
    *,
    input_shapes: Mapping[str, Sequence[int | None]] | None = None,
    ops: Collection[str] = (),
    placeholders: bool = False,
    name: str = "network",
) -> onnx.ModelProto:
    """ONNX network (opset 18) of a .tflite file: float32, its batch free where that is possible.

    Quantised weights become the real numbers that they stand for, quantised activations the
    real numbers without their rounding; a range that starts at zero after a layer without an
    activation of its own is a ReLU (up to six: a ReLU6). Inputs and outputs are real numbers.

    Args:
        data: the file's bytes.
        input_shapes: name of an input → its shape, for sizes that the file leaves open.
        ops: names of operators that the caller builds from nodes of the domain "tflite".
        placeholders: leaves every unknown operator in that domain instead of refusing it.
        name: of the graph.

    Raises:
        ReadError: no .tflite file, or a damaged one.
        UnsupportedError: operators without a function, all of them.

    Example::

        proto = tflite_to_onnx(Path("mobilenet.tflite").read_bytes())
    """
    network = read_network(data)
    if not placeholders:
        _refuse_unknown(network, ops)
    try:
        try:
            proto = _Conversion(network, input_shapes or {}, free=True).proto(name)
        except FixedBatchError:
            proto = _Conversion(network, input_shapes or {}, free=False).proto(name)
    except (ValueError, IndexError, TypeError, OverflowError) as err:
        if isinstance(err, ConversionError):
            raise
        raise ConversionError(
            f"Expected operators whose shapes fit together, got: {err}. The file is damaged, or "
            "its converter wrote a wrong operator."
        ) from err
    for key, value in (
        ("labels", labels_of(data, network)),
        ("preprocessing", preprocessing_of(data, network)),
    ):
        if value is not None:
            proto.metadata_props.add(key=f"converters.{key}", value=json.dumps(value))
    return proto


def _refuse_unknown(network: Network, ops: Collection[str]) -> None:
    unknown: dict[str, list[str]] = {}
    for operator in network.operators:
        if operator.op not in known_ops() and operator.op not in ops:
            name = network.tensors[operator.outputs[0]].name if operator.outputs else ""
            unknown.setdefault(operator.op, []).append(name)
    if unknown:
        listed = ", ".join(
            f"{op} ({len(names)}, first '{names[0]}')" for op, names in unknown.items()
        )
        raise UnsupportedError(
            f"Expected operators that have a converter, got {len(unknown)} without: {listed}. "
            "Supply each with ops={'NAME': function}, or look at the rest of the network with "
            "placeholders=True.",
            unknown,
        )


class _Conversion:
    """One walk over the operators; `free` gives the batch an axis of any size."""

    def __init__(
        self, network: Network, input_shapes: Mapping[str, Sequence[int | None]], *, free: bool
    ) -> None:
        self.network = network
        self.free = free
        self.write = Writer()
        self.values: dict[int, Value] = {}
        self.inputs = [self.enter(index, input_shapes) for index in dict.fromkeys(network.inputs)]

    def proto(self, name: str) -> onnx.ModelProto:
        for operator in self.network.operators:
            self.operator(operator)
        outputs = [self.leave(index) for index in self.network.outputs]
        graph = helper.make_graph(
            self.write.nodes, name, self.inputs, outputs, list(self.write.weights.values())
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        proto.ir_version = 8  # what ONNX 1.13 and runtimes since then read
        if any(node.domain for node in proto.graph.node):
            proto.opset_import.append(helper.make_opsetid("tflite", 1))
        proto.metadata_props.add(
            key="converters.parameters", value=json.dumps(self.write.parameters)
        )
        return without_common_prefix(proto)

    def enter(
        self, index: int, input_shapes: Mapping[str, Sequence[int | None]]
    ) -> onnx.ValueInfoProto:
        """Declares one input: real numbers, its batch free."""
        tensor = self.network.tensors[index]
        name = self.write.unique(plain_name(tensor.name))
        given = input_shapes.get(name, input_shapes.get(tensor.name))
        shape = _with_given(tensor, given)
        dtype = np.dtype(np.float32) if tensor.type in ("UINT8", "INT8") else real_dtype(tensor)
        batched = self.free and len(shape) > 0 and (len(shape) == 1 or shape[0] in (1, None))
        value = Value(name, shape, dtype, batched)
        declared: Shape = shape
        if batched and len(shape) == 1:  # one recording: the batch is a new axis in front
            declared = (None, *shape)
            self.write.where = name
            value = Value(self.write.reshape(name, (None,)), shape, dtype, True)
        elif batched:
            value = Value(name, (1, *shape[1:]), dtype, True)
            declared = (None, *shape[1:])
        if tensor.quantisation is not None and not tensor.constant:
            value = _with_scale(value, tensor)
        self.values[index] = value
        sizes = [
            "batch" if axis == 0 and size is None else size for axis, size in enumerate(declared)
        ]
        return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(dtype), sizes)

    def value(self, index: int) -> Value | None:
        """The value of a tensor; a constant is dequantised when it is first asked for."""
        if index < 0:
            return None
        if index not in self.values:
            tensor = self.network.tensors[index]
            if tensor.constant:
                data = real_values(tensor)
            elif elements(tensor.shape) <= _LARGEST_STATE and None not in tensor.shape:
                data = np.zeros([size or 0 for size in tensor.shape], real_dtype(tensor))
            else:
                raise NodeError(
                    f"Expected a state of known size, got '{tensor.name}', {tensor.shape}."
                )
            self.values[index] = Value(tensor.name, tensor.shape, data.dtype, data=data)
        return self.values[index]

    def expected(self, index: int) -> Value:
        """A tensor before it is computed: shape and type as the file says."""
        tensor = self.network.tensors[index]
        shape = tensor.shape
        if self.free and shape and shape[0] is None:
            shape = (1, *shape[1:])
        value = Value("", shape, real_dtype(tensor))
        return _with_scale(value, tensor) if tensor.quantised else value

    def operator(self, operator: Operator) -> None:
        tensors = [self.network.tensors[index] for index in operator.outputs]
        self.write.where = self.where(operator)
        call = Call(
            operator.op,
            self.write,
            tuple(self.value(index) for index in operator.inputs),
            tuple(self.expected(index) for index in operator.outputs),
            operator.options,
        )
        function = known_ops().get(operator.op, _foreign)
        result = function(call)
        results = result if isinstance(result, list) else [result]
        for index, tensor, found in zip(operator.outputs, tensors, results, strict=False):
            self.values[index] = self.finished(call, tensor, found)

    def where(self, operator: Operator) -> str:
        """What the operator's nodes are called: its layer if it has a kernel, else its output."""
        name = self.network.tensors[operator.outputs[0]].name if operator.outputs else operator.op
        index = operator.inputs[1] if len(operator.inputs) > 1 else -1
        if operator.op in _KERNELS and index >= 0 and self.network.tensors[index].constant:
            layer = layer_name(self.network.tensors[index].name, name)
            layer = layer or _KERNELS[operator.op].lower().replace("matmul", "dense")
            return f"{layer.replace('.', '/')}/{_KERNELS[operator.op]}"
        return plain_name(name)

    def finished(self, call: Call, tensor: Tensor, found: str | Value) -> Value:
        """A result with the activation that the file fuses to it, or implies by its range."""
        expected = call.outputs[0] if len(call.outputs) == 1 else self.expected(tensor.index)
        if isinstance(found, Value):
            return found
        name = found
        kind = _ACTIVATIONS.get(call.option("fused_activation_function"))
        if call.op == "UNIDIRECTIONAL_SEQUENCE_LSTM":
            kind = None  # it belongs to the cell
        elif kind is None and call.op in _LINEAR:
            kind = _implied(tensor)
        value = Value(name, expected.shape, expected.dtype, call.batched)
        if kind is not None:
            if call.op in _KERNELS:
                layer = self.write.where.rsplit("/", 1)[0]
                self.write.where = f"{layer}/{kind.capitalize()}"
            inner = Call(kind, self.write, (value,), (expected,), {})
            name = str(known_ops()[kind](inner))
        value = Value(name, expected.shape, expected.dtype, call.batched)
        return _with_scale(value, tensor) if tensor.quantised else value

    def leave(self, index: int) -> onnx.ValueInfoProto:
        """Gives one output its name and its batch."""
        value = self.value(index)
        assert value is not None
        tensor = self.network.tensors[index]
        name, self.write.where = value.name, plain_name(tensor.name)
        if value.imaginary:
            raise UnsupportedError(f"Expected real outputs, got '{tensor.name}', a complex one.")
        shape: list[int | str | None] = list(value.shape)
        if value.data is not None:
            name = self.write.fixed(value.data)
        elif value.batched:
            if value.shape[:1] not in ((1,), (None,)):
                name = self.write.reshape(name, (None, *value.shape))
                shape = ["batch", *shape]
            elif shape:
                shape[0] = "batch"
        final = self.write.unique(plain_name(tensor.name))
        self.write.nodes.append(helper.make_node("Identity", [name], [final], name=final))
        return helper.make_tensor_value_info(
            final, helper.np_dtype_to_tensor_dtype(value.dtype), shape
        )


@op("IDENTITY")
def _identity(call: Call) -> str:
    return call.name()


def _foreign(call: Call) -> list[str]:
    """An operator of the caller's: a node of the domain "tflite" with its options."""
    names = [call.write.operand(value) if value is not None else "" for value in call.inputs]
    options = {
        key: value for key, value in call.options.items() if isinstance(value, bool | int | float)
    }
    return call.write.several(len(call.outputs), call.op, *names, domain="tflite", **options)


def _implied(tensor: Tensor) -> str | None:
    ends = real_range(tensor)
    if ends is None or ends[0] != 0.0:
        return None
    return "RELU6" if abs(ends[1] - 6.0) < 6.0 / 255 else "RELU"


def _with_scale(value: Value, tensor: Tensor) -> Value:
    assert tensor.quantisation is not None
    if tensor.type not in ("UINT8", "INT8"):
        return value
    return replace(
        value,
        scale=float(tensor.quantisation.scales[0]),
        zero_point=int(tensor.quantisation.zero_points[0]),
    )


def _with_given(tensor: Tensor, given: Sequence[int | None] | None) -> Shape:
    if given is None:
        return tensor.shape
    shape = tuple(None if size in (None, -1) else int(size or 0) for size in given)
    fits = len(shape) == len(tensor.shape) and all(
        known is None or axis == 0 or size == known
        for axis, (size, known) in enumerate(zip(shape, tensor.shape, strict=True))
    )
    if not fits:
        raise ConversionError(
            f"Expected a shape like {tensor.shape} for the input '{tensor.name}', got {shape}. "
            "Only sizes that the file leaves open can be given; convert it again for others."
        )
    return shape
