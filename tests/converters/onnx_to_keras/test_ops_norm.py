"""Normalisations against ONNX Runtime, with the statistics and weights in built-in layers."""

import keras
import numpy as np
import pytest
from onnx import helper

from converters.errors import NodeError
from tests.converters.onnx_to_keras.one_node import Imported, imported, one_node

TOLERANCE = 3e-6


def weights(*sizes: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    names = ("norm.weight", "norm.bias", "norm.running_mean", "norm.running_var")
    found = {n: rng.normal(size=s) for n, s in zip(names, sizes, strict=False)}
    if "norm.running_var" in found:
        found["norm.running_var"] = rng.uniform(0.5, 2.0, sizes[3])
    return {name: array.astype(np.float32) for name, array in found.items()}


def norm(op: str, shape: tuple[int, ...], *sizes: int, opset: int = 18, **kept: object) -> Imported:
    held = weights(*sizes)
    return imported(one_node(op, [("N", *shape), *held], held, opset=opset, **kept))


@pytest.mark.parametrize("shape", [(5,), (5, 9), (5, 9, 7), (5, 4, 3, 6)])
def test_batch_normalization(shape: tuple[int, ...]) -> None:
    found = norm("BatchNormalization", shape, 5, 5, 5, 5, epsilon=1e-3, momentum=0.8)
    assert found.difference < TOLERANCE
    (layer,) = found.layers(keras.layers.BatchNormalization)
    assert (layer.name, layer.momentum) == ("norm", pytest.approx(0.8))
    assert layer.epsilon == pytest.approx(1e-3)
    assert len(found.model.trainable_weights) == 2
    assert len(found.model.non_trainable_weights) == 2


def test_batch_normalization_in_training_mode_is_refused() -> None:
    held = weights(5, 5, 5, 5)
    proto = one_node("BatchNormalization", [("N", 5, 4, 4), *held], held, training_mode=1)
    proto.graph.node[0].output.extend(["mean", "variance"])
    with pytest.raises(NodeError, match="evaluation mode"):
        imported(proto)


@pytest.mark.parametrize("shape", [(5, 9), (5, 9, 7), (5, 4, 3, 6)])
def test_instance_normalization(shape: tuple[int, ...]) -> None:
    found = norm("InstanceNormalization", shape, 5, 5, epsilon=1e-4)
    assert found.difference < TOLERANCE
    assert found.layers(keras.layers.GroupNormalization)[0].groups == 5


@pytest.mark.parametrize(("shape", "axis", "size"), [((6, 8), -1, (8,)), ((6, 8), 1, (6, 8))])
def test_layer_normalization(shape: tuple[int, ...], axis: int, size: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    held = {
        "ln.weight": rng.normal(size=size).astype(np.float32),
        "ln.bias": rng.normal(size=size).astype(np.float32),
    }
    for names in (list(held), ["ln.weight"]):
        kept = {name: held[name] for name in names}
        proto = one_node(
            "LayerNormalization", [("N", *shape), *names], kept, axis=axis, epsilon=1e-6
        )
        found = imported(proto)
        assert found.difference < TOLERANCE
        assert len(found.layers(keras.layers.LayerNormalization)[0].weights) == len(names)


def test_layer_normalization_gives_its_moments() -> None:
    held = {"ln.weight": np.ones(8, np.float32)}
    proto = one_node("LayerNormalization", [("N", 6, 8), *held], held, outputs=3)
    assert imported(proto).difference < TOLERANCE


@pytest.mark.parametrize("opset", [18, 21])
def test_group_normalization(opset: int) -> None:
    """ONNX Runtime has no kernel of its own for opset 21: NumPy says what is right."""
    sizes = 2 if opset == 18 else 6
    held = weights(sizes, sizes)
    proto = one_node(
        "GroupNormalization", [("N", 6, 5, 4), *held], held, opset=opset, num_groups=2, epsilon=1e-4
    )
    found = imported(proto)
    assert found.difference < TOLERANCE
    assert found.layers(keras.layers.GroupNormalization)[0].groups == 2


def test_normalizations_without_weights() -> None:
    proto = one_node("LpNormalization", [("N", 6, 8)], axis=1, p=2)
    assert imported(proto).difference < TOLERANCE
    proto = one_node("LpNormalization", [("N", 6, 8)], axis=-1, p=1)
    assert imported(proto).difference < TOLERANCE
    proto = one_node("MeanVarianceNormalization", [("N", 6, 8, 5)], axes=[2, 3], opset=13)
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y0", 1, ["N", 6, 8, 5]))
    assert imported(proto).difference < TOLERANCE
