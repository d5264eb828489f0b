"""Element by element: activations, arithmetic, comparisons, types."""

import math

from onnx import TensorProto, helper

from converters.tf_to_keras.tflite.registry import Call, op
from converters.tf_to_keras.tflite.write import Value

_UNARY = {
    "ABS": "Abs", "CEIL": "Ceil", "COS": "Cos", "ELU": "Elu", "EXP": "Exp", "FLOOR": "Floor",
    "HARD_SWISH": "HardSwish", "LOG": "Log", "LOGICAL_NOT": "Not", "LOGISTIC": "Sigmoid",
    "NEG": "Neg", "RELU": "Relu", "ROUND": "Round", "SIGN": "Sign", "SIN": "Sin", "SQRT": "Sqrt",
    "TANH": "Tanh",
}  # fmt: skip
_CLIPS = {"RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0), "RELU_0_TO_1": (0.0, 1.0)}
_BINARY = {
    "ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "MAXIMUM": "Max", "MINIMUM": "Min",
    "POW": "Pow", "EQUAL": "Equal", "GREATER": "Greater", "GREATER_EQUAL": "GreaterOrEqual",
    "LESS": "Less", "LESS_EQUAL": "LessOrEqual", "LOGICAL_AND": "And", "LOGICAL_OR": "Or",
}  # fmt: skip


def aligned(call: Call, *values: Value) -> tuple[list[str], bool]:
    """Names of operands that broadcast as in the file, and whether the batch stands apart."""
    rank = len(call.shape)
    whole = [value for value in values if value.batched]
    fits = all(value.rank == rank and value.shape[0] == call.shape[0] for value in whole)
    others = [value for value in values if not value.batched]
    if not whole or (fits and all(v.rank < rank or v.shape[0] == 1 for v in others)):
        return [call.write.operand(value) for value in values], False
    names = []
    for value in values:
        if value.batched:
            shape = (None, *[1] * (rank - value.rank), *value.shape)
            names.append(call.write.reshape(value.name, shape))
        else:
            names.append(call.write.operand(value))
    return names, True


def finish(call: Call, name: str, apart: bool) -> str:
    """The result of aligned operands, in the shape of the file."""
    return call.write.together(name, call.shape) if apart else name


@op(*_UNARY)
def unary(call: Call) -> str:
    """Operators with the same meaning in ONNX."""
    return call.write(_UNARY[call.op], call.name())


@op(*_CLIPS)
def clip(call: Call) -> str:
    """Rectifiers with both ends."""
    low, high = _CLIPS[call.op]
    return call.write("Clip", call.name(), call.write.number(low), call.write.number(high))


@op("RSQRT")
def rsqrt(call: Call) -> str:
    """1 / sqrt(x)."""
    return call.write("Reciprocal", call.write("Sqrt", call.name()))


@op("SQUARE")
def square(call: Call) -> str:
    """The product of x with itself."""
    return call.write("Mul", call.name(), call.name())


@op("LEAKY_RELU")
def leaky_relu(call: Call) -> str:
    """Slope alpha below zero."""
    return call.write("LeakyRelu", call.name(), alpha=call.number("alpha"))


@op("PRELU")
def prelu(call: Call) -> str:
    """A learnt slope below zero, broadcast as in the file."""
    (name, slope), apart = aligned(call, call.value(0), call.value(1))
    return finish(call, call.write("PRelu", name, slope), apart)


@op("GELU")
def gelu(call: Call) -> str:
    """Written out, for ONNX has it from opset 20 only."""
    x, write = call.name(), call.write
    if call.option("approximate"):
        cube = write("Mul", write("Mul", x, x), x)
        inner = write("Add", x, write("Mul", cube, write.number(0.044715)))
        shaped = write("Tanh", write("Mul", inner, write.number(math.sqrt(2 / math.pi))))
    else:
        shaped = write("Erf", write("Div", x, write.number(math.sqrt(2))))
    product = write("Mul", x, write("Add", shaped, write.number(1.0)))
    return write("Mul", product, write.number(0.5))


@op(*_BINARY)
def binary(call: Call) -> str:
    """Operators with the same meaning and broadcasting in ONNX."""
    names, apart = aligned(call, call.value(0), call.value(1))
    return finish(call, call.write(_BINARY[call.op], *names), apart)


@op("ADD_N")
def add_n(call: Call) -> str:
    """The sum of any number of equal shapes."""
    names, apart = aligned(call, *[value for value in call.inputs if value is not None])
    return finish(call, call.write("Sum", *names), apart)


@op("NOT_EQUAL")
def not_equal(call: Call) -> str:
    """Not (a == b)."""
    names, apart = aligned(call, call.value(0), call.value(1))
    return finish(call, call.write("Not", call.write("Equal", *names)), apart)


@op("SQUARED_DIFFERENCE")
def squared_difference(call: Call) -> str:
    """(a - b)²."""
    names, apart = aligned(call, call.value(0), call.value(1))
    difference = call.write("Sub", *names)
    return finish(call, call.write("Mul", difference, difference), apart)


@op("FLOOR_DIV", "FLOOR_MOD")
def floor_division(call: Call) -> str:
    """Quotient rounded down, and what it leaves."""
    names, apart = aligned(call, call.value(0), call.value(1))
    write = call.write
    if call.value(0).dtype.kind == "f":
        name = write("Floor", write("Div", *names))
        if call.op == "FLOOR_MOD":
            name = write("Sub", names[0], write("Mul", name, names[1]))
    elif call.op == "FLOOR_MOD":
        name = write("Mod", *names)
    else:  # ONNX rounds integers towards zero, so the remainder goes first
        name = write("Div", write("Sub", names[0], write("Mod", *names)), names[1])
    return finish(call, name, apart)


@op("SELECT", "SELECT_V2")
def select(call: Call) -> str:
    """The second input where the first is true, else the third."""
    values = [call.value(index) for index in range(3)]
    condition = values[0]
    if (
        call.op == "SELECT"
        and condition.rank == 1
        and len(call.shape) > 1
        and not condition.batched
    ):
        raise call.fail("a condition that broadcasts from the right", f"{condition.shape}")
    names, apart = aligned(call, *values)
    return finish(call, call.write("Where", *names), apart)


@op("DEQUANTIZE", "QUANTIZE", "FAKE_QUANT")
def same(call: Call) -> str | Value:
    """Real numbers stay what they are."""
    value = call.value(0)
    return value if value.data is not None else value.name


@op("CAST")
def cast(call: Call) -> str:
    """To another type; a quantised input gives its stored integers."""
    value, name, write = call.value(0), call.name(), call.write
    if value.scale:
        name = write("Round", write("Div", name, write.number(value.scale)))
        name = write("Add", name, write.number(value.zero_point))
    if value.dtype == call.outputs[0].dtype:
        return name
    return write("Cast", name, to=helper.np_dtype_to_tensor_dtype(call.outputs[0].dtype))


@op("ZEROS_LIKE")
def zeros_like(call: Call) -> str:
    """Zeros in the input's shape, the batch with them."""
    kind = helper.np_dtype_to_tensor_dtype(call.outputs[0].dtype)
    zero = helper.make_tensor("zero", kind, [1], [0])
    return call.write("ConstantOfShape", call.write("Shape", call.name()), value=zero)


@op("REAL", "IMAG")
def part(call: Call) -> str:
    """One part of a complex tensor."""
    value = call.value(0)
    return value.name if call.op == "REAL" else _imaginary(call, value)


@op("COMPLEX_ABS")
def complex_abs(call: Call) -> str:
    """sqrt(re² + im²)."""
    value, write = call.value(0), call.write
    imaginary = _imaginary(call, value)
    squares = write("Mul", value.name, value.name), write("Mul", imaginary, imaginary)
    return write("Sqrt", write("Add", *squares))


def _imaginary(call: Call, value: Value) -> str:
    if not value.imaginary:
        raise call.fail("a complex input", "a real one")
    return value.imaginary


BOOL = TensorProto.BOOL
