"""Every activation at the oldest, the usual and the newest opset."""

from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from tests.converters.keras_to_onnx.nets import PICTURE, network, nodes_of, written

NAMES = """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_tanh leaky_relu linear
    log_sigmoid log_softmax mish relu relu6 selu sigmoid silu soft_shrink softmax softplus
    softsign sparse_plus sparse_sigmoid sparsemax squareplus tanh tanh_shrink
""".split()  # noqa: SIM905 - a list of words


def test_no_activation_is_forgotten() -> None:
    every = {name for name in dir(keras.activations) if name.islower() and name[0] != "_"}
    other = {"deserialize", "get", "serialize", "threshold"}
    aliases = {"hard_swish", "swish"}
    assert every - other - aliases == set(NAMES)


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("name", NAMES)
def test_activation(tmp_path: Path, name: str, opset: int) -> None:
    written(network((5, 6), layers.Activation(name)), tmp_path / "a.onnx", opset=opset)


@pytest.mark.parametrize(
    "layer",
    [
        layers.ReLU(negative_slope=0.2),
        layers.ReLU(max_value=0.6),
        layers.ReLU(max_value=0.6, negative_slope=0.1, threshold=0.2),
        layers.ReLU(threshold=0.2),
        layers.LeakyReLU(0.3),
        layers.ELU(0.7),
        layers.Softmax(axis=1),
        lambda x: keras.activations.gelu(x, approximate=True),
        lambda x: keras.activations.threshold(x, 0.1, 3.0),
    ],
)
def test_activation_with_settings(tmp_path: Path, layer: Any) -> None:
    model = network(PICTURE, lambda x: layer(layers.Conv2D(5, 2)(x)))
    written(model, tmp_path / "a.onnx")


@pytest.mark.parametrize("name", ["relu", "silu", "gelu", "mish", "hard_silu"])
def test_an_activation_costs_no_transpose(tmp_path: Path, name: str) -> None:
    def body(x: Any) -> Any:
        return layers.Dense(3)(layers.Flatten()(layers.Conv2D(5, 2, activation=name)(x)))

    assert nodes_of(written(network(PICTURE, body), tmp_path / "a.onnx"))["Transpose"] == 1
