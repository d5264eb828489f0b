"""Activations, one or a few nodes each; order and flattening stay."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import pointwise, unary
from converters.keras_to_onnx.parts.joining import parted
from converters.keras_to_onnx.parts.reduction import chosen, reduced, softmax_over
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value

_GELU_SINCE, _HARD_SWISH_SINCE, _MISH_SINCE = 20, 14, 18
_NODES = {
    "Relu": "Relu",
    "Sigmoid": "Sigmoid",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
}


@operation(*_NODES)
def single(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The node of the same name."""
    return unary(g, _NODES[type(op).__name__], x)


@operation("ReLU")
def relu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Relu, LeakyRelu or Clip; with a threshold, what is above it passes."""
    slope, top, threshold = float(op.negative_slope), op.max_value, float(op.threshold)
    if top is None and threshold == 0:
        return unary(g, "LeakyRelu", x, alpha=slope) if slope else unary(g, "Relu", x)
    below = None
    if slope:
        reach = pointwise(g, "Sub", threshold, x) if threshold else unary(g, "Neg", x)
        below = pointwise(g, "Mul", unary(g, "Relu", reach), slope)
    if threshold:
        above = pointwise(g, "Greater", x, threshold, dtype="bool")
        x = pointwise(g, "Mul", x, g.cast(above, "float32"))
    else:
        x = unary(g, "Relu", x) if top is None else x
    if top is not None:
        x = pointwise(g, "Clip", x, 0.0, float(top))
    return x if below is None else pointwise(g, "Sub", x, below)


@operation("Relu6")
def relu6(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Clip to 0..6."""
    return pointwise(g, "Clip", x, 0.0, 6.0)


@operation("Linear")
def linear(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The value itself."""
    return x


@operation("LeakyRelu")
def leaky_relu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """LeakyRelu."""
    return unary(g, "LeakyRelu", x, alpha=float(op.negative_slope))


@operation("Elu", "Celu")
def elu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Elu or Celu."""
    return unary(g, type(op).__name__, x, alpha=float(op.alpha))


@operation("Selu")
def selu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Selu with its paper's constants, which are ONNX's defaults."""
    return unary(g, "Selu", x)


@operation("Silu")
def silu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """X times its sigmoid."""
    return product(g, x, unary(g, "Sigmoid", x))


@operation("HardSigmoid")
def hard_sigmoid(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """HardSigmoid with slope 1/6, as Keras 3 has it."""
    return unary(g, "HardSigmoid", x, alpha=1 / 6, beta=0.5)


@operation("HardSilu")
def hard_silu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """HardSwish from opset 14 on."""
    if g.opset >= _HARD_SWISH_SINCE:
        return unary(g, "HardSwish", x)
    return product(g, x, unary(g, "HardSigmoid", x, alpha=1 / 6, beta=0.5))


@operation("Gelu")
def gelu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Gelu from opset 20 on, before that the formula with Erf or Tanh."""
    if g.opset >= _GELU_SINCE:
        return unary(g, "Gelu", x, approximate="tanh" if op.approximate else "none")
    if op.approximate:
        cube = product(g, product(g, x, x), x)
        inner = product(g, x, cube, "Add", right=0.044715)
        inner = pointwise(g, "Mul", inner, float(np.sqrt(2 / np.pi)))
        gate = pointwise(g, "Add", unary(g, "Tanh", inner), 1.0)
        return pointwise(g, "Mul", product(g, x, gate), 0.5)
    # Divide, Erf, add, multiply, halve: the pattern that runtimes and importers fuse.
    erf = unary(g, "Erf", pointwise(g, "Div", x, float(np.sqrt(2))))
    return pointwise(g, "Mul", product(g, x, pointwise(g, "Add", erf, 1.0)), 0.5)


@operation("Mish")
def mish(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Mish from opset 18 on."""
    if g.opset >= _MISH_SINCE:
        return unary(g, "Mish", x)
    return product(g, x, unary(g, "Tanh", unary(g, "Softplus", x)))


@operation("Squareplus")
def squareplus(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Half of x + sqrt(x² + b)."""
    root = unary(g, "Sqrt", pointwise(g, "Add", product(g, x, x), float(op.b)))
    return pointwise(g, "Mul", product(g, x, root, "Add"), 0.5)


@operation("SparsePlus")
def sparse_plus(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """0 below -1, x above 1, a parabola between."""
    x = g.unflattened(x)
    raised = pointwise(g, "Add", pointwise(g, "Clip", x, -1.0, 1.0), 1.0)
    curve = pointwise(g, "Mul", product(g, raised, raised), 0.25)
    return product(g, curve, unary(g, "Relu", pointwise(g, "Sub", x, 1.0)), "Add")


@operation("SparseSigmoid")
def sparse_sigmoid(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """A straight line from -1 to 1."""
    raised = pointwise(g, "Add", pointwise(g, "Clip", x, -1.0, 1.0), 1.0)
    return pointwise(g, "Mul", raised, 0.5)


@operation("LogSigmoid")
def log_sigmoid(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Minus softplus of -x."""
    return unary(g, "Neg", unary(g, "Softplus", unary(g, "Neg", x)))


@operation("TanhShrink")
def tanh_shrink(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """X minus its tanh."""
    return product(g, x, unary(g, "Tanh", x), "Sub")


@operation("HardTanh")
def hard_tanh(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Clip to -1..1."""
    return pointwise(g, "Clip", x, -1.0, 1.0)


@operation("HardShrink", "SoftShrink")
def shrink(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Shrink, with or without the step."""
    bound = float(op.threshold)
    return unary(g, "Shrink", x, lambd=bound, bias=bound * (type(op).__name__ == "SoftShrink"))


@operation("Threshold")
def threshold(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """X where it is above the threshold, else the default."""
    above = pointwise(g, "Greater", x, float(op.threshold), dtype="bool")
    return chosen(g, above, x, float(op.default_value))


@operation("Glu")
def glu(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """One half times the sigmoid of the other."""
    size = x.shape[op.axis]
    half = Spec(out.shape, x.dtype)
    first, second = parted(g, x, [int(size or 0) // 2] * 2, op.axis, [half, half])
    return product(g, first, unary(g, "Sigmoid", second))


@operation("Softmax")
def softmax(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Softmax over one axis, several or all."""
    x = g.cast(x, "float32")
    axis = range(x.rank) if op.axis is None else op.axis
    return softmax_over(g, x, [axis] if isinstance(axis, int) else list(axis))


@operation("LogSoftmax")
def log_softmax(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """LogSoftmax over one axis, several or all."""
    x = g.unflattened(x)
    if isinstance(op.axis, int):
        axis = x.stored_axis(op.axis)
        return g.emit("LogSoftmax", [x], x.shape, "float32", x.order, axis=axis)
    axes = list(range(x.rank)) if op.axis is None else [axis % x.rank for axis in op.axis]
    centred = pointwise(g, "Sub", x, reduced(g, "ReduceMax", x, axes, keepdims=True))
    total = reduced(g, "ReduceSum", unary(g, "Exp", centred), axes, keepdims=True)
    return pointwise(g, "Sub", centred, unary(g, "Log", total))


@operation("Sparsemax")
def sparsemax(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """What is above a threshold, after Martins and Astudillo (2016), as Keras computes it."""
    size = x.shape[op.axis]
    if size is None:
        raise UnwrittenError(f"expected a known size for sparsemax, came {x.shape}")
    x = g.plain(x)
    axis = op.axis % x.rank
    inputs = [x, np.array([size], np.int64)]
    ordered = Value(g.node("TopK", inputs, outputs=2, axis=axis)[0], x.shape, x.dtype, x.order)
    place = np.array(axis, np.int64)
    sums = g.emit("CumSum", [ordered, place], x.shape, x.dtype)
    counts = np.arange(1, size + 1, dtype=np.float32)
    counts = counts.reshape([-1 if place == axis else 1 for place in range(x.rank)])
    reach = pointwise(g, "Add", pointwise(g, "Mul", ordered, counts), 1.0)
    inside = g.cast(pointwise(g, "Greater", reach, sums, dtype="bool"), x.dtype)
    count = reduced(g, "ReduceSum", inside, [axis], keepdims=True)
    # Keras adds up the running sums themselves, where the paper takes the last of them.
    total = reduced(g, "ReduceSum", product(g, sums, inside), [axis], keepdims=True)
    threshold = pointwise(g, "Div", pointwise(g, "Sub", total, 1.0), count)
    return unary(g, "Relu", pointwise(g, "Sub", x, threshold))


def product(g: Graph, x: Value, y: Value, node: str = "Mul", right: float = 1.0) -> Value:
    """Two values of the same shape and order in one node, the second scaled by `right`."""
    if right != 1.0:
        y = pointwise(g, "Mul", y, right)
    if (x.order, x.flat) != (y.order, y.flat):
        return pointwise(g, node, x, y)
    (name,) = g.node(node, [x, y])
    return Value(name, x.shape, x.dtype, x.order, x.flat)
