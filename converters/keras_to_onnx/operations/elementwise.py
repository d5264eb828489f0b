"""Element-wise operations: arithmetic, comparison, logic, rounding, casts."""

from typing import Any

import numpy as np

from converters.keras_to_onnx.graph import Graph
from converters.keras_to_onnx.parts.align import number, pointwise, unary
from converters.keras_to_onnx.parts.reduction import chosen
from converters.keras_to_onnx.registry import operation
from converters.keras_to_onnx.value import Spec, UnwrittenError, Value, as_written

_UNARY = {
    "Absolute": "Abs",
    "Fabs": "Abs",
    "Arccos": "Acos",
    "Arccosh": "Acosh",
    "Arcsin": "Asin",
    "Arcsinh": "Asinh",
    "Arctan": "Atan",
    "Arctanh": "Atanh",
    "Ceil": "Ceil",
    "Cos": "Cos",
    "Cosh": "Cosh",
    "Erf": "Erf",
    "Exp": "Exp",
    "Floor": "Floor",
    "Log": "Log",
    "Negative": "Neg",
    "Reciprocal": "Reciprocal",
    "Sign": "Sign",
    "Sin": "Sin",
    "Sinh": "Sinh",
    "Sqrt": "Sqrt",
    "Tan": "Tan",
    "Tanh": "Tanh",
}
_BINARY = {
    "Add": "Add",
    "Subtract": "Sub",
    "Multiply": "Mul",
    "Divide": "Div",
    "TrueDivide": "Div",
    "Power": "Pow",
    "Maximum": "Max",
    "Minimum": "Min",
    "Fmax": "Max",
    "Fmin": "Min",
}
_COMPARED = {
    "Equal": "Equal",
    "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual",
    "Less": "Less",
    "LessEqual": "LessOrEqual",
}
_LOGICAL = {"LogicalAnd": "And", "LogicalOr": "Or", "LogicalXor": "Xor"}
_SAME = ("Copy", "StopGradient", "Real", "Conjugate")


@operation(*_UNARY)
def single(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The node of that name, in the result's dtype."""
    return unary(g, _UNARY[type(op).__name__], g.cast(x, out.dtype))


@operation(*_BINARY)
def arithmetic(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """One node, both sides in the result's dtype."""
    if type(op).__name__ == "Multiply" and out.dtype == "bool":
        return pointwise(g, "And", x1, x2, work="bool")
    return pointwise(g, _BINARY[type(op).__name__], x1, x2, work=out.dtype)


@operation(*_COMPARED, "NotEqual")
def comparison(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """A comparison in the wider of both dtypes."""
    work = _wider(x1, x2)
    if type(op).__name__ == "NotEqual":
        return unary(g, "Not", pointwise(g, "Equal", x1, x2, work=work, dtype="bool"))
    return pointwise(g, _COMPARED[type(op).__name__], x1, x2, work=work, dtype="bool")


@operation(*_LOGICAL)
def logical(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """And, Or, Xor of truths."""
    return pointwise(g, _LOGICAL[type(op).__name__], x1, x2, work="bool")


@operation("LogicalNot")
def logical_not(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Not."""
    return unary(g, "Not", g.cast(x, "bool"))


@operation("Square")
def square(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """X times x."""
    return pointwise(g, "Mul", x, x, work=out.dtype)


@operation("Rsqrt")
def rsqrt(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """1 / sqrt(x)."""
    return unary(g, "Reciprocal", unary(g, "Sqrt", g.cast(x, "float32")))


@operation("Log1p", "Log2", "Log10", "Expm1", "Exp2", "Cbrt", "Erfc", "Deg2rad", "Rad2deg")
def composed(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """A node and a number before or after it."""
    x, kind = g.cast(x, "float32"), type(op).__name__
    if kind == "Log1p":
        return unary(g, "Log", pointwise(g, "Add", x, 1.0))
    if kind in ("Log2", "Log10"):
        return pointwise(g, "Div", unary(g, "Log", x), float(np.log(2 if kind == "Log2" else 10)))
    if kind == "Expm1":
        return pointwise(g, "Sub", unary(g, "Exp", x), 1.0)
    if kind == "Exp2":
        return unary(g, "Exp", pointwise(g, "Mul", x, float(np.log(2))))
    if kind == "Cbrt":
        root = pointwise(g, "Pow", unary(g, "Abs", x), 1 / 3)
        return pointwise(g, "Mul", unary(g, "Sign", x), root)
    if kind == "Erfc":
        return pointwise(g, "Sub", 1.0, unary(g, "Erf", x))
    return pointwise(g, "Mul", x, float(np.pi / 180 if kind == "Deg2rad" else 180 / np.pi))


@operation("Logaddexp")
def logaddexp(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """The larger plus softplus of minus the distance."""
    top = pointwise(g, "Max", x1, x2, work="float32")
    apart = unary(g, "Abs", pointwise(g, "Sub", x1, x2, work="float32"))
    return pointwise(g, "Add", top, unary(g, "Softplus", unary(g, "Neg", apart)))


@operation("FloorDivide")
def floor_divide(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """The quotient, rounded down, of floats; whole numbers go through float32."""
    quotient = pointwise(g, "Div", x1, x2, work="float32")
    return g.cast(unary(g, "Floor", quotient), out.dtype)


@operation("Mod")
def mod(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """The remainder with the divisor's sign."""
    if out.dtype != "float32":
        return pointwise(g, "Mod", x1, x2, work=out.dtype)
    x1, x2 = number(g, x1, "float32"), number(g, x2, "float32")
    floor = unary(g, "Floor", pointwise(g, "Div", x1, x2))
    return pointwise(g, "Sub", x1, pointwise(g, "Mul", floor, x2))


@operation("DivideNoNan")
def divide_no_nan(g: Graph, op: Any, out: Spec, x1: Any, x2: Any) -> Value:
    """The quotient, 0 where the divisor is 0."""
    x2 = number(g, x2, "float32")
    none = pointwise(g, "Equal", x2, 0.0, dtype="bool")
    safe = chosen(g, none, 1.0, x2)
    return chosen(g, none, 0.0, pointwise(g, "Div", x1, safe, work="float32"))


@operation("Round")
def rounded(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Round, halves to even, at so many decimals."""
    if not op.decimals:
        return unary(g, "Round", x)
    factor = float(10**op.decimals)
    return pointwise(g, "Div", unary(g, "Round", pointwise(g, "Mul", x, factor)), factor)


@operation("Trunc")
def trunc(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Rounded towards 0."""
    whole = unary(g, "Floor", unary(g, "Abs", x))
    return pointwise(g, "Mul", unary(g, "Sign", x), whole)


@operation("Clip")
def clip(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """Clip."""
    if np.ndim(op.x_min) or np.ndim(op.x_max):
        low = pointwise(g, "Max", x, op.x_min, work=out.dtype)
        return pointwise(g, "Min", low, op.x_max, work=out.dtype)
    return pointwise(g, "Clip", x, op.x_min, op.x_max, work=out.dtype)


@operation("Cast", "SaturateCast", "ConvertToTensor")
def cast(g: Graph, op: Any, out: Spec, x: Any) -> Value:
    """Cast; between floats nothing, since every float is float32 here."""
    if type(op).__name__ == "SaturateCast" and as_written(op.dtype) != "float32":
        limits = np.iinfo(op.dtype)
        x = pointwise(g, "Clip", x, limits.min, limits.max)
    return number(g, x, out.dtype)


@operation(*_SAME)
def same(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """The value itself."""
    return x


@operation("Where")
def where(g: Graph, op: Any, out: Spec, condition: Any, x1: Any = None, x2: Any = None) -> Value:
    """Where, with both sides given."""
    if x1 is None:
        raise UnwrittenError("expected both values of `where`, came the condition alone")
    return chosen(g, condition, x1, x2, out.dtype)


@operation("Isnan", "Isinf", "Isfinite")
def tested(g: Graph, op: Any, out: Spec, x: Value) -> Value:
    """IsNaN, IsInf, or neither."""
    kind = type(op).__name__
    if kind == "Isinf":
        return unary(g, "IsInf", x, "bool")
    not_a_number = unary(g, "IsNaN", x, "bool")
    if kind == "Isnan":
        return not_a_number
    either = pointwise(g, "Or", not_a_number, unary(g, "IsInf", x, "bool"), work="bool")
    return unary(g, "Not", either)


@operation("ZerosLike", "OnesLike", "FullLike", "EmptyLike")
def like(g: Graph, op: Any, out: Spec, x: Value, fill: Any = None, **given: Any) -> Value:
    """ConstantOfShape with the shape that the value has when the file is run."""
    from onnx import numpy_helper

    kind = type(op).__name__
    fill = given.get("fill_value", fill) if kind == "FullLike" else float(kind == "OnesLike")
    if isinstance(fill, Value) or np.size(fill) != 1:
        raise UnwrittenError("expected one number to fill with")
    x = g.unflattened(x)
    value = numpy_helper.from_array(np.asarray(fill, out.dtype).reshape(1))
    sizes = g.node("Shape", [x])[0]
    return g.emit("ConstantOfShape", [sizes], x.shape, out.dtype, x.order, value=value)


def _wider(x1: Any, x2: Any) -> str:
    """The dtype to compare in: a tensor's rather than a plain number's."""
    import keras

    kinds = [
        x.dtype if isinstance(x, Value) else x if isinstance(x, bool | int | float) else x.dtype
        for x in (x1, x2)
    ]
    kinds = [type(kind) if isinstance(kind, bool | int | float) else kind for kind in kinds]
    return as_written(keras.backend.result_type(*kinds))
