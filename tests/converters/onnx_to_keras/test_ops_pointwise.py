"""Activations, arithmetic, comparisons and casts against ONNX Runtime."""

import keras
import numpy as np
import pytest
from onnx import TensorProto

from converters.onnx_to_keras.ops.arithmetic import sum_of
from tests.converters.onnx_to_keras.one_node import imported, one_node

TOLERANCE = 2e-6
SHAPE = ("N", 5, 6)


@pytest.mark.parametrize(
    ("op", "attributes", "layer"),
    [
        ("Relu", {}, "ReLU"),
        ("LeakyRelu", {"alpha": 0.2}, "LeakyReLU"),
        ("Elu", {"alpha": 1.3}, "ELU"),
        ("Selu", {}, "Activation"),
        ("Selu", {"alpha": 1.2, "gamma": 0.9}, None),
        ("Celu", {"alpha": 0.7}, None),
        ("Sigmoid", {}, "Activation"),
        ("HardSigmoid", {}, None),
        ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}, "Activation"),
        ("HardSwish", {}, "Activation"),
        ("Mish", {}, "Activation"),
        ("Softplus", {}, "Activation"),
        ("Softsign", {}, "Activation"),
        ("Tanh", {}, "Activation"),
        ("ThresholdedRelu", {"alpha": 0.4}, None),
        ("Shrink", {"lambd": 0.6, "bias": 0.2}, None),
        ("Softmax", {"axis": 1}, "Softmax"),
        ("Softmax", {}, "Softmax"),
        ("LogSoftmax", {"axis": -1}, None),
        ("Hardmax", {"axis": 1}, None),
        ("Hardmax", {}, None),
    ],
)
def test_activation(op: str, attributes: dict[str, object], layer: str | None) -> None:
    found = imported(one_node(op, [SHAPE], **attributes))
    assert found.difference < TOLERANCE
    kinds = [type(each).__name__ for each in found.model.layers[1:]]
    assert kinds == ([layer] if layer else [])


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu(approximate: str) -> None:
    found = imported(one_node("Gelu", [SHAPE], opset=20, approximate=approximate))
    assert found.difference < TOLERANCE


@pytest.mark.parametrize(
    ("low", "high", "layer"),
    [
        (0.0, 6.0, "ReLU"),
        (0.0, None, "ReLU"),
        (-0.5, 0.7, None),
        (None, 0.7, None),
        (-0.5, None, None),
    ],
)
def test_clip(low: float | None, high: float | None, layer: str | None) -> None:
    bounds = {"low": low, "high": high}
    held = {name: np.float32(n) for name, n in bounds.items() if n is not None}
    names = [name if name in held else None for name in bounds]
    found = imported(one_node("Clip", [SHAPE, *names], held))
    assert found.difference == 0
    assert [type(each).__name__ for each in found.model.layers[1:]] == ([layer] if layer else [])


@pytest.mark.parametrize("slope", [(1,), (5, 1, 1), (1, 1, 1), (1, 5, 1, 1), (5, 4, 3), (3,)])
def test_prelu(slope: tuple[int, ...]) -> None:
    held = {"act.weight": np.random.default_rng(0).normal(size=slope).astype(np.float32)}
    found = imported(one_node("PRelu", [("N", 5, 4, 3), *held], held))
    assert found.difference < TOLERANCE
    (layer,) = found.layers(keras.layers.PReLU)
    assert int(np.prod(layer.alpha.shape)) == int(np.prod(slope))


UNARY = [
    "Abs",
    "Asinh",
    "Atan",
    "Ceil",
    "Cos",
    "Cosh",
    "Erf",
    "Exp",
    "Floor",
    "Neg",
    "Round",
    "Sign",
    "Sin",
    "Sinh",
    "Tan",
    "IsNaN",
    "IsInf",
    "Identity",
]
POSITIVE = ["Log", "Sqrt", "Reciprocal"]
SMALL = ["Acos", "Asin", "Atanh"]


@pytest.mark.parametrize("op", UNARY + POSITIVE + SMALL + ["Acosh"])
def test_function_of_one_tensor(op: str) -> None:
    ranges = {"x0": (0.2, 3.0) if op in POSITIVE else (-0.9, 0.9)}
    ranges = {} if op in UNARY else {"x0": (1.1, 3.0)} if op == "Acosh" else ranges
    assert imported(one_node(op, [SHAPE], opset=13), ranges, whole=False).difference < TOLERANCE


SHAPES = [
    (SHAPE, SHAPE),
    (SHAPE, (6,)),
    (SHAPE, (5, 1)),
    (("N", 1, 6), SHAPE),
    (("N", 5, 1), SHAPE),
]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Greater"])
def test_two_tensors(op: str, shapes: tuple[tuple[int, ...], ...]) -> None:
    """Both from the network, where they have a batch; a weight where they have none."""
    held, inputs = {}, []
    for shape in shapes:
        inputs.append(shape if "N" in shape else "layer.scale")
        if "N" not in shape:
            held["layer.scale"] = np.random.default_rng(1).normal(size=shape).astype(np.float32)
    found = imported(one_node(op, inputs, held), whole=op in ("Add", "Mul"))
    assert found.difference < TOLERANCE


def test_equal_tensors_meet_in_a_layer() -> None:
    kinds = {"Add": "Add", "Mul": "Multiply", "Max": "Maximum", "Sub": "Subtract"}
    for op, layer in kinds.items():
        found = imported(one_node(op, [SHAPE, SHAPE]), whole=False)
        assert [type(each).__name__ for each in found.model.layers[2:]] == [layer]


def test_a_weight_in_arithmetic_is_trained() -> None:
    held = {"pos.embedding": np.random.default_rng(1).normal(size=(5, 6)).astype(np.float32)}
    found = imported(one_node("Add", [SHAPE, *held], held))
    assert [w.shape for w in found.model.trainable_weights] == [(1, 30)]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4, 4), (4, 1)),
        ((3, 4, 4), (1, 4, 1)),
        ((3, 4, 4), (4, 1)),
        ((3, 4, 4), (4,)),
        ((3, 4, 4), (3, 1, 1)),
        ((1, 4, 1), (4, 1, 1)),
        ((4, 4), (1, 1, 4)),
        ((3, 3), (3, 1)),
        ((2, 5, 5, 3), (5, 1, 1)),
    ],
)
def test_sums_are_sums_whatever_axis_a_vector_lies_on(
    left: tuple[int, ...], right: tuple[int, ...]
) -> None:
    """keras.ops.add takes such vectors for a bias of the last axis (3.15, TensorFlow)."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=shape).astype(np.float32) for shape in (left, right))
    for x, y in ((a, b), (b, a)):
        np.testing.assert_allclose(np.asarray(sum_of(x, y)), x + y, rtol=1e-6)


def test_sums_in_a_model_whose_batch_is_as_large_as_its_channels() -> None:
    """Only while it runs a column (n, 1) looks like a bias of n channels."""
    first, second = keras.Input((3,)), keras.Input((1,))
    model = keras.Model([first, second], sum_of(first, second))
    rng = np.random.default_rng(0)
    for batch in (1, 2, 3):
        x, y = (rng.normal(size=(batch, n)).astype(np.float32) for n in (3, 1))
        np.testing.assert_allclose(np.asarray(model([x, y], training=False)), x + y, rtol=1e-6)


@pytest.mark.parametrize("exponent", [0.5, 1.0, 2.0, 3.0, -1.5, 0.25])
def test_power(exponent: float) -> None:
    proto = one_node("Pow", [SHAPE, "p"], {"p": np.float32(exponent)})
    assert imported(proto, {"x0": (0.3, 2.0)}).difference < TOLERANCE


@pytest.mark.parametrize("fmod", [0, 1])
def test_remainder_of_whole_numbers(fmod: int) -> None:
    proto = one_node("Mod", [SHAPE, SHAPE], fmod=fmod)
    for entry in proto.graph.input:
        entry.type.tensor_type.elem_type = TensorProto.INT32
    assert imported(proto, {"x0": (-9, 9), "x1": (1, 5)}, whole=False).difference == 0


def test_whole_numbers_divide_towards_zero() -> None:
    proto = one_node("Div", [SHAPE, SHAPE])
    for entry in proto.graph.input:
        entry.type.tensor_type.elem_type = TensorProto.INT64
    assert imported(proto, {"x0": (-9, 9), "x1": (1, 5)}).difference == 0


def test_choice_keeps_minus_infinity() -> None:
    held = {"mask": np.array([True, False, True, True, False, True]), "no": np.float32(-np.inf)}
    proto = one_node("Where", ["mask", SHAPE, "no"], held)
    assert imported(proto).difference == 0


@pytest.mark.parametrize("kind", ["BOOL", "INT32", "INT64", "UINT8", "FLOAT", "INT8"])
def test_cast(kind: str) -> None:
    proto = one_node("Cast", [SHAPE], to=TensorProto.DataType.Value(kind))
    assert imported(proto, {"x0": (0.0, 90.0)}).difference == 0


@pytest.mark.parametrize("axis", [None, 1])
def test_quantised_and_back(axis: int | None) -> None:
    rng = np.random.default_rng(0)
    size = () if axis is None else (5,)
    held = {
        "scale": np.asarray(rng.uniform(0.01, 0.05, size), np.float32),
        "zero": np.asarray(rng.integers(0, 200, size), np.uint8),
    }
    attributes = {} if axis is None else {"axis": axis}
    proto = one_node("QuantizeLinear", [SHAPE, *held], held, **attributes)
    assert imported(proto, {"x0": (-6.0, 6.0)}).difference == 0
    back = one_node("DequantizeLinear", [SHAPE, *held], held, **attributes)
    back.graph.input[0].type.tensor_type.elem_type = TensorProto.UINT8
    assert imported(back, {"x0": (0, 256)}).difference < TOLERANCE
