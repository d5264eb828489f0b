"""TensorFlowOpLayer: a node of a TensorFlow graph inside a Keras model (TensorFlow 2.0 to 2.3).

Its config has the node's definition and the inputs that were constants; the node's operator is
said here by the function of ops.py that does the same.
"""

from collections.abc import Callable
from typing import Any

from converters.doors.json_text import read_json
from converters.tf_to_keras.keras2.translate import ops
from converters.tf_to_keras.keras2.tree import Json, UntranslatableError, plain

# operator → function of ops.py; inputs come in the same order
SAME_ORDER = {
    "AddV2": "add",
    "Add": "add",
    "BiasAdd": "nn.bias_add",
    "Sub": "subtract",
    "Mul": "multiply",
    "RealDiv": "truediv",
    "Div": "truediv",
    "FloorDiv": "floordiv",
    "Pow": "pow",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "SquaredDifference": "squared_difference",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Less": "less",
    "LessEqual": "less_equal",
    "Abs": "abs",
    "Neg": "negative",
    "Exp": "exp",
    "Log": "log",
    "Log1p": "log1p",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Square": "square",
    "Reciprocal": "reciprocal",
    "Sign": "sign",
    "Floor": "floor",
    "Ceil": "ceil",
    "Sin": "sin",
    "Cos": "cos",
    "Tanh": "tanh",
    "Erf": "erf",
    "Sigmoid": "sigmoid",
    "Identity": "identity",
    "StopGradient": "stop_gradient",
    "Relu": "nn.relu",
    "Relu6": "nn.relu6",
    "Elu": "nn.elu",
    "Selu": "nn.selu",
    "Softplus": "nn.softplus",
    "Softsign": "nn.softsign",
    "Softmax": "nn.softmax",
    "LogSoftmax": "nn.log_softmax",
    "ClipByValue": "clip_by_value",
    "Reshape": "reshape",
    "Transpose": "transpose",
    "ExpandDims": "expand_dims",
    "Tile": "tile",
    "ReverseV2": "reverse",
    "Shape": "shape",
    "SelectV2": "where",
}
REDUCED = {
    "Mean": "reduce_mean",
    "Sum": "reduce_sum",
    "Max": "reduce_max",
    "Min": "reduce_min",
    "Prod": "reduce_prod",
    "Any": "reduce_any",
    "All": "reduce_all",
}
_DTYPES = {
    "DT_FLOAT": "float32",
    "DT_HALF": "float32",
    "DT_DOUBLE": "float32",
    "DT_INT32": "int32",
    "DT_INT64": "int64",
    "DT_UINT8": "uint8",
    "DT_BOOL": "bool",
}


def find(config: Json) -> Callable[..., Any]:
    """A function of the layer's tensors; raises UntranslatableError for other operators."""
    node: Any = config["node_def"]
    node = read_json(node, "the config") if isinstance(node, str) else node
    attributes = node.get("attr", {})
    constants = {int(i): plain(value) for i, value in (config.get("constants") or {}).items()}
    function = _function(node["op"], attributes)

    def call(tensors: Any) -> Any:
        inputs = list(tensors) if isinstance(tensors, list | tuple) else [tensors]
        for index in sorted(constants):
            inputs.insert(index, constants[index])
        return function(*inputs)

    return call


def _function(op: str, attributes: Json) -> Callable[..., Any]:
    functions = ops.FUNCTIONS
    if op in SAME_ORDER:
        return functions[SAME_ORDER[op]]
    if op in REDUCED:
        keep = bool(attributes.get("keep_dims", {}).get("b", False))
        return lambda x, axis: functions[REDUCED[op]](x, axis=axis, keepdims=keep)
    if op == "ConcatV2":
        return lambda *inputs: functions["concat"](list(inputs[:-1]), axis=inputs[-1])
    if op == "Pack":
        axis = int(attributes.get("axis", {}).get("i", 0))
        return lambda *inputs: functions["stack"](list(inputs), axis=axis)
    if op == "Squeeze":
        axes = [int(i) for i in attributes.get("squeeze_dims", {}).get("list", {}).get("i", [])]
        return lambda x: functions["squeeze"](x, axis=axes or None)
    if op == "Cast":
        dtype = _DTYPES.get(attributes["DstT"]["type"])
        if dtype is not None:
            return lambda x: functions["cast"](x, dtype)
    if op == "LeakyRelu":
        alpha = float(attributes.get("alpha", {}).get("f", 0.2))
        return lambda x: functions["nn.leaky_relu"](x, alpha=alpha)
    if op in ("MatMul", "BatchMatMulV2"):
        keys = ("transpose_a", "transpose_b") if op == "MatMul" else ("adj_x", "adj_y")
        flags = [bool(attributes.get(key, {}).get("b", False)) for key in keys]
        return lambda x, y: functions["matmul"](x, y, *flags)
    if op == "Pad":
        return lambda x, paddings: functions["pad"](x, paddings)
    if op == "StridedSlice":
        return _strided_slice(attributes)
    raise UntranslatableError(f"TensorFlow operator {op}")


def _strided_slice(attributes: Json) -> Callable[..., Any]:
    masks = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")
    begin, end, ellipsis, new_axis, shrink = (
        int(attributes.get(mask, {}).get("i", 0)) for mask in masks
    )

    def call(x: Any, starts: list[int], stops: list[int], steps: list[int]) -> Any:
        spec: list[Any] = []
        for axis, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
            bit = 1 << axis
            if ellipsis & bit:
                spec.append({"class_name": "__ellipsis__"})
            elif new_axis & bit:
                spec.append(None)
            elif shrink & bit:
                spec.append(int(start))
            else:
                low = None if begin & bit else int(start)
                high = None if end & bit else int(stop)
                spec.append({"start": low, "stop": high, "step": int(step)})
        return ops.getitem(x, spec)

    return call
