"""Resize in every mode against ONNX Runtime, and pictures sampled on a grid."""

import itertools

import keras
import numpy as np
import pytest

from tests.converters.onnx_to_keras.one_node import imported, one_node

TOLERANCE = 2e-6
MODES = (
    "half_pixel",
    "pytorch_half_pixel",
    "align_corners",
    "asymmetric",
    "half_pixel_symmetric",
)
ROUNDINGS = ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
SCALES = ((2.0, 3.0), (0.6, 1.7), (2.0, 0.4))


def resize(
    scales: tuple[float, ...] = (),
    sizes: tuple[int, ...] = (),
    whole: bool = False,
    **attributes: object,
) -> tuple[float, list[str]]:
    """Largest difference, and the classes of what was built."""
    space = (7, 10)[: len(scales or sizes)]
    if scales:
        held = {"scales": np.array([1.0, 1.0, *scales], np.float32)}
        names = [None, "scales"]
    else:
        held = {"sizes": np.array(sizes, np.int64)}
        names, attributes["axes"] = [None, None, "sizes"], list(range(2, 2 + len(sizes)))
    opset = 19
    proto = one_node("Resize", [("N", 3, *space), *names], held, opset=opset, **attributes)
    found = imported(proto, whole=whole)
    return found.difference, [type(o).__name__ for o in found.model.operations[1:]]


@pytest.mark.parametrize(
    ("mode", "rounding", "scales"), list(itertools.product(MODES, ROUNDINGS, SCALES))
)
def test_nearest(mode: str, rounding: str, scales: tuple[float, ...]) -> None:
    difference, _ = resize(
        scales, mode="nearest", coordinate_transformation_mode=mode, nearest_mode=rounding
    )
    assert difference == 0


@pytest.mark.parametrize(("mode", "scales"), list(itertools.product(MODES, SCALES)))
def test_linear(mode: str, scales: tuple[float, ...]) -> None:
    difference, _ = resize(scales, mode="linear", coordinate_transformation_mode=mode)
    assert difference < TOLERANCE


@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_saved_and_loaded(mode: str) -> None:
    difference, _ = resize((1.7, 2.2), whole=True, mode=mode)
    assert difference < TOLERANCE


@pytest.mark.parametrize(("mode", "scales"), list(itertools.product(MODES[:4], SCALES[:2])))
@pytest.mark.parametrize(("exclude", "a"), [(0, -0.75), (1, -0.5)])
def test_cubic(mode: str, scales: tuple[float, ...], exclude: int, a: float) -> None:
    difference, _ = resize(
        scales,
        mode="cubic",
        coordinate_transformation_mode=mode,
        exclude_outside=exclude,
        cubic_coeff_a=a,
    )
    assert difference < TOLERANCE


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("scales", [(0.6, 0.3), (0.5, 0.5), (0.7, 1.0)])
def test_antialias(mode: str, scales: tuple[float, ...]) -> None:
    difference, _ = resize(scales, mode=mode, antialias=1, exclude_outside=1)
    assert difference < TOLERANCE


@pytest.mark.parametrize("sizes", [(14, 5), (20, 30), (1, 1), (7, 13)])
@pytest.mark.parametrize("mode", ["pytorch_half_pixel", "align_corners"])
def test_by_sizes(sizes: tuple[int, ...], mode: str) -> None:
    difference, _ = resize(sizes=sizes, mode="linear", coordinate_transformation_mode=mode)
    assert difference < TOLERANCE


def test_sequences_too() -> None:
    assert resize((2.5,), mode="linear")[0] < TOLERANCE
    assert resize((2.0,), coordinate_transformation_mode="asymmetric", nearest_mode="floor") == (
        0.0,
        ["UpSampling1D"],
    )


def test_layers_where_they_are_exact() -> None:
    plain = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    assert resize((2.0, 3.0), **plain)[1] == ["UpSampling2D"]
    assert resize((2.0, 2.0), mode="linear")[1] == ["UpSampling2D"]
    difference, built = resize(sizes=(11, 15), mode="linear", whole=True)
    assert built == ["Resizing"]
    assert difference < TOLERANCE


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize(("mode", "align"), [("bilinear", 0), ("nearest", 1), ("bicubic", 0)])
def test_grid_sample(padding: str, mode: str, align: int) -> None:
    proto = one_node(
        "GridSample",
        [("N", 3, 6, 9), ("N", 5, 4, 2)],
        opset=16,
        mode=mode,
        padding_mode=padding,
        align_corners=align,
    )
    assert imported(proto, {"x1": (-1.6, 1.6)}, whole=mode == "bilinear").difference < 1e-5


def test_interpolation_has_a_gradient() -> None:
    import tensorflow as tf

    proto = one_node(
        "Resize",
        [("N", 2, 5, 6), None, "scales"],
        {"scales": np.array([1, 1, 1.5, 2], np.float32)},
        mode="linear",
        coordinate_transformation_mode="align_corners",
    )
    model = imported(proto).model
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 5, 6, 2)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = keras.ops.sum(model(x, training=False))
    assert float(tf.reduce_sum(tape.gradient(total, x))) == pytest.approx(7 * 12 * 2 * 2, rel=1e-5)
